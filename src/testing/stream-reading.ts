import { describe } from '../errors.js';
import { type EventStreamParser, createStreamParser } from '../wire/parse.js';

/** An event as a client's listener gets it, those of the module itself (`stream.reset`, …) included. */
export interface StreamEvent {
  /** `message` when the stream names none. */
  readonly type: string;
  readonly data: string;
  /** The last id that the stream gave, with this event or before; empty when there was none. */
  readonly id: string;
  /** The data, read as JSON. Throws when it is none. */
  json(): unknown;
}

/** A stream that is being read. What arrives is kept until it is asked for. */
export interface StreamReading {
  readonly status: number;
  readonly headers: Headers;
  /** What a client would send to resume from here; empty before the stream has given an id. */
  readonly lastEventId: string;
  /** The last `retry:` of the stream, in ms. */
  readonly retryMs: number | undefined;
  readonly comments: readonly string[];
  /** All events that have arrived, whether asked for or not. */
  readonly events: readonly StreamEvent[];
  /** The next event that has not been asked for yet; `undefined` at the end of the stream. */
  next(): Promise<StreamEvent | undefined>;
  /** The next `count` events. Rejects when the stream ends before. */
  take(count: number): Promise<StreamEvent[]>;
  /** The next events up to and with the first for which `predicate` holds. Rejects when the stream ends before. */
  until(predicate: (event: StreamEvent) => boolean): Promise<StreamEvent[]>;
  /** The rest of the events, once the server has ended the stream. */
  end(): Promise<StreamEvent[]>;
  /** All text that has arrived. */
  text(): string;
  /** Leaves, as a client does that closes its tab. Idempotent. */
  close(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ReadingSetup {
  /** What was asked for, for messages. */
  readonly label: string;
  readonly timeoutMs: number;
  /** Ends the response. */
  readonly closing: AbortController;
  /** Aborted when the response was ended here. */
  readonly left: AbortSignal;
  readonly lastEventId: string | undefined;
}

/** How many events an error message lists, from the last one back. */
const MAX_LISTED = 10;

/** @internal */
export class LiveReading implements StreamReading {
  readonly status: number;
  readonly headers: Headers;
  readonly comments: string[] = [];
  readonly events: StreamEvent[] = [];
  retryMs: number | undefined;
  lastEventId: string;

  readonly #setup: ReadingSetup;
  readonly #done: Promise<void>;
  readonly #waiting = new Set<() => void>();
  #text = '';
  #taken = 0;
  #isOver = false;
  /** What broke the stream off, unless it was closed here. */
  #failure: Error | undefined;

  constructor(response: Response, setup: ReadingSetup) {
    this.status = response.status;
    this.headers = response.headers;
    this.#setup = setup;
    this.lastEventId = setup.lastEventId ?? '';
    const parser = createStreamParser(
      {
        onEvent: ({ type, data, lastEventId }) => {
          this.events.push({ type, data, id: lastEventId, json: () => JSON.parse(data) as unknown });
          this.lastEventId = lastEventId;
        },
        onRetry: (retryMs) => (this.retryMs = retryMs),
        onComment: (text) => this.comments.push(text),
        onCursor: (id) => (this.lastEventId = id),
      },
      { lastEventId: setup.lastEventId },
    );
    this.#done = this.#read(response, parser);
  }

  get isEventStream(): boolean {
    return this.status === 200 && (this.headers.get('content-type') ?? '').startsWith('text/event-stream');
  }

  /** Resolves with the first bytes. */
  async begun(): Promise<void> {
    await this.#when('the first bytes', () => this.#text !== '' || this.#isOver);
  }

  async next(): Promise<StreamEvent | undefined> {
    await this.#when('the next event', () => this.events.length > this.#taken || this.#isOver);
    if (this.events.length === this.#taken && this.#failure !== undefined) throw this.#failure;
    return this.#takeUpTo(this.#taken + 1)[0];
  }

  async take(count: number): Promise<StreamEvent[]> {
    const end = this.#taken + count;
    const what = `${count} events`;
    await this.#when(what, () => this.events.length >= end || this.#isOver);
    if (this.events.length < end) throw this.#endedBefore(what);
    return this.#takeUpTo(end);
  }

  async until(predicate: (event: StreamEvent) => boolean): Promise<StreamEvent[]> {
    const what = 'the event that until() describes';
    let at = this.#taken;
    const isFound = (): boolean => {
      for (; at < this.events.length; at++) if (predicate(this.events[at] as StreamEvent)) return true;
      return false;
    };
    await this.#when(what, () => isFound() || this.#isOver);
    if (at === this.events.length) throw this.#endedBefore(what);
    return this.#takeUpTo(at + 1);
  }

  async end(): Promise<StreamEvent[]> {
    await this.#when('the end of the stream', () => this.#isOver);
    if (this.#failure !== undefined) throw this.#failure;
    return this.#takeUpTo(this.events.length);
  }

  text(): string {
    return this.#text;
  }

  close(): void {
    this.#setup.closing.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#done;
  }

  async #read(response: Response, parser: EventStreamParser): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body ?? []) {
        this.#text += decoder.decode(chunk, { stream: true });
        if (this.isEventStream) parser.push(chunk);
        this.#wake();
      }
    } catch (cause) {
      if (!this.#setup.left.aborted) {
        this.#failure = new Error(`readStream: ${this.#setup.label} broke off; ${this.#received()}`, { cause });
      }
    }
    this.#isOver = true;
    this.#wake();
  }

  #wake(): void {
    for (const look of [...this.#waiting]) look();
  }

  #when(what: string, holds: () => boolean): Promise<void> {
    const { label, timeoutMs } = this.#setup;
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        this.#waiting.delete(look);
        clearTimeout(timer);
        finish();
      };
      const look = (): void => {
        try {
          if (holds()) settle(resolve);
        } catch (error) {
          // Thrown by the caller's own predicate.
          settle(() => reject(error instanceof Error ? error : new Error(String(error))));
        }
      };
      const timer = setTimeout(() => {
        const message = `readStream: waited ${timeoutMs} ms for ${what} of ${label}; ${this.#received()}`;
        settle(() => reject(new Error(message)));
      }, timeoutMs);
      this.#waiting.add(look);
      look();
    });
  }

  #takeUpTo(end: number): StreamEvent[] {
    const taken = this.events.slice(this.#taken, end);
    this.#taken += taken.length;
    return taken;
  }

  #endedBefore(what: string): Error {
    return this.#failure ?? new Error(`readStream: ${this.#setup.label} ended before ${what}; ${this.#received()}`);
  }

  #received(): string {
    const { events, status } = this;
    if (!this.isEventStream) return `the answer was ${status} ${describe(this.#text)}`;
    const listed = events
      .slice(-MAX_LISTED)
      .map(({ type, data, id }) => `${type} ${describe(data)} (id ${describe(id)})`);
    const which = listed.length < events.length ? `, the last ${listed.length}` : '';
    const list = listed.length > 0 ? `:\n${listed.join('\n')}` : '';
    return `received ${events.length} events${which}, ${this.#taken} of them asked for${list}`;
  }
}
