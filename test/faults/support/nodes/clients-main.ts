// The process of the clients: they come, hop from node to node, pause, are cut in the middle of a frame, and note all
// that they were given.
import { type IncomingMessage, get } from 'node:http';
import { createRandom, type Random } from '../random.mjs';
import { answer } from './answer.js';
import { FIELDS } from './verify.js';
import type { ClientOptions, ClientReport, Progress, ReceivedReset } from './clients.js';

let ports: readonly number[] = [];
let clients: Client[] = [];
let isCalm = false;

class Client {
  readonly #path: string;
  readonly #random: Random;
  readonly resets: ReceivedReset[] = [];
  readonly problems: string[] = [];
  readonly figures = { connections: 0, hops: 0, cutsInFrame: 0, pauses: 0, refused: 0 };
  lastEventId = '';
  start = '';
  #record = new Float64Array(FIELDS * 1_024);
  #count = 0;
  readonly #epochs: string[] = [];
  #isAway = false;
  #port = 0;
  #close: (() => void) | undefined;
  #returning: NodeJS.Timeout | undefined;
  #text = '';

  constructor({ path, seed }: ClientOptions) {
    this.#path = path;
    this.#random = createRandom(seed);
  }

  get count(): number {
    return this.#count / FIELDS;
  }

  report(): ClientReport {
    const { start, resets, problems, figures } = this;
    return { start, resets, problems, figures, epochs: this.#epochs, record: this.#record.slice(0, this.#count) };
  }

  /** Leaves, until `open` is called. */
  leave(): void {
    this.#isAway = true;
    clearTimeout(this.#returning);
    this.#close?.();
  }

  open(): void {
    clearTimeout(this.#returning);
    if (this.#close !== undefined) return;
    this.#isAway = false;
    const random = this.#random;
    const port = random.pick(ports);
    if (this.#port !== 0 && port !== this.#port) this.figures.hops++;
    this.#port = port;
    this.figures.connections++;
    this.#text = '';
    const timers: NodeJS.Timeout[] = [];
    let bytesLeft = !isCalm && random.chance(0.4) ? Math.floor(random.next() ** 3 * 300_000) : Infinity;
    let isOver = false;
    const headers = this.lastEventId === '' ? {} : { 'last-event-id': this.lastEventId };
    const request = get({ port, host: '127.0.0.1', path: this.#path, headers, agent: false });
    const over = (): void => {
      if (isOver) return;
      isOver = true;
      this.#close = undefined;
      for (const timer of timers) clearTimeout(timer);
      request.destroy();
      if (!this.#isAway) this.#returning = setTimeout(() => this.open(), isCalm ? 50 : random.next() ** 3 * 800);
    };
    const cut = (): void => {
      if (this.#text !== '') this.figures.cutsInFrame++;
      over();
    };
    this.#close = over;
    if (!isCalm) timers.push(setTimeout(cut, random.next() ** 2 * 5_000));
    request.on('error', over);
    request.on('response', (response: IncomingMessage) => {
      if (response.statusCode !== 200) {
        this.figures.refused++;
        if (response.statusCode !== 503) this.problems.push(`status ${response.statusCode}`);
        return over();
      }
      response.on('error', over);
      response.on('close', over);
      response.on('data', (chunk: Buffer) => {
        if (isOver) return;
        const isCut = chunk.length > bytesLeft;
        this.#take((isCut ? chunk.subarray(0, bytesLeft) : chunk).toString('latin1'));
        bytesLeft -= chunk.length;
        if (isCut) cut();
      });
      if (!isCalm && random.chance(0.4)) {
        timers.push(setTimeout(() => this.#pause(response, timers), random.int(0, 1_000)));
      }
    });
  }

  #pause(response: IncomingMessage, timers: NodeJS.Timeout[]): void {
    this.figures.pauses++;
    response.pause();
    timers.push(setTimeout(() => response.resume(), this.#random.next() ** 2 * 1_500));
  }

  #take(bytes: string): void {
    const from = Math.max(0, this.#text.length - 1);
    this.#text += bytes;
    let begin = 0;
    for (let end = this.#text.indexOf('\n\n', from); end >= 0; end = this.#text.indexOf('\n\n', begin)) {
      this.#dispatch(this.#text.slice(begin, end));
      begin = end + 2;
    }
    if (begin > 0) this.#text = this.#text.slice(begin);
  }

  #dispatch(frame: string): void {
    let type = '';
    let data: string | undefined;
    for (const line of frame.split('\n')) {
      if (line.startsWith('data: ')) data = line.slice(6);
      else if (line.startsWith('id: ')) this.lastEventId = line.slice(4);
      else if (line.startsWith('event: ')) type = line.slice(7);
      else if (!line.startsWith(':') && !line.startsWith('retry: ')) this.problems.push(`line ${line.slice(0, 80)}`);
    }
    if (this.start === '' && type === '') {
      this.start = this.lastEventId;
      if (data !== undefined) this.problems.push(`began with an event: ${this.lastEventId}`);
    }
    if (type === 'stream.reset')
      this.resets.push({ ...JSON.parse(data ?? ''), after: this.count, isFirst: this.start === '' });
    else if (type !== '' && type !== 'stream.end') this.problems.push(`event ${frame.slice(0, 200)}`);
    else if (type === '' && data !== undefined) this.#note(data);
  }

  #note(data: string): void {
    const [publisher = '', n = '', topic = '', padding = ''] = data.split('|', 4);
    const length = data.length - [publisher, n, topic, padding].join('|').length - 1;
    if (length !== Number(padding)) this.problems.push(`${this.lastEventId} has ${length} characters of ${padding}`);
    const [epoch = '', seq = '', at = ''] = this.lastEventId.split('.');
    if (this.#epochs.at(-1) !== epoch) this.#epochs.push(epoch);
    if (this.#count + FIELDS > this.#record.length) {
      const larger = new Float64Array(2 * this.#record.length);
      larger.set(this.#record);
      this.#record = larger;
    }
    const noted = [this.#epochs.length - 1, Number.parseInt(seq, 36), Number.parseInt(at, 36), publisher, n];
    for (const value of noted) this.#record[this.#count++] = Number(value);
  }
}

const functions = {
  create(options: readonly ClientOptions[]): void {
    clients = options.map((each) => new Client(each));
  },
  find(given: readonly number[]): void {
    ports = given;
  },
  open(which: readonly number[]): void {
    for (const n of which) clients[n]!.open();
  },
  leave(which: readonly number[]): void {
    for (const n of which) clients[n]!.leave();
  },
  calm(): void {
    isCalm = true;
  },
  progress: (): Progress[] => clients.map(({ start, lastEventId }) => ({ start, lastEventId })),
  report: (n: number): ClientReport => clients[n]!.report(),
};

export type ClientsFunctions = typeof functions;

answer(functions);
