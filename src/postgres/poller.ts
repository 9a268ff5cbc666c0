import type { EngineSink } from '../engine/engine.js';
import { EVERY_TOPIC } from '../engine/engine.js';
import type { Database } from './database.js';
import type { Failure } from './failure.js';
import { Gate } from './live-source.js';
import type { LiveEvents, LiveSource } from './live-source.js';
import { backOff, pause } from './timing.js';

const MAX_ROWS = 500;
/** An entry of more than this is a hint. */
const MAX_INLINE_BYTES = 8_000;
/** With more topics, everything is fetched and sorted out here: the list would be sent with each question. */
const MAX_NAMES = 500;
const MAX_RETRY_MS = 5_000;
/** Who comes later may miss what is not retained: see `KEEP_MS` of the sweeper, which is longer. */
const MAX_PAUSE_MS = 10_000;

export interface PollerOptions {
  readonly database: Database;
  readonly statement: string;
  readonly interest: ReadonlySet<string>;
  readonly sink: EngineSink;
  readonly events: LiveEvents;
  readonly deadlineMs: number;
  readonly pollMs: number;
}

interface TailRow {
  readonly epoch: string;
  readonly head: string;
  readonly name: string | null;
  readonly seq: string;
  readonly prev: string;
  readonly at: string;
  readonly id: string | null;
  readonly data: Buffer | null;
}

/** Asks from time to time what is new, for databases where NOTIFY is not to be had. */
export class Poller implements LiveSource {
  readonly #options: PollerOptions;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #waker = new AbortController();
  /** Opens at the end of the first poll that has begun after it was made. */
  #next = new Gate();
  #isUp = false;
  #epoch: string | undefined;
  #place = 0;
  #polledAt = 0;

  constructor(options: PollerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  ready(): Promise<void> {
    this.#waker.abort();
    return this.#next.opened;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#waker.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    for (let attempt = 0; !signal.aborted;) {
      const done = this.#next;
      this.#next = new Gate();
      this.#waker = new AbortController();
      try {
        const isAtEnd = await this.#poll();
        attempt = 0;
        done.open();
        if (isAtEnd) await pause(this.#options.pollMs, AbortSignal.any([signal, this.#waker.signal]));
      } catch (error) {
        if (signal.aborted) return;
        void this.#next.opened.then(() => done.open());
        this.#fail(error);
        await backOff(attempt++, MAX_RETRY_MS, signal);
      }
    }
  }

  /** Delivers what is new. Resolves to whether that was all. */
  async #poll(): Promise<boolean> {
    const { database, statement, deadlineMs } = this.#options;
    const options = { deadline: performance.now() + deadlineMs, isAbandoned: true, isRetried: false };
    const rows = await database.run<TailRow>(
      statement,
      () => [this.#place, this.#names(), MAX_ROWS, MAX_INLINE_BYTES],
      options,
    );
    if (this.#closing.signal.aborted) return true;
    const isLate = performance.now() - this.#polledAt > MAX_PAUSE_MS;
    this.#polledAt = performance.now();
    const [{ epoch, head }] = rows as [TailRow, ...TailRow[]];
    if (this.#epoch === undefined || this.#epoch !== epoch || Number(head) < this.#place) {
      return this.#begin(epoch, Number(head));
    }
    if (isLate) this.#fail(new Error(`the log was not asked for ${MAX_PAUSE_MS} ms`));
    if (!this.#isUp) this.#rise();
    for (const row of rows) if (row.name !== null) this.#deliver(row.name, row);
    const isAtEnd = rows.length < MAX_ROWS;
    this.#place = Number(isAtEnd ? head : rows.at(-1)!.seq);
    return isAtEnd;
  }

  /** The log is new to this node, or has begun anew, or was put back: what is in it is not for delivery. */
  #begin(epoch: string, head: number): boolean {
    if (this.#isUp) this.#fail(new Error('the log has been emptied or put back'));
    this.#epoch = epoch;
    this.#place = head;
    this.#rise();
    return true;
  }

  #deliver(topic: string, { epoch, seq, prev, at, id, data }: TailRow): void {
    const { interest, sink } = this.#options;
    if (!interest.has(topic) && !interest.has(EVERY_TOPIC)) return;
    if (data === null) return sink.hint(epoch, topic, Number(seq));
    const entry = { topic, seq: Number(seq), prev: Number(prev), at: Number(at), id: id ?? undefined };
    sink.entry(epoch, { ...entry, data: new Uint8Array(data) });
  }

  #names(): string[] | null {
    const { interest } = this.#options;
    return interest.has(EVERY_TOPIC) || interest.size > MAX_NAMES ? null : [...interest];
  }

  #rise(): void {
    this.#isUp = true;
    this.#options.events.up();
  }

  #fail(error: unknown): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    this.#options.events.down((error as Failure).cause ?? error);
  }
}
