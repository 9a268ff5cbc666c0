import { delayMs } from './backoff.js';
import type { StreamOptions } from './options.js';
import type { AnotherAttempt } from './outcome.js';

/** A stream that was open so long, in ms, was healthy. */
const HEALTHY_MS = 10_000;

/** What has failed since a stream was healthy, and how long that makes it wait. */
export class Retries {
  /** In a row. */
  failures = 0;
  /** What the server has last said, in ms, else what the user has. */
  baseMs: number;
  /** In ms since 1970; 0 while it is not down. */
  downSince = 0;
  /** Until when the last answer has asked to wait, by `performance.now()`. */
  notBefore = 0;
  readonly #maxMs: number;
  readonly #most: number;
  #openedAt = Infinity;

  constructor({ retryInterval = 1_000, maxRetryInterval = 30_000, retries = Infinity }: StreamOptions) {
    this.baseMs = retryInterval;
    this.#maxMs = maxRetryInterval;
    this.#most = retries;
  }

  opened(): void {
    this.#openedAt = performance.now();
    this.downSince = 0;
  }

  /** @returns how long to wait before the next attempt, in ms; `Infinity` when there have been too many */
  after({ reason, isAgain, isPlanned, leastMs = 0, exactMs }: AnotherAttempt): number {
    const now = performance.now();
    if (isPlanned || now - this.#openedAt >= HEALTHY_MS) this.failures = 0;
    this.#openedAt = Infinity;
    if (isAgain) return 0;
    if (!isPlanned) {
      this.downSince ||= Date.now();
      // While the browser knows that it is offline, nothing is learnt of the server.
      if (reason !== 'network' || globalThis.navigator?.onLine !== false) this.failures++;
    }
    if (this.failures > this.#most) return Infinity;
    this.notBefore = now + (exactMs ?? leastMs);
    return exactMs ?? delayMs({ baseMs: this.baseMs, maxMs: this.#maxMs, failures: this.failures, leastMs });
  }
}
