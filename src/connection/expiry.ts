import { MAX_TIMER_MS } from '../rules.js';
import type { Principal } from '../topic/principal.js';
import type { EndReason } from '../wire/words.js';

/** When a stream's time is over, on the clock of `performance.now()`, and what its client is told then. */
export interface Expiry {
  readonly at: number;
  readonly reason: EndReason;
}

/** `undefined`: it may last for ever. */
export function expiryOf(maxLifetimeMs: number | false, principal: Principal | null): Expiry | undefined {
  const now = performance.now();
  // Jittered, so that clients that came together do not come back together.
  const lifetime = maxLifetimeMs === false ? Infinity : maxLifetimeMs * (0.8 + 0.2 * Math.random());
  const expiresAt = principal?.expiresAt;
  const left = expiresAt === undefined ? Infinity : Number(expiresAt) - Date.now();
  if (left < lifetime) return { at: now + left, reason: 'expired' };
  return lifetime === Infinity ? undefined : { at: now + lifetime, reason: 'lifetime' };
}

/** Ends a stream that is not open when its time is over. Gives what makes an end of that. */
export function limitTime(
  stream: { end(reason: EndReason): void },
  maxLifetimeMs: number | false,
  principal: Principal | null,
): () => void {
  const expiry = expiryOf(maxLifetimeMs, principal);
  if (expiry === undefined) return () => undefined;
  const leftMs = Math.min(Math.max(0, expiry.at - performance.now()), MAX_TIMER_MS);
  const timer = setTimeout(() => stream.end(expiry.reason), leftMs);
  return () => clearTimeout(timer);
}
