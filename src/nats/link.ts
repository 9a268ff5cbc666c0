import { randomUUID } from 'node:crypto';
import { DeadlineError, backOffMs, before, pause } from '../engine/kit/deadline.js';
import { SseError } from '../errors.js';
import { loadDriver } from './driver.js';
import type { NatsConnection, NatsDriver, NatsMessage, NatsStatus, NatsSubscription } from './driver.js';
import type { NatsSettings } from './options.js';

/** One request on its way. `deadline` is of `performance.now()`. */
export interface Call {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly deadline: number;
  /** Of an event: with what the server recognises it by when it is sent twice. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How often it has been handed to the connection; counted by the link. */
  sends: number;
  /** When it was last, by `performance.now()`. */
  sentAt?: number;
}

export interface LinkEvents {
  /** Whatever is published from now on may be lost to the subscriptions. */
  down(error: unknown): void;
  /** The server knows the subscriptions again. */
  up(): void;
}

interface Waiting {
  readonly call: Call;
  readonly resolve: (reply: NatsMessage) => void;
  readonly reject: (error: unknown) => void;
}

const DEFAULT_MAX_PAYLOAD = 1_048_576;
const MIN_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 2_000;
/** How often a question is asked before its time is over. */
const REPEATS = 5;

/**
 * One connection, and what is asked over it. What is unanswered when the connection breaks is sent again on the next one,
 * in the order of the first time.
 */
export class NatsLink {
  readonly #settings: NatsSettings;
  readonly #events: LinkEvents;
  readonly #inbox: string;
  readonly #waiting = new Map<number, Waiting>();
  readonly #closing = new AbortController();
  #count = 0;
  #driver: NatsDriver | undefined;
  #connection: NatsConnection | undefined;
  #replies: NatsSubscription | undefined;
  #opening: Promise<void> | undefined;
  #isUp = false;
  /** Why the link will never work again. */
  #failure: Error | undefined;
  /** What the server has complained about last, or why there is no connection. */
  #complaint: Error | undefined;
  #sweeper: NodeJS.Timeout | undefined;
  #prober: NodeJS.Timeout | undefined;
  #stopStatus: (() => void) | undefined;

  constructor(settings: NatsSettings, events: LinkEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#inbox = `${settings.inboxPrefix}.${randomUUID().replaceAll('-', '')}`;
  }

  /** How many bytes a message may have, with its headers: what the server says, or else its default. */
  get maxPayload(): number {
    return this.#connection?.info?.max_payload ?? DEFAULT_MAX_PAYLOAD;
  }

  /** Sends now, or as soon as there is a connection. Rejects with a `DeadlineError`, or when the link is closed. */
  request(call: Call): Promise<NatsMessage> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return void reject(this.#failure);
      const n = ++this.#count;
      this.#waiting.set(n, { call, resolve, reject });
      this.#sweeper ??= setInterval(() => this.#sweep(), Math.max(5, this.#settings.timeoutMs / 20));
      if (this.#isUp) this.#send(n, call);
      else this.#open();
    });
  }

  /** Subscribes on this connection and those after it. Gives what ends it; `undefined` while there is no connection. */
  subscribe(subject: string, callback: (message: NatsMessage) => void): NatsSubscription | undefined {
    return this.#connection?.subscribe(subject, {
      // An error ends the subscription, which `isClosed` then tells.
      callback: (error, message) => void (error === null && callback(message)),
    });
  }

  /** Sends once, whatever comes of it. */
  publish(subject: string, data: Uint8Array, reply?: string): void {
    this.#connection?.publish(subject, data, reply === undefined ? {} : { reply });
  }

  /** A subject that nobody else uses, outside of those of {@link request}. */
  createInbox(): string {
    return `${this.#inbox}.s.${++this.#count}`;
  }

  /** Resolves once there is a connection. */
  async opened(deadline: number): Promise<void> {
    this.#open();
    if (this.#connection === undefined) await before(deadline, this.#opening);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves once the server has handled everything that was sent to it before. */
  async flush(deadline: number): Promise<void> {
    await this.opened(deadline);
    await before(deadline, this.#connection?.flush());
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#fail(this.#settings.failures.closed());
    this.#isUp = false;
    clearInterval(this.#prober);
    this.#stopStatus?.();
    this.#replies?.unsubscribe();
    if (this.#isOwn) await this.#connection?.close();
    await this.#opening;
  }

  #clean(error: unknown): Error {
    return this.#settings.failures.clean(error);
  }

  get #isOwn(): boolean {
    return 'options' in this.#settings.source;
  }

  #send(n: number, call: Call): void {
    try {
      const headers = call.headers && this.#driver?.headers();
      for (const [name, value] of Object.entries(call.headers ?? {})) headers?.set(name, value);
      const reply = `${this.#inbox}.${n}`;
      this.#connection?.publish(call.subject, call.data, headers === undefined ? { reply } : { reply, headers });
      call.sends++;
      call.sentAt = performance.now();
    } catch (error) {
      this.#settle(n)?.reject(this.#clean(error));
    }
  }

  #settle(n: number): Waiting | undefined {
    const waiting = this.#waiting.get(n);
    this.#waiting.delete(n);
    if (this.#waiting.size === 0) {
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
    }
    return waiting;
  }

  #sweep(): void {
    const now = performance.now();
    const old = now - this.#settings.timeoutMs / REPEATS;
    for (const [n, { call }] of [...this.#waiting]) {
      if (call.deadline <= now) this.#settle(n)?.reject(this.#late(call));
      // A stream that is deleted, or changes its leader, leaves questions unanswered. Appends would lose their order.
      else if (this.#isUp && call.headers === undefined && (call.sentAt ?? now) < old) this.#send(n, call);
    }
  }

  /** A question that is not permitted gets no answer; what the server says of it is told to the connection only. */
  #late({ subject }: Call): DeadlineError {
    const hint = this.#complaint === undefined ? '' : `; what went wrong last: ${this.#complaint.message}`;
    return new DeadlineError(`No answer in time on ${subject}${hint}`, { cause: this.#complaint });
  }

  #fail(failure: Error): void {
    this.#failure = failure;
    for (const n of [...this.#waiting.keys()]) this.#settle(n)?.reject(failure);
  }

  #open(): void {
    if (this.#connection === undefined) this.#opening ??= this.#connect().finally(() => (this.#opening = undefined));
  }

  async #connect(): Promise<void> {
    for (let attempt = 0; !this.#closing.signal.aborted; attempt++) {
      try {
        this.#driver ??= await loadDriver();
        return await this.#adopt(await this.#dial(this.#driver));
      } catch (error) {
        if (SseError.is(error)) return this.#fail(error);
        this.#complaint = this.#clean(error);
        await pause(backOffMs(attempt, MIN_BACKOFF_MS, MAX_BACKOFF_MS), this.#closing.signal);
      }
    }
  }

  async #dial({ connect }: NatsDriver): Promise<NatsConnection> {
    const { source, timeoutMs } = this.#settings;
    if ('connection' in source) return source.connection;
    return connect({
      name: 'nestjs-event-stream',
      maxReconnectAttempts: -1,
      reconnectTimeWait: 200,
      reconnectJitter: 200,
      timeout: timeoutMs,
      ...source.options,
    });
  }

  async #adopt(connection: NatsConnection): Promise<void> {
    if (this.#closing.signal.aborted) return this.#isOwn ? connection.close() : undefined;
    this.#connection = connection;
    void this.#watch(connection);
    void connection.closed().then(
      (error) => this.#onClosed(error),
      (error: unknown) => this.#onClosed(error),
    );
    this.#replies = this.subscribe(`${this.#inbox}.*`, (message) => this.#onReply(message));
    this.#prober ??= setInterval(() => void this.#probe(), this.#settings.probeMs).unref();
    this.#onUp();
  }

  async #watch(connection: NatsConnection): Promise<void> {
    const events = connection.status() as AsyncIterable<NatsStatus> & { stop?(): void };
    // The only way to end the iteration of a connection that lives on: `return()` would wait for its next event.
    this.#stopStatus = () => events.stop?.();
    for await (const { type, error } of events) {
      if (type === 'error') this.#complaint = this.#clean(error);
      if (type === 'disconnect') this.#onDown(new Error('The connection to NATS was lost'));
      if (type === 'reconnect') this.#onUp();
    }
  }

  #onReply(message: NatsMessage): void {
    this.#settle(Number(message.subject.slice(this.#inbox.length + 1)))?.resolve(message);
  }

  #onUp(): void {
    if (this.#closing.signal.aborted) return;
    this.#isUp = true;
    this.#complaint = undefined;
    for (const [n, { call }] of [...this.#waiting]) this.#send(n, call);
    this.#events.up();
  }

  #onDown(error: unknown): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    this.#events.down(error);
  }

  /** A connection that is closed for good: one of our own is replaced, the user's is not ours to replace. */
  #onClosed(reason: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.#onDown(reason === undefined ? new Error('The connection to NATS was closed') : this.#clean(reason));
    if (this.#isOwn) {
      this.#connection = undefined;
      return this.#open();
    }
    const cause = reason instanceof Error ? reason : undefined;
    this.#fail(this.#settings.failures.failed('go on', cause, 'the connection that was given has been closed'));
  }

  /** A connection may be dead without a sign: then it is made anew, which the client's own pings do only after minutes. */
  async #probe(): Promise<void> {
    const connection = this.#connection;
    if (!this.#isUp || connection === undefined) return;
    try {
      await before(performance.now() + this.#settings.probeMs / 2, connection.flush());
    } catch (error) {
      if (this.#closing.signal.aborted || !(error instanceof DeadlineError)) return;
      this.#onDown(error);
      // The client goes on by itself from here, and tells `reconnect`.
      await connection.reconnect().catch(() => undefined);
    }
  }
}
