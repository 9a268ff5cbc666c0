import type { StreamOptions } from './options.js';
import type { Outcome } from './outcome.js';

/** A stream that was open so long, in ms, was healthy. */
const HEALTHY_MS = 10_000;
/** A stream that was open for less, in ms, was not. */
const MOMENT_MS = 1_000;
/** So much is added at least to a wait of nothing: a server that says `retry: 0` and ends at once must not be asked 100 times a second. */
const LEAST_MS = 250;

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
  #openedAt = Infinity;
  /** Before it was open. */
  #wasDownSince = 0;
  #wasExpired = false;

  constructor(readonly options: StreamOptions) {
    this.baseMs = options.retryInterval ?? 1_000;
  }

  opened(): void {
    this.#openedAt = performance.now();
    this.#wasDownSince = this.downSince;
    this.downSince = 0;
  }

  /**
   * The base, which a server has jittered where many come back together, and behind it full jitter (Brooker, "Exponential Backoff And
   * Jitter", 2015).
   *
   * @returns how long to wait before the next attempt, in ms; `Infinity` when there have been too many
   */
  after({ reason, isAgain, isPlanned, leastMs = 0, exactMs }: Outcome): number {
    const { maxRetryInterval = 30_000, retries = Infinity } = this.options;
    const { baseMs } = this;
    const now = performance.now();
    const openMs = now - this.#openedAt;
    const isHealthy = openMs >= HEALTHY_MS;
    // The second time in a row nobody has renewed what had run out.
    const isTold = isPlanned && (isHealthy || reason !== 'expired' || !this.#wasExpired);
    this.#wasExpired = reason === 'expired';
    if (isTold || isHealthy) this.failures = 0;
    this.#openedAt = Infinity;
    if (isAgain) return 0;
    if (!isTold) {
      // What was open for a moment was not: so a server says that it has no room.
      this.downSince ||= (openMs >= 0 && openMs < MOMENT_MS && this.#wasDownSince) || Date.now();
      // While the browser knows that it is offline, nothing is learnt of the server.
      if (reason !== 'network' || globalThis.navigator?.onLine !== false) this.failures++;
    }
    if (this.failures > retries) return Infinity;
    const spreadMs =
      this.failures < 2 ? baseMs / 2 : Math.min(maxRetryInterval, Math.max(baseMs, LEAST_MS) * 2 ** this.failures);
    this.notBefore = now + (exactMs ?? leastMs);
    return exactMs ?? Math.max(baseMs + Math.random() * spreadMs, leastMs * (1 + Math.random() / 4));
  }
}

/** Of a header, in ms from now: seconds, or a date (RFC 9110, 10.2.3). */
export function retryAfterMs(value: string | null): number {
  return Math.max(0, Number(value) * 1_000 || Date.parse(value ?? '') - Date.now() || 0);
}
