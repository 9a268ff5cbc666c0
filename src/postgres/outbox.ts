import { SseError } from '../errors.js';
import type { AppendRequest } from '../engine/engine.js';
import { isText } from './batch.js';
import type { Database } from './database.js';
import type { TransactionClient } from './driver.js';
import { pause } from './timing.js';
import type { Statements } from './statements.js';

const MAX_ROWS = 500;
const MAX_BYTES = 1_048_576;
const LOCK_SHARE = 0.8;

export interface OutboxOptions {
  readonly database: Database;
  readonly sql: Statements;
  readonly isNotified: boolean;
  readonly deadlineMs: number;
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
  #isAsked = false;
  /** Why the last move has failed. */
  failure: unknown;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  async add(client: TransactionClient, { topic, data, id, retention }: AppendRequest): Promise<void> {
    const { maxEvents, maxBytes, maxAgeMs } = retention;
    const { sql, isNotified } = this.#options;
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    try {
      const values = [topic, id ?? null, bytes, isText(data), maxEvents, maxBytes, maxAgeMs, isNotified];
      await client.query(sql.enqueue, values);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new SseError('engine-failed', `The postgres engine could not write to the outbox: ${message}`, { cause });
    }
  }

  /** Looks from time to time whether there is something to move. */
  watch(): void {
    this.#watching ??= this.#watch();
  }

  /** There may be something to move. */
  wake(): void {
    this.#isAsked = true;
    this.#moving ??= this.#move().finally(() => (this.#moving = undefined));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#watching;
    await this.#moving;
  }

  async #watch(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      this.wake();
      await pause(this.#options.outboxMs, this.#closing.signal);
    }
  }

  async #move(): Promise<void> {
    while (this.#isAsked && !this.#closing.signal.aborted) {
      this.#isAsked = false;
      try {
        while ((await this.#moveSome()) > 0 && !this.#closing.signal.aborted);
        this.failure = undefined;
      } catch (error) {
        // The next look tries again; until then the engine is not healthy.
        this.failure = error;
      }
    }
  }

  async #moveSome(): Promise<number> {
    const { database, sql, isNotified, deadlineMs, now } = this.#options;
    const values = (ms: number): unknown[] => [
      MAX_ROWS,
      MAX_BYTES,
      isNotified,
      Math.max(1, Math.floor(ms * LOCK_SHARE)),
      now?.() ?? null,
    ];
    const deadline = performance.now() + deadlineMs;
    const rows = await database.run<{ count: number }>(sql.drain, values, { deadline, isAbandoned: true });
    return Number(rows[0]?.count);
  }
}
