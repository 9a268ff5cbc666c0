import { EVERY_TOPIC } from '../engine/engine.js';
import type { EngineSink } from '../engine/engine.js';
import { backOffMs, pause, within } from '../engine/kit/deadline.js';
import type { EngineFailures } from '../engine/kit/failure.js';
import { decodeMessage } from './codec.js';
import type { Subscriber } from './driver.js';
import { RedisProbe } from './probe.js';

/** What the live delivery needs of the engine. */
export interface LiveOptions {
  readonly sink: EngineSink;
  readonly failures: EngineFailures;
  readonly timeoutMs: number;
  readonly probeMs: number;
  /** Makers of a subscriber, to be tried in turn. */
  readonly subscribers: () => Promise<readonly (() => Subscriber)[]>;
  readonly channelOf: (topic: string) => string;
  readonly probeChannel: string;
  /** Publishes to the channel of the probe, not over the subscriber. */
  readonly publishProbe: (message: Buffer) => Promise<unknown>;
}

/** What has been asked for with one call. */
export interface Subscription {
  /** Resolves when all is subscribed to; stays open while that does not succeed. */
  readonly confirmed: Promise<void>;
  /** Takes it back, but for what somebody else has asked for too. */
  undo(): void;
}

interface Waiting {
  readonly ticket: number;
  readonly resolve: () => void;
  readonly onTrouble: (error: unknown) => void;
}

/** The most channels that one command names: a server does nothing else while it works on it. */
const MAX_CHANNELS = 512;

const MIN_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 2_000;

/** Keeps one connection on which everything that is wanted is subscribed to, and replaces it when it is lost. */
export class RedisLive {
  readonly #options: LiveOptions;
  readonly #closing = new AbortController();
  /** The topics, each with the ticket of the call that has asked for it last. */
  readonly #wanted = new Map<string, number>();
  /** What the connection is subscribed to. */
  readonly #active = new Set<string>();
  /** What may be wanted and not active, or the other way around. */
  readonly #changed = new Set<string>();
  #waiting: Waiting[] = [];
  #ticket = 0;
  #subscriber: Subscriber | undefined;
  /** The connection that deliveries are taken from: also while the first one is made, so that none is missed. */
  #source: Subscriber | undefined;
  #isConnecting = false;
  #isSyncing = false;
  #isInterrupted = false;
  #probe: RedisProbe | undefined;

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  /** Asks for topics; `onTrouble` is told why that takes longer. */
  subscribe(topics: readonly string[], onTrouble: (error: unknown) => void): Subscription {
    const ticket = ++this.#ticket;
    const added = topics.filter((topic) => !this.#wanted.has(topic));
    for (const topic of topics) {
      this.#wanted.set(topic, ticket);
      this.#changed.add(topic);
    }
    const confirmed = new Promise<void>((resolve) => this.#waiting.push({ ticket, resolve, onTrouble }));
    void this.#connect();
    void this.#sync();
    const undo = (): void => {
      this.#waiting = this.#waiting.filter((each) => each.ticket !== ticket);
      this.unsubscribe(added.filter((topic) => this.#wanted.get(topic) === ticket));
    };
    return { confirmed, undo };
  }

  unsubscribe(topics: readonly string[]): void {
    for (const topic of topics) if (this.#wanted.delete(topic)) this.#changed.add(topic);
    void this.#sync();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#probe?.stop();
    this.#waiting = [];
    this.#wanted.clear();
    this.#changed.clear();
    await this.#source?.close();
    this.#subscriber = undefined;
  }

  /** The one loop that connects. */
  async #connect(): Promise<void> {
    if (this.#isConnecting || this.#subscriber !== undefined) return;
    this.#isConnecting = true;
    for (let attempt = 0; !this.#closing.signal.aborted && this.#subscriber === undefined; attempt++) {
      try {
        await this.#open();
      } catch (error) {
        if (this.#closing.signal.aborted) break;
        this.#interrupt(error);
        for (const { onTrouble } of this.#waiting) onTrouble(error);
        await pause(backOffMs(attempt, MIN_BACKOFF_MS, MAX_BACKOFF_MS), this.#closing.signal);
      }
    }
    this.#isConnecting = false;
    void this.#sync();
  }

  async #open(): Promise<void> {
    let failure: unknown = new Error('There is no server to connect to');
    for (const create of await within(this.#options.subscribers(), this.#options.timeoutMs, 'finding the server')) {
      const subscriber = create();
      try {
        await this.#prepare(subscriber);
        return;
      } catch (error) {
        void subscriber.close();
        failure = error;
        if (this.#closing.signal.aborted) break;
      }
    }
    throw failure;
  }

  /** Connects, subscribes to all that is wanted, and says so. */
  async #prepare(subscriber: Subscriber): Promise<void> {
    const { timeoutMs, probeChannel, probeMs, publishProbe, sink } = this.#options;
    this.#source = subscriber;
    let lost: { error: unknown } | undefined;
    const onLost = (error: unknown): void => {
      lost ??= { error };
      if (this.#subscriber === subscriber) this.#replace(error);
    };
    const probe = new RedisProbe({ subscriber, probeMs, publish: publishProbe, onLost });
    const onMessage = (message: Buffer): void => {
      if (!probe.take(message)) this.#deliver(subscriber, message);
    };
    await within(subscriber.connect(onMessage, onLost), timeoutMs, 'connecting');
    await within(subscriber.subscribe([probeChannel]), timeoutMs, 'subscribing');
    this.#active.clear();
    for (const topic of this.#wanted.keys()) this.#changed.add(topic);
    const ticket = await this.#exchange(subscriber);
    await probe.check();
    if (lost !== undefined) throw lost.error;
    if (this.#closing.signal.aborted) throw new Error('The engine has been closed');
    this.#subscriber = subscriber;
    if (this.#isInterrupted) {
      this.#isInterrupted = false;
      sink.resumed();
    }
    probe.start();
    this.#probe = probe;
    this.#settle(ticket);
  }

  /** Brings the connection to what is wanted, one change after the other. */
  async #sync(): Promise<void> {
    // So that what is changed in one go is sent in one go.
    await Promise.resolve();
    const subscriber = this.#subscriber;
    if (subscriber === undefined || this.#isSyncing || this.#isConnecting) return;
    this.#isSyncing = true;
    try {
      while (this.#subscriber === subscriber && (this.#changed.size > 0 || this.#waiting.length > 0)) {
        this.#settle(await this.#exchange(subscriber));
      }
    } catch (error) {
      if (this.#subscriber === subscriber) this.#replace(error);
    }
    this.#isSyncing = false;
    if (this.#changed.size > 0 || this.#waiting.length > 0) void this.#sync();
  }

  /** Sends what has changed, and gives the ticket up to which all is subscribed to when the server has confirmed it. */
  async #exchange(subscriber: Subscriber): Promise<number> {
    const ticket = this.#ticket;
    const changed = [...this.#changed];
    this.#changed.clear();
    const added = changed.filter((topic) => this.#wanted.has(topic) && !this.#active.has(topic));
    const removed = changed.filter((topic) => !this.#wanted.has(topic) && this.#active.has(topic));
    for (const topic of added) this.#active.add(topic);
    for (const topic of removed) this.#active.delete(topic);
    const { channelOf, timeoutMs } = this.#options;
    const confirmed = [
      ...batches(added).map((topics) => subscriber.subscribe(topics.map(channelOf))),
      ...batches(removed).map((topics) => subscriber.unsubscribe(topics.map(channelOf))),
    ];
    await within(Promise.all(confirmed), timeoutMs, 'subscribing');
    return ticket;
  }

  #settle(ticket: number): void {
    const waiting = this.#waiting;
    this.#waiting = waiting.filter((each) => each.ticket > ticket);
    for (const each of waiting) if (each.ticket <= ticket) each.resolve();
  }

  #deliver(subscriber: Subscriber, bytes: Buffer): void {
    if (this.#source !== subscriber || this.#isInterrupted) return;
    const message = decodeMessage(bytes);
    if (message === undefined) return;
    const topic = message.kind === 'entry' ? message.entry.topic : message.topic;
    if (topic === EVERY_TOPIC || (!this.#wanted.has(topic) && !this.#wanted.has(EVERY_TOPIC))) return;
    if (message.kind === 'entry') this.#options.sink.entry(message.epoch, message.entry);
    else this.#options.sink.hint(message.epoch, topic, message.seq);
  }

  #replace(error: unknown): void {
    this.#probe?.stop();
    void this.#subscriber?.close();
    this.#subscriber = undefined;
    if (this.#closing.signal.aborted) return;
    this.#interrupt(error);
    void this.#connect();
  }

  #interrupt(error: unknown): void {
    if (this.#isInterrupted) return;
    this.#isInterrupted = true;
    this.#options.sink.interrupted(this.#options.failures.clean(error));
  }
}

function batches(topics: readonly string[]): string[][] {
  const cut: string[][] = [];
  for (let from = 0; from < topics.length; from += MAX_CHANNELS) cut.push(topics.slice(from, from + MAX_CHANNELS));
  return cut;
}
