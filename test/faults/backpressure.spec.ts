import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject } from '@nestjs/common';
import { Connection, EventStreamService, SseStream, type SseConnection } from 'nestjs-event-stream';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { Subject } from 'rxjs';
import { startApp } from './support/app.js';
import { RawStream } from './support/raw-stream.js';
import { LoopWatch } from '../support/loop-watch.js';

const MAX_PENDING_BYTES = 65_536;
/** What Node's streams hold beyond what they were told to, and one frame. */
const SLACK_BYTES = 20_000;
const ADAPTERS = ['express', 'fastify'] as const;

@Controller()
class StreamsController {
  pulled = 0;
  readonly subject = new Subject<string>();

  constructor(@Inject(EventStreamService) private readonly streams: EventStreamService) {}

  @SseStream('generator')
  async *generator() {
    for (; this.pulled < 20_000; this.pulled++) yield { data: `${this.pulled} ${'x'.repeat(1_000)}` };
  }

  @SseStream('forever')
  *forever() {
    for (let n = 0; ; n++) yield n;
  }

  @SseStream('observable', { maxPendingBytes: MAX_PENDING_BYTES })
  observable() {
    return this.subject;
  }

  @SseStream('topic', { maxPendingBytes: MAX_PENDING_BYTES })
  topic() {
    return this.streams.topic('flow');
  }

  @SseStream('echo')
  echo(@Connection() connection: SseConnection) {
    connection.send({ data: 'hello' });
    return this.subject;
  }

  @Get('ping')
  ping(): string {
    return 'pong';
  }
}

function start(adapter: (typeof ADAPTERS)[number]) {
  const options = { retryMs: false, heartbeatMs: false, history: { maxEvents: 10_000, maxBytes: Infinity } } as const;
  return startApp(adapter, options, [StreamsController]);
}

/** The bytes that wait in each open response. */
function pendingBytes(connections: readonly SseConnection[]): number[] {
  return connections.map(({ request }) => {
    const { raw, res } = request as unknown as {
      raw?: { socket: { writableLength: number } };
      res?: { writableLength: number };
    };
    return res?.writableLength ?? raw!.socket.writableLength;
  });
}

describe.each(ADAPTERS)('%s', (adapter) => {
  it('pulls no more of a generator than fits while its reader pauses, and gives all of it when the reader goes on', async () => {
    await using app = await start(adapter);
    const controller = app.app.get(StreamsController);
    await using stream = await RawStream.open(app.port, '/generator');
    await stream.until(({ data }) => data.length > 0);

    stream.socket.pause();
    const pulled = await whenSteady(() => controller.pulled);
    const [pending] = pendingBytes(app.streams.connections.list());
    stream.socket.resume();
    await stream.until(({ messages }) => messages.some(({ event }) => event === 'stream.end'), 30_000);

    // The kernel's buffers on loopback take up to some 6 MB; the process itself holds next to nothing.
    expect(pulled).toBeLessThan(12_000);
    expect(pending).toBeLessThan(MAX_PENDING_BYTES);
    expect(stream.data.map((data) => Number.parseInt(data))).toEqual(Array.from({ length: 20_000 }, (_, n) => n));
  }, 60_000);

  it('lets others have their turn while a reader takes all that an endless generator gives', async () => {
    await using app = await start(adapter);
    // In a process of its own: one that shares this event loop could not empty the pipe while it is being filled.
    const read = `const socket = require('node:net').connect(${app.port}, '127.0.0.1');
      socket.write('GET /forever HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n');
      let bytes = 0;
      socket.on('data', (chunk) => { if ((bytes += chunk.length) > 1e6 && bytes - chunk.length <= 1e6) console.log('reading'); });`;
    const reader = spawn(process.execPath, ['-e', read]);
    using watch = new LoopWatch();

    await once(reader.stdout, 'data');
    const pingsMs: number[] = [];
    for (let n = 0; n < 5; n++) {
      const startedAt = performance.now();
      // A connection of its own: one that is kept may be closed while it waits for its turn.
      await (await fetch(`http://127.0.0.1:${app.port}/ping`, { headers: { connection: 'close' } })).text();
      pingsMs.push(performance.now() - startedAt);
    }
    const { longestMs } = watch;
    reader.kill();
    await once(reader, 'close');

    // The least of them: a busy machine makes any of them slower. Of a source that gives nobody a turn none is answered.
    expect(Math.min(...pingsMs)).toBeLessThan(10_000);
    expect(longestMs).toBeLessThan(2_000);
  }, 60_000);

  it('holds no more than the bound for 20 of 100 clients that do not read, and the others wait for nothing', async () => {
    await using app = await start(adapter);
    const streams = await Promise.all(Array.from({ length: 100 }, () => RawStream.open(app.port, '/topic')));
    await Promise.all(streams.map((stream) => stream.until(({ lastEventId }) => lastEventId !== undefined)));
    const [stalled, reading] = [streams.slice(0, 20), streams.slice(20)];
    for (const { socket } of stalled) socket.pause();
    const pad = 'x'.repeat(1_000);
    const memoryBefore = process.memoryUsage().arrayBuffers;

    let slowestMs = 0;
    let mostPending = 0;
    for (let round = 1; round <= 80; round++) {
      const startedAt = performance.now();
      for (let n = 0; n < 100; n++) await app.streams.publish('flow', { data: `${(round - 1) * 100 + n} ${pad}` });
      await Promise.all(reading.map((stream) => stream.until(({ messages }) => messages.length >= round * 100)));
      slowestMs = Math.max(slowestMs, performance.now() - startedAt);
      mostPending = Math.max(mostPending, ...pendingBytes(app.streams.connections.list()));
    }
    const memoryGrowth = process.memoryUsage().arrayBuffers - memoryBefore;
    for (const { socket } of stalled) socket.resume();
    await Promise.all(stalled.map((stream) => stream.until(({ messages }) => messages.length >= 8_000, 30_000)));

    const expected = Array.from({ length: 8_000 }, (_, n) => n);
    for (const stream of streams) expect(stream.data.map((data) => Number.parseInt(data))).toEqual(expected);
    expect(mostPending).toBeLessThanOrEqual(MAX_PENDING_BYTES + SLACK_BYTES);
    expect(slowestMs).toBeLessThan(10_000);
    // The log itself (8 MB), what is pending, and chunks of the readers that are not collected yet.
    expect(memoryGrowth).toBeLessThan(8_000 * 1_100 + 20 * (MAX_PENDING_BYTES + SLACK_BYTES) + 64 * 2 ** 20);
    for (const stream of streams) await stream[Symbol.asyncDispose]();
  }, 120_000);

  it('ends the stream of an Observable that outruns its reader, with the reason slow-consumer', async () => {
    await using app = await start(adapter);
    const { subject } = app.app.get(StreamsController);
    await using slow = await RawStream.open(app.port, '/observable');
    await using other = await RawStream.open(app.port, '/echo');
    await other.until(({ data }) => data.includes('hello'));
    await slow.until(({ status }) => status === 200);
    const sent: string[] = [];

    slow.socket.pause();
    let mostPending = 0;
    for (let n = 0; app.streams.connections.count === 2 && n < 100_000; n++) {
      sent.push(`${n} ${'x'.repeat(1_000)}`);
      subject.next(sent[n]!);
      mostPending = Math.max(mostPending, ...pendingBytes(app.streams.connections.list().slice(0, 1)));
      if (!subject.observed || app.streams.connections.list().some(({ signal }) => signal.aborted)) break;
      if (n % 10 === 0) await turn();
    }
    slow.socket.resume();
    await slow.until(({ messages }) => messages.some(({ event }) => event === 'stream.end'));

    expect(slow.messages.at(-1)!.data).toBe('{"reason":"slow-consumer","reconnect":true}');
    expect(slow.data).toEqual(sent.slice(0, slow.data.length));
    expect(mostPending).toBeLessThanOrEqual(MAX_PENDING_BYTES + SLACK_BYTES);
    await other.until(({ data }) => data.length >= sent.length);
  }, 60_000);

  it('gives 1,000 clients that come back at once, each 100 to 199 events behind, exactly these', async () => {
    await using app = await start(adapter);
    const ids: string[] = [];
    for (let n = 0; n < 1_100; n++) ids.push((await app.streams.publish('flow', { data: String(n) })).id);

    const streams = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) =>
        RawStream.open(app.port, '/topic', { 'last-event-id': ids[999 - (n % 100)]! }),
      ),
    );
    await app.streams.publish('flow', { data: '1100' });
    await Promise.all(streams.map((stream) => stream.until(({ data }) => data.at(-1) === '1100', 30_000)));

    streams.forEach((stream, n) => {
      expect(stream.resets).toEqual([]);
      expect(stream.data.map(Number)).toEqual(Array.from({ length: 101 + (n % 100) }, (_, i) => 1_000 - (n % 100) + i));
    });
    for (const stream of streams) stream.socket.destroy();
    while (app.streams.connections.count > 0) await turn();
  }, 60_000);
});

/** The value once it has not changed for 100 turns of the event loop and 100 ms. */
async function whenSteady(read: () => number): Promise<number> {
  let value = read();
  let since = performance.now();
  for (let turns = 0; turns < 100 || performance.now() - since < 100; turns++) {
    await turn();
    if (read() === value) continue;
    value = read();
    turns = 0;
    since = performance.now();
  }
  return value;
}
