import { idle } from '../engine/kit/deadline.js';
import { toNumber } from './codec.js';
import type { Row } from './codec.js';
import type { PostgresLink } from './link.js';
import type { Statements } from './statements.js';

/** Topics at a time: the lane is locked meanwhile. */
const MAX_TOPICS = 200;
const MAX_ENTRIES = 5_000;
/** So long a node may be late with its reading of what is new. */
const KEEP_MS = 15_000;
const LOCK_SHARE = 0.8;

export interface SweepOptions {
  readonly link: PostgresLink;
  readonly sql: Statements;
  readonly sweepMs: number;
  readonly timeoutMs: number;
  readonly now: (() => number) | undefined;
}

/** From time to time, on one node of all: evicts what is too old, forgets idle topics, deletes what is not retained. */
export class PostgresSweeper {
  readonly #options: SweepOptions;
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: SweepOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { sweepMs } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      // Not all nodes at the same moment.
      await idle(sweepMs * (0.5 + Math.random()), signal);
      if (signal.aborted) return;
      try {
        await this.#sweep();
      } catch {
        // What was not swept now is at the next time; reads leave out what is too old in any case.
      }
    }
  }

  async #sweep(): Promise<void> {
    const { sql, sweepMs, now } = this.#options;
    const clock = now?.() ?? null;
    if ((await this.#number(sql.sweepIsDue, () => [sweepMs, clock])) === 0) return;
    await this.#all(sql.expire, (ms) => [MAX_TOPICS, KEEP_MS, Math.max(1, Math.floor(ms * LOCK_SHARE))]);
    await this.#all(sql.clear, () => [MAX_ENTRIES, KEEP_MS]);
  }

  /** As long as there is as much as was asked for, there is more. */
  async #all(text: string, values: (ms: number) => [max: number, ...rest: number[]]): Promise<void> {
    const clock = this.#options.now?.() ?? null;
    const [max] = values(0);
    for (let count = max; count >= max && !this.#closing.signal.aborted;) {
      count = await this.#number(text, (ms) => [...values(ms), clock]);
    }
  }

  async #number(text: string, values: (ms: number) => unknown[]): Promise<number> {
    const { link, timeoutMs } = this.#options;
    const deadline = performance.now() + timeoutMs;
    const rows = await link.run<Row>(text, values, { deadline, isAbandoned: true, isRetried: false });
    return toNumber(rows[0]?.['count']);
  }
}
