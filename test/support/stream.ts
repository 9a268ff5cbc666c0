import { connect, constants } from 'node:http2';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type EventSourceMessage, createParser } from 'eventsource-parser';

/** An event as a client's listener gets it, and what it remembers of it. */
export interface ReceivedEvent {
  readonly data: string;
  readonly type?: string;
  readonly id?: string;
}

/** An answer, read with a parser that is not ours, chunk by chunk and only when somebody asks. */
export class Stream {
  readonly status: number;
  readonly headers: Headers;
  /** Everything received so far, as it was on the wire. */
  text = '';
  readonly comments: string[] = [];
  readonly retries: number[] = [];
  isEnded = false;
  /** What ended the body before it was complete. */
  error: unknown;

  readonly #chunks: AsyncIterator<string>;
  readonly #leave: () => void;
  readonly #queue: ReceivedEvent[] = [];
  readonly #parser = createParser({
    onEvent: (event) => this.#queue.push(toReceived(event)),
    onComment: (comment) => this.comments.push(comment),
    onRetry: (retry) => this.retries.push(retry),
  });

  constructor(status: number, headers: Headers, chunks: AsyncIterator<string>, leave: () => void) {
    this.status = status;
    this.headers = headers;
    this.#chunks = chunks;
    this.#leave = leave;
  }

  /** What a client would send as `Last-Event-ID` now. */
  get lastEventId(): string | undefined {
    return [...this.text.matchAll(/^id: ?(.*)$/gm)].at(-1)?.[1];
  }

  /** The next event, or `undefined` when the body is over. */
  async next(): Promise<ReceivedEvent | undefined> {
    while (this.#queue.length === 0 && (await this.#read()));
    return this.#queue.shift();
  }

  async take(count: number): Promise<ReceivedEvent[]> {
    const events: ReceivedEvent[] = [];
    while (events.length < count) {
      const event = await this.next();
      if (event === undefined) break;
      events.push(event);
    }
    return events;
  }

  /** All events until the body is over. */
  async rest(): Promise<ReceivedEvent[]> {
    return this.take(Infinity);
  }

  /** Reads until the raw text has this in it. */
  async receive(wanted: string | RegExp): Promise<void> {
    const isThere = (): boolean => (typeof wanted === 'string' ? this.text.includes(wanted) : wanted.test(this.text));
    while (!isThere()) {
      if (!(await this.#read()))
        throw new Error(`The body ended without ${String(wanted)}: ${this.text.slice(-500)}`, { cause: this.error });
    }
  }

  /** The whole body. */
  async body(): Promise<string> {
    while (await this.#read());
    return this.text;
  }

  /** The client goes away, without a word. */
  leave(): void {
    this.isEnded = true;
    this.#leave();
  }

  async #read(): Promise<boolean> {
    if (this.isEnded) return false;
    try {
      const { value, done } = await this.#chunks.next();
      if (done === true) this.isEnded = true;
      else this.#take(value);
    } catch (error) {
      this.error = error;
      this.isEnded = true;
    }
    return !this.isEnded;
  }

  #take(chunk: string): void {
    this.text += chunk;
    this.#parser.feed(chunk);
  }
}

export async function openFetch(url: string, init: RequestInit): Promise<Stream> {
  const leaving = new AbortController();
  const signal = AbortSignal.any([leaving.signal, ...(init.signal ? [init.signal] : [])]);
  const response = await fetch(url, { redirect: 'manual', ...init, signal });
  return new Stream(response.status, response.headers, decoded(response.body?.getReader()), () => leaving.abort());
}

/** Of a reader, because a body that nobody has a reader of is cancelled when its response is garbage: undici then ends it. */
async function* decoded(reader: ReadableStreamDefaultReader<Uint8Array> | undefined): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  for (let result = await reader?.read(); result?.done === false; result = await reader?.read()) {
    yield decoder.decode(result.value, { stream: true });
  }
}

export async function openHttp2(url: string, init: RequestInit): Promise<Stream> {
  const { origin, pathname, search } = new URL(url);
  const session = connect(origin);
  const given = Object.fromEntries(new Headers(init.headers));
  const asked = { ...given, ':method': init.method ?? 'GET', ':path': pathname + search };
  const request = session.request(asked, init.signal ? { signal: init.signal } : {});
  // A reset, and a body that it cuts, are seen by who reads the body.
  session.on('error', () => undefined);
  request.end(init.body ?? undefined);
  const received = await new Promise<Record<string, unknown>>((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
    request.once('close', () => reject(new Error('The stream was closed without an answer')));
  }).catch((error: unknown) => {
    session.destroy();
    throw error;
  });
  const headers = new Headers();
  for (const [name, value] of Object.entries(received)) {
    if (!name.startsWith(':')) for (const one of [value].flat()) headers.append(name, String(one));
  }
  request.once('close', () => session.close());
  const body: Readable = headers.get('content-encoding') === 'gzip' ? request.pipe(createGunzip()) : request;
  body.setEncoding('utf8').on('error', () => undefined);
  return new Stream(Number(received[':status']), headers, body[Symbol.asyncIterator]() as AsyncIterator<string>, () => {
    request.close(constants.NGHTTP2_CANCEL);
    session.destroy();
  });
}

function toReceived({ data, event, id }: EventSourceMessage): ReceivedEvent {
  return { data, ...(event !== undefined && { type: event }), ...(id !== undefined && { id }) };
}
