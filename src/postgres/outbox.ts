import type { AppendRequest } from '../engine/engine.js';
import { idle } from '../engine/kit/deadline.js';
import type { EngineFailures } from '../engine/kit/failure.js';
import { toNumber } from './codec.js';
import type { Row } from './codec.js';
import type { TransactionClient } from './driver.js';
import type { PostgresLink } from './link.js';
import type { Statements } from './statements.js';

const MAX_ROWS = 500;
const MAX_BYTES = 1_048_576;
const LOCK_SHARE = 0.8;

export interface OutboxOptions {
  readonly link: PostgresLink;
  readonly sql: Statements;
  readonly failures: EngineFailures;
  readonly isNotified: boolean;
  readonly timeoutMs: number;
  readonly pollMs: number;
  readonly outboxMs: number;
  readonly now: (() => number) | undefined;
}

/**
 * Events that wait for the transaction that publishes them. They become visible when it commits, and any node then moves
 * them to the log: woken by the notification that the transaction carries, and from time to time.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #closing = new AbortController();
  #watching: Promise<void> | undefined;
  #moving: Promise<void> | undefined;
  #last = Promise.resolve(false);
  #isAsked = false;
  #fruitless = 0;
  /** Why the last move has failed. */
  failure: unknown;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  async add(client: TransactionClient, { topic, data, id, retention }: AppendRequest): Promise<void> {
    const { maxEvents, maxBytes, maxAgeMs } = retention;
    const { sql, isNotified, failures } = this.#options;
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    try {
      const values = [topic, id ?? null, bytes, maxEvents, maxBytes, maxAgeMs, isNotified];
      await client.query(sql.enqueue, values);
    } catch (error) {
      throw failures.failed('write to the outbox', error);
    }
  }

  /** Looks from time to time whether there is something to move. */
  watch(): void {
    this.#watching ??= this.#watch();
  }

  /** Somebody says that there is something to move; anybody may say so. */
  ring(): void {
    this.#isAsked = true;
    this.#moving ??= this.#answer().finally(() => (this.#moving = undefined));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#watching;
    await this.#moving;
  }

  async #watch(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await this.#move();
      await idle(this.#options.outboxMs, this.#closing.signal);
    }
  }

  /** After each time that there was nothing, the next waits longer. */
  async #answer(): Promise<void> {
    const { signal } = this.#closing;
    while (this.#isAsked && !signal.aborted) {
      this.#isAsked = false;
      this.#fruitless = (await this.#move()) ? 0 : this.#fruitless + 1;
      if (this.#fruitless > 0) await idle(Math.min(2 ** this.#fruitless, this.#options.pollMs), signal);
    }
  }

  /** Resolves to whether there was something. One at a time: one that has begun may not see what has been committed since. */
  #move(): Promise<boolean> {
    return (this.#last = this.#last.then(() => this.#moveAll()));
  }

  async #moveAll(): Promise<boolean> {
    let isAny = false;
    try {
      while ((await this.#moveSome()) > 0 && !this.#closing.signal.aborted) isAny = true;
      this.failure = undefined;
    } catch (error) {
      // The next look tries again; until then the engine is not healthy.
      this.failure = error;
    }
    return isAny;
  }

  async #moveSome(): Promise<number> {
    const { link, sql, isNotified, timeoutMs, now } = this.#options;
    const values = (ms: number): unknown[] => [
      MAX_ROWS,
      MAX_BYTES,
      isNotified,
      Math.max(1, Math.floor(ms * LOCK_SHARE)),
      now?.() ?? null,
    ];
    const deadline = performance.now() + timeoutMs;
    const rows = await link.run<Row>(sql.drain, values, { deadline, isAbandoned: true });
    return toNumber(rows[0]?.['count']);
  }
}
