import type { EngineSink } from '../engine/engine.js';
import { backOffMs, idle } from '../engine/kit/deadline.js';
import type { Position } from '../topic/position.js';
import { Alarm } from './alarm.js';
import { toEntry, toNumber, toText } from './codec.js';
import type { Row } from './codec.js';
import type { Failure } from './failure.js';
import { toArray } from './interest.js';
import type { ListedInterest } from './interest.js';
import type { PostgresLink } from './link.js';
import { Rest } from './rest.js';

const MAX_ENTRIES = 500;
const MAX_BYTES = 1_048_576;
/** Of what is fetched unasked, an entry of more than this comes without its data. */
const MAX_UNASKED_BYTES = 65_536;
const FIRST_RETRY_MS = 25;
const MAX_RETRY_MS = 5_000;
const LOCK_SHARE = 0.8;
/** Who comes later may miss what is not retained: see `KEEP_MS` of the sweeper, which is longer. */
const MAX_PAUSE_MS = 10_000;
/** So often the log is read without a notification: well within the above. */
const MAX_REST_MS = 5_000;

/** A connection of its own. Rejects when it cannot be read over it, for whatever reason. */
export type Line = (text: string, values: (ms: number) => unknown[]) => Promise<readonly unknown[]>;

export interface TailOptions {
  readonly link: PostgresLink;
  readonly statement: string;
  readonly interest: ListedInterest;
  readonly sink: Pick<EngineSink, 'entry'>;
  /** It works, at first or again. */
  readonly onUp: () => void;
  /** It worked, and does not any more. */
  readonly onDown: (error: unknown) => void;
  readonly timeoutMs: number;
  readonly pollMs: number;
  readonly probeMs: number;
}

interface Page {
  readonly head: Position;
  /** When the newest entry at or before the place was stored, if there is one. */
  readonly before: number;
  readonly upTo: number;
  readonly rows: readonly Row[];
}

/**
 * Reads what is new from the tables and delivers it: when a notification says that there may be something, and from time to time.
 * One read at a time; what is notified meanwhile is in the next.
 */
export class Tail {
  readonly #options: TailOptions;
  readonly #closing = new AbortController();
  readonly #rest = new Rest();
  readonly #alarm = new Alarm();
  readonly #running: Promise<void>;
  #line: Line | undefined;
  /** Settles with the first read that begins after it was made. */
  #next = deferred<Position>();
  /** Somebody waits for a further read. */
  #isAsked = false;
  #isUp = false;
  #failure: unknown;
  #epoch: string | undefined;
  #place = 0;
  /** Everything up to the place was stored by then. */
  #placeAt = 0;
  #readAt = 0;

  constructor(options: TailOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** When the last read has succeeded, on the clock of `performance.now()`. */
  get readAt(): number {
    return this.#readAt;
  }

  /** Why the last read has failed. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Resolves to a position beyond which every entry is delivered of the topics that are wanted now. */
  ready(): Promise<Position> {
    this.#ask();
    return this.#next.promise;
  }

  /** Reads over this connection, and when a notification comes. With none it reads over the pool, every `pollMs`. */
  use(line: Line | undefined): void {
    this.#line = line;
    this.#ask();
  }

  /** There may be something new. */
  ring(sender: number, payload: string): void {
    this.#alarm.ring(sender, payload, this.#place);
    this.#hasten();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#rest.end();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    for (let attempt = 0; !signal.aborted;) {
      const waiting = this.#next;
      this.#next = deferred();
      this.#isAsked = false;
      try {
        const { head, isAtEnd } = await this.#read();
        attempt = 0;
        waiting.resolve(head);
        if (isAtEnd) await this.#pause();
      } catch (error) {
        if (signal.aborted) return;
        void this.#next.promise.then(waiting.resolve);
        this.#fail(error);
        await idle(backOffMs(attempt++, FIRST_RETRY_MS, MAX_RETRY_MS), signal);
      }
    }
  }

  #ask(): void {
    this.#isAsked = true;
    this.#rest.end();
  }

  async #pause(): Promise<void> {
    if (this.#isAsked || this.#closing.signal.aborted) return;
    const { pollMs, probeMs } = this.#options;
    const resting = this.#rest.begin(this.#line === undefined ? pollMs : Math.min(probeMs, MAX_REST_MS));
    this.#hasten();
    await resting;
  }

  #hasten(): void {
    const { urgency } = this.#alarm;
    if (urgency === 'now') this.#rest.end();
    if (urgency === 'soon') this.#rest.endWithin(this.#options.pollMs);
  }

  /** Delivers what is new. */
  async #read(): Promise<{ head: Position; isAtEnd: boolean }> {
    const { interest, sink } = this.#options;
    const claims = this.#alarm.take();
    const { head, before, upTo, rows } = await this.#page(this.#epoch === undefined ? null : this.#place, MAX_ENTRIES);
    if (this.#closing.signal.aborted) return { head, isAtEnd: true };
    this.#alarm.judge(claims, head.seq);
    const isLate = performance.now() - this.#readAt > MAX_PAUSE_MS;
    this.#readAt = performance.now();
    // The numbers of a log that was put back are used again: then only the time tells.
    if (this.#epoch !== head.epoch || head.seq < this.#place || before > this.#placeAt) {
      this.#begin(head);
      return { head, isAtEnd: true };
    }
    if (isLate) this.#fail(new Error(`the log was not read for ${MAX_PAUSE_MS} ms`));
    if (!this.#isUp) this.#rise();
    for (const row of rows) {
      if (!interest.has(toText(row['name']))) continue;
      sink.entry(head.epoch, toEntry(row['data'] === null ? await this.#complete(row) : row));
    }
    [this.#place, this.#placeAt] = [upTo, head.at];
    return { head, isAtEnd: upTo === head.seq };
  }

  /** The log is new to this node, or has begun anew, or was put back: what is in it is not for delivery. */
  #begin({ epoch, seq, at }: Position): void {
    if (this.#isUp) this.#fail(new Error('the log has been emptied or put back'));
    this.#epoch = epoch;
    [this.#place, this.#placeAt] = [seq, at];
    this.#rise();
  }

  /** The same with its data. */
  async #complete({ name, a: seq }: Row): Promise<Row> {
    const { rows } = await this.#page(toNumber(seq) - 1, 1, toArray([toText(name)]));
    return rows[0] ?? {};
  }

  async #page(after: number | null, maxEntries: number, names = this.#options.interest.names): Promise<Page> {
    const { statement } = this.#options;
    const values = (ms: number): unknown[] => {
      const waitMs = Math.max(1, Math.floor(ms * LOCK_SHARE));
      return [after, names, maxEntries, MAX_BYTES, MAX_UNASKED_BYTES, waitMs];
    };
    const rows = [...((await this.#line?.(statement, values).catch(ignore)) ?? (await this.#pooled(values)))] as Row[];
    const lane = rows.pop();
    if (lane?.['kind'] !== 'l') throw new Error('the driver has not given the row of the lane');
    const head = { epoch: toText(lane['name']), seq: toNumber(lane['a']), at: toNumber(lane['b']) };
    return { head, before: lane['id'] === null ? 0 : toNumber(lane['id']), upTo: toNumber(lane['c']), rows };
  }

  #pooled(values: (ms: number) => unknown[]): Promise<unknown[]> {
    const { link, statement, timeoutMs } = this.#options;
    const deadline = performance.now() + timeoutMs;
    return link.run(statement, values, { deadline, isAbandoned: true, isRetried: false });
  }

  #rise(): void {
    this.#isUp = true;
    this.#failure = undefined;
    this.#options.onUp();
  }

  #fail(error: unknown): void {
    this.#failure = (error as Failure).cause ?? error;
    if (!this.#isUp) return;
    this.#isUp = false;
    this.#options.onDown(this.#failure);
  }
}

function ignore(): undefined {
  // Whose connection it is looks after it; the pool may do.
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  return { promise: new Promise<T>((settle) => (resolve = settle)), resolve };
}
