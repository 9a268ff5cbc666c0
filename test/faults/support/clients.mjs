// A worker thread with clients that come, go, stall and come back, and note all that they were given. They speak HTTP/1.1
// over bare sockets, so that a cut falls wherever it falls: in the head, in a chunk, in the middle of a frame.
import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { createRandom } from './random.mjs';

const { port, seed, clients: paths, published, longestAwayMs } = workerData;
const figures = { connections: 0, cutsInFrame: 0, pauses: 0, bytes: 0 };

class Client {
  /** What arrived: `n` of an event, or `-1 - i` for `resets[i]`. */
  record = [];
  resets = [];
  problems = [];
  start = -1;
  lastEventId;
  lastN = 0;
  isEnded = false;
  isStopped = false;
  waitsFor;
  connectionCount = 0;
  socket;

  constructor(path, random) {
    this.path = path;
    this.random = random;
  }

  open() {
    if (this.isStopped) return;
    figures.connections++;
    this.connectionCount++;
    const { random } = this;
    const socket = (this.socket = connect({ port, host: '127.0.0.1' }));
    const calm = this.waitsFor !== undefined;
    this.head = '';
    this.status = undefined;
    this.left = 0;
    this.sizeLine = '';
    this.text = '';
    this.bytesLeft = !calm && random.chance(0.5) ? Math.floor(random.next() ** 3 * 400_000) : Infinity;
    const timers = [];
    const longestMs = random.chance(0.8) ? 2_500 : 10_000;
    if (!calm) timers.push(setTimeout(() => this.cut(), Math.floor(random.next() ** 2 * longestMs)));
    if (random.chance(calm ? 0.2 : 0.5)) {
      const pause = () => {
        figures.pauses++;
        socket.pause();
        timers.push(setTimeout(() => socket.resume(), Math.floor(random.next() ** 2 * 1_500)));
        if (!calm) timers.push(setTimeout(pause, random.int(100, 3_000)));
      };
      timers.push(setTimeout(pause, random.int(0, 500)));
    }
    const from = this.lastEventId === undefined ? '' : `Last-Event-ID: ${this.lastEventId}\r\n`;
    socket.write(`GET ${this.path} HTTP/1.1\r\nHost: localhost\r\n${from}\r\n`);
    socket.on('data', (chunk) => {
      if (socket === this.socket) this.take(chunk.toString('latin1'));
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const timer of timers) clearTimeout(timer);
      if (socket !== this.socket || this.isStopped) return;
      this.socket = undefined;
      if (this.isEnded && this.status === 204) return this.stop();
      this.comeBack();
    });
  }

  comeBack() {
    const { random } = this;
    let away = Math.floor(random.next() ** 3 * 200);
    if (this.waitsFor === undefined && random.chance(0.1)) away = random.int(200, 3_000);
    if (this.waitsFor === undefined && random.chance(0.005)) away = random.int(longestAwayMs / 2, longestAwayMs);
    this.awayTimer = setTimeout(() => this.open(), away);
  }

  cut() {
    if (this.text !== '' || this.left > 0) figures.cutsInFrame++;
    if (this.random.chance(0.3)) this.socket?.resetAndDestroy();
    else this.socket?.destroy();
  }

  take(chunk) {
    figures.bytes += chunk.length;
    let bytes = chunk;
    const isCut = bytes.length > this.bytesLeft;
    if (isCut) bytes = bytes.slice(0, this.bytesLeft);
    this.bytesLeft -= bytes.length;
    if (this.status === undefined) {
      this.head += bytes;
      const end = this.head.indexOf('\r\n\r\n');
      if (end >= 0) {
        this.status = Number(this.head.slice(9, 12));
        if (this.status === 204) return this.socket.destroy();
        if (this.status !== 200) this.problems.push(`status ${this.status}`);
        this.unchunk(this.head.slice(end + 4));
      }
    } else this.unchunk(bytes);
    if (isCut) this.cut();
  }

  /** Hands on the body's bytes as they come, also those of a chunk that is not complete. */
  unchunk(bytes) {
    let at = 0;
    while (at < bytes.length) {
      if (this.left > 2) {
        const body = bytes.slice(at, at + this.left - 2);
        at += body.length;
        this.left -= body.length;
        this.parse(body);
      } else if (this.left > 0) {
        const skipped = Math.min(this.left, bytes.length - at);
        at += skipped;
        this.left -= skipped;
      } else {
        const end = bytes.indexOf('\n', at);
        if (end < 0) {
          this.sizeLine += bytes.slice(at);
          return;
        }
        const size = Number.parseInt(this.sizeLine + bytes.slice(at, end), 16);
        if (!(size >= 0)) this.problems.push(`chunk size ${JSON.stringify(this.sizeLine + bytes.slice(at, end))}`);
        this.sizeLine = '';
        at = end + 1;
        this.left = size + 2;
      }
    }
  }

  parse(body) {
    const from = Math.max(0, this.text.length - 1);
    this.text += body;
    let begin = 0;
    for (let end = this.text.indexOf('\n\n', from); end >= 0; end = this.text.indexOf('\n\n', begin)) {
      this.dispatch(this.text.slice(begin, end));
      begin = end + 2;
    }
    if (begin > 0) this.text = this.text.slice(begin);
  }

  dispatch(frame) {
    let type = '';
    let data;
    for (const line of frame.split('\n')) {
      if (line.startsWith('data: ')) data = data === undefined ? line.slice(6) : `${data}\n${line.slice(6)}`;
      else if (line.startsWith('id: ')) this.lastEventId = line.slice(4);
      else if (line.startsWith('event: ')) type = line.slice(7);
      else if (!line.startsWith(':') && !line.startsWith('retry: ')) this.problems.push(`line ${line.slice(0, 80)}`);
    }
    if (this.start < 0 && this.lastEventId !== undefined) this.start = this.seqOf(this.lastEventId);
    if (type === 'stream.reset') {
      const reset = { ...JSON.parse(data), published: Atomics.load(published, 0), connection: this.connectionCount };
      this.record.push(-1 - this.resets.length);
      this.resets.push(reset);
    } else if (type === 'stream.end') this.isEnded = true;
    else if (type !== '') this.problems.push(`event ${frame.slice(0, 200)}`);
    else if (data !== undefined) this.event(data);
    this.stopWhenDone();
  }

  event(data) {
    const [n, , length] = data.split('|', 3);
    const number = Number(n);
    const pad = data.length - (n.length + 1 + data.indexOf('|', n.length + 1) - n.length - 1 + 1 + length.length + 1);
    if (pad !== Number(length)) this.problems.push(`event ${n} has ${pad} characters of ${length}`);
    if (this.seqOf(this.lastEventId) !== number) this.problems.push(`event ${n} has the id ${this.lastEventId}`);
    this.record.push(number);
    this.lastN = number;
  }

  seqOf(id) {
    return id.startsWith('own-') ? Number(id.slice(4)) : Number.parseInt(id.split('.')[1], 36);
  }

  finish(waitsFor) {
    this.waitsFor = waitsFor;
    this.bytesLeft = Infinity;
    if (this.socket === undefined && this.connectionCount > 0 && !this.isStopped) {
      clearTimeout(this.awayTimer);
      this.open();
    }
    this.stopWhenDone();
  }

  stopWhenDone() {
    if (this.waitsFor === undefined || this.isStopped) return;
    if (this.isEnded || this.lastN >= this.waitsFor || (this.start >= this.waitsFor && this.record.length === 0))
      this.stop();
  }

  stop() {
    this.isStopped = true;
    clearTimeout(this.awayTimer);
    this.socket?.destroy();
    if (clients.every(({ isStopped }) => isStopped)) report();
  }
}

const clients = paths.map((path, index) => new Client(path, createRandom(seed + index)));
for (const client of clients) client.awayTimer = setTimeout(() => client.open(), client.random.int(0, 300));

parentPort.on('message', (message) => {
  if (message === 'report') report();
  else clients.forEach((client, index) => client.finish(message[index]));
});

function report() {
  for (const client of clients) {
    client.isStopped = true;
    client.socket?.destroy();
  }
  parentPort.postMessage({
    figures,
    clients: clients.map(({ record, resets, problems, start, isEnded, lastN, waitsFor }) => ({
      record: Int32Array.from(record),
      resets,
      problems,
      start,
      isEnded,
      isDone: isEnded || lastN >= waitsFor || (start >= waitsFor && record.length === 0),
    })),
  });
}
