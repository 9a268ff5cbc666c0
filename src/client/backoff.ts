/** So much is added at least to a wait of nothing: a server that says `retry: 0` and ends at once must not be asked 100 times a second. */
const LEAST_MS = 250;

/** When to try again. */
export interface Backoff {
  /** What the server has last said, in ms, else what the user has. */
  readonly baseMs: number;
  readonly maxMs: number;
  /** Failures in a row; 0 behind an end that was planned. */
  readonly failures: number;
  /** From an answer's `Retry-After`, in ms. */
  readonly leastMs: number;
}

/**
 * The base, which a server has jittered where many come back together, and behind it full jitter (Brooker, "Exponential Backoff And Jitter", 2015).
 *
 * @returns ms
 */
export function delayMs({ baseMs, maxMs, failures, leastMs }: Backoff, random = Math.random): number {
  const spreadMs = failures < 2 ? baseMs / 2 : Math.min(maxMs, Math.max(baseMs, LEAST_MS) * 2 ** failures);
  return Math.max(baseMs + random() * spreadMs, leastMs * (1 + random() / 4));
}

/** Of a header, in ms from now: seconds, or a date (RFC 9110, 10.2.3). */
export function retryAfterMs(value: string | null): number {
  const ms = /^\d+$/.test(value ?? '') ? Number(value) * 1_000 : Date.parse(value ?? '') - Date.now();
  return ms > 0 ? ms : 0;
}
