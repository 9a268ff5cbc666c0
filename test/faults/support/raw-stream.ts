import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createParser, type EventSourceMessage } from 'eventsource-parser';

/** One stream over a bare socket, so that a test decides when it is read and how it is cut. Speaks HTTP/1.0: no chunks. */
export class RawStream implements AsyncDisposable {
  readonly socket: Socket;
  /** All that was parsed, the module's own events included. */
  readonly messages: EventSourceMessage[] = [];
  /** The newest id, also of frames without an event. */
  lastEventId: string | undefined;
  bytes = 0;
  status: number | undefined;
  #head = '';
  #ended = false;
  #look: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    const parser = createParser({ onEvent: (message) => void this.messages.push(message) });
    const ids = /(?:^|\n)id: ([^\n]*)\n/g;
    socket.setEncoding('utf8');
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#ended = true;
      this.#look?.();
    });
    socket.on('data', (text: string) => {
      this.bytes += text.length;
      let body = text;
      if (this.status === undefined) {
        this.#head += text;
        const end = this.#head.indexOf('\r\n\r\n');
        if (end < 0) return;
        this.status = Number(this.#head.slice(9, 12));
        body = this.#head.slice(end + 4);
      }
      // Good enough here: these tests never have an id line cut in two by a chunk where its value matters.
      for (const [, id] of body.matchAll(ids)) this.lastEventId = id;
      parser.feed(body);
      this.#look?.();
    });
  }

  static async open(port: number, path: string, headers: Record<string, string> = {}): Promise<RawStream> {
    const socket = connect({ port, host: '127.0.0.1' });
    const stream = new RawStream(socket);
    await once(socket, 'connect');
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET ${path} HTTP/1.0\r\nHost: localhost\r\n${lines.join('')}\r\n`);
    return stream;
  }

  get isOver(): boolean {
    return this.#ended;
  }

  /** The data of the application's own events, in the order of their arrival. */
  get data(): string[] {
    return this.messages.filter(({ event }) => event?.startsWith('stream.') !== true).map(({ data }) => data);
  }

  get resets(): { reason: string; topics: string[] }[] {
    return this.messages.filter(({ event }) => event === 'stream.reset').map(({ data }) => JSON.parse(data));
  }

  /** Waits until a condition holds; looks again whenever something arrives. */
  async until(holds: (stream: this) => boolean, timeoutMs = 10_000): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const settle = (settled: () => void): void => {
        clearTimeout(timer);
        this.#look = undefined;
        settled();
      };
      const fail = (why: string): void => {
        const last = JSON.stringify(this.messages.slice(-3)).slice(0, 300);
        settle(() =>
          reject(new Error(`${why}: ${holds.toString()} (${this.messages.length} messages, ending in ${last})`)),
        );
      };
      const timer = setTimeout(() => fail(`Not within ${timeoutMs} ms`), timeoutMs);
      this.#look = () => {
        if (holds(this)) settle(resolve);
        else if (this.#ended) fail('The stream ended');
      };
      this.#look();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    this.socket.destroy();
    await once(this.socket, 'close');
  }
}
