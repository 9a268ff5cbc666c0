// The clients of `compression.mjs`: sockets that keep what they get, and look into it when nothing is measured any more.
import { Buffer } from 'node:buffer';
import { connect } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as delay } from 'node:timers/promises';
import { createGunzip, gunzipSync } from 'node:zlib';
import { textsOf } from './compression-events.mjs';
import { serve } from './rpc.mjs';

/** Sockets that are being connected at the same time. */
const BATCH = 100;
/** No server takes that long for what it was given, not even the slowest of them. */
const TIMEOUT_MS = 60_000;

let streams = [];
let samples = [];
let lastAt = 0;

serve({
  /**
   * Opens one stream for each `{ path, seed }`. Some, evenly among them, are read as they come: from them is known how far
   * the server is, and that each event can be read as soon as it is there.
   */
  async open(port, requests, plan, sampled) {
    const texts = new Map();
    for (const { path, seed } of requests) {
      if (!texts.has(seed)) texts.set(seed, textsOf(seed, plan));
      streams.push(new Stream(port, path, texts.get(seed)));
      if (streams.length % BATCH === 0) await Promise.all(streams.map(({ opened }) => opened));
    }
    await Promise.all(streams.map(({ opened }) => opened));
    samples = Array.from({ length: sampled }, (_, i) => streams[Math.floor((i * streams.length) / sampled)]);
    for (const sample of samples) sample.readAlong();
  },
  /** Resolves when the sampled streams have had so many events, and then nobody has got a byte for a while. */
  async settled(events, quietMs) {
    await until(() => samples.every(({ live }) => live.count >= events), `${events} events`);
    await until(() => performance.now() - lastAt > quietMs, 'silence');
    const bytes = streams.reduce((sum, { received }) => sum + received, 0);
    return { bytes, lastAt: performance.timeOrigin + lastAt };
  },
  /** Reads all of every stream, after the server has ended them. */
  async check() {
    await until(() => streams.every(({ isClosed }) => isClosed), 'the end of the streams');
    const faults = {};
    let events = 0;
    let encoding;
    for (const stream of streams) {
      const whole = stream.readAll(faults);
      events += whole.count;
      encoding = stream.encoding;
    }
    streams = [];
    samples = [];
    return { encoding, events, faults };
  },
});

async function until(isTrue, what) {
  const endsAt = performance.now() + TIMEOUT_MS;
  while (!isTrue()) {
    if (performance.now() > endsAt) throw new Error(`waited ${TIMEOUT_MS / 1_000} s for ${what}`);
    await delay(5);
  }
}

class Stream {
  received = 0;
  isClosed = false;
  encoding;
  /** What reads along, if anything does. */
  live;
  #parts = [];
  #expected;
  #take;

  constructor(port, path, expected) {
    this.#expected = expected;
    const socket = connect({ port, host: '127.0.0.1' });
    socket.setNoDelay(true);
    // Without keep-alive the end of the stream is that of the socket.
    const headers = ['Host: 127.0.0.1', 'Accept: text/event-stream', 'Accept-Encoding: gzip', 'Connection: close'];
    socket.write(`GET ${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
    this.opened = new Promise((resolve, reject) => socket.once('data', resolve).once('error', reject));
    socket.on('data', (bytes) => {
      lastAt = performance.now();
      this.received += bytes.length;
      this.#parts.push(bytes);
      this.#take?.(bytes);
    });
    socket.on('close', () => (this.isClosed = true));
  }

  /** Reads what has come so far, and from now on what comes. */
  readAlong() {
    const live = (this.live = new EventReader(this.#expected));
    const text = new StringDecoder();
    const gunzip = createGunzip();
    gunzip.on('data', (bytes) => live.take(text.write(bytes)));
    gunzip.on('error', (error) => live.fault(`read along: ${error.message}`));
    const body = new BodyReader((bytes) => {
      if (body.encoding === 'gzip') gunzip.write(bytes);
      else live.take(text.write(bytes));
    });
    this.#take = (bytes) => body.take(bytes);
    this.#take(Buffer.concat(this.#parts));
  }

  /** Reads all that has come, and adds what was wrong with it. */
  readAll(faults) {
    const chunks = [];
    const body = new BodyReader((bytes) => chunks.push(bytes));
    body.take(Buffer.concat(this.#parts));
    this.encoding = body.encoding;
    const reader = new EventReader(this.#expected);
    try {
      const bytes = Buffer.concat(chunks);
      // It also checks the length and the checksum at the end of the file.
      reader.take((body.encoding === 'gzip' ? gunzipSync(bytes) : bytes).toString());
    } catch (error) {
      reader.fault(error.message);
    }
    reader.end();
    if (!body.isOver) reader.fault('body without an end');
    for (const each of [reader, this.live]) {
      for (const [fault, count] of Object.entries(each?.faults ?? {})) faults[fault] = (faults[fault] ?? 0) + count;
    }
    return reader;
  }
}

/** Takes the head of a response away, and the framing of its chunks. */
class BodyReader {
  encoding;
  isOver = false;
  #onBytes;
  #rest = Buffer.alloc(0);
  /** Bytes of the present chunk that are still to come. */
  #left = 0;

  constructor(onBytes) {
    this.#onBytes = onBytes;
  }

  take(bytes) {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    if (this.encoding === undefined) {
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = this.#skip(end + 4).latin1Slice();
      if (!/^HTTP\/1\.1 200 /.test(head)) throw new Error(`a stream was refused: ${head}`);
      this.encoding = /^content-encoding: *(\S+)/im.exec(head)?.[1] ?? 'none';
    }
    while (!this.isOver && this.#rest.length > 0 && this.#takeOfChunk()) continue;
  }

  #takeOfChunk() {
    if (this.#left > 0) {
      const some = this.#skip(Math.min(this.#left, this.#rest.length));
      this.#left -= some.length;
      this.#onBytes(some);
      return true;
    }
    // Behind each chunk there is a line break, which so is an empty line before the next one's size.
    const lineEnd = this.#rest.indexOf('\r\n');
    if (lineEnd < 0) return false;
    const line = this.#skip(lineEnd + 2).latin1Slice(0, lineEnd);
    if (line === '') return true;
    this.#left = parseInt(line, 16);
    if (Number.isNaN(this.#left)) throw new Error(`not the size of a chunk: ${line}`);
    this.isOver = this.#left === 0;
    return true;
  }

  #skip(length) {
    const skipped = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return skipped;
  }
}

/** Compares events, whole and one by one, with those that were to come. */
class EventReader {
  /** How many have come, or were passed over. */
  count = 0;
  faults = {};
  #expected;
  #rest = '';
  #hasEnd = false;

  constructor(expected) {
    this.#expected = expected;
  }

  take(text) {
    this.#rest += text;
    let start = 0;
    for (let end; (end = this.#rest.indexOf('\n\n', start)) >= 0; start = end + 2)
      this.#see(this.#rest.slice(start, end));
    this.#rest = this.#rest.slice(start);
  }

  /** Nothing more comes. */
  end() {
    if (this.#rest !== '') this.fault('damaged');
    if (this.count < this.#expected.length) this.fault('lost', this.#expected.length - this.count);
    if (!this.#hasEnd) this.fault('stream without `stream.end`');
  }

  fault(name, count = 1) {
    this.faults[name] = (this.faults[name] ?? 0) + count;
  }

  #see(frame) {
    const [event, data] = [/^event: (.*)$/m.exec(frame)?.[1], /^data: (.*)$/m.exec(frame)?.[1]];
    if (event === 'stream.end') this.#hasEnd = true;
    else if (event !== undefined) this.fault(event);
    else if (data !== undefined) this.#compare(data);
  }

  #compare(text) {
    if (text !== this.#expected[this.count]) {
      const n = Number(/^\{"n":(\d+),/.exec(text)?.[1]);
      if (n < this.count) return this.fault('repeated or misordered');
      if (n > this.count) this.fault('lost', n - this.count);
      if (text !== this.#expected[n]) this.fault('damaged');
      if (n > this.count) this.count = n;
    }
    this.count++;
  }
}
