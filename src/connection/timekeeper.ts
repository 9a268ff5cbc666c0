import type { Principal } from '../topic/define.js';
import type { EndReason } from './end-reason.js';
import type { Wheel, WheelTask } from './wheel.js';

/** How long the end may take to leave the process, for a client that had stopped reading before, or was put out. */
const URGENT_END_MS = 5_000;

/** What a timekeeper does to its stream. */
export interface TimedStream {
  /** When something was written last, on the clock of `performance.now()`. */
  readonly lastWriteAtMs: number;
  /** Since when what was written waits for the client, on the clock of `performance.now()`; `undefined`: it does not. */
  readonly blockedSinceMs: number | undefined;
  /** It has been silent for too long. */
  beat(): void;
  /** Its time is over. */
  expire(reason: EndReason): void;
  /** It has ended, and its client does not take the rest. */
  destroy(): void;
}

export interface TimedSettings {
  readonly heartbeatMs: number | false;
  readonly stallTimeoutMs: number | false;
  readonly maxLifetimeMs: number | false;
}

/** Sees to it that one stream is never silent for too long, and ends in time. */
export class Timekeeper implements WheelTask {
  slot: number | undefined;
  readonly #wheel: Wheel;
  readonly #stream: TimedStream;
  readonly #heartbeatMs: number;
  readonly #stallTimeoutMs: number;
  readonly #expiresAt: number;
  readonly #expiryReason: EndReason;
  /** From its end on: how long the client may take nothing of what is left. */
  #endDeadlineMs: number | undefined;
  #endedAt = Infinity;

  constructor(wheel: Wheel, stream: TimedStream, settings: TimedSettings, principal: Principal | null) {
    this.#wheel = wheel;
    this.#stream = stream;
    this.#heartbeatMs = settings.heartbeatMs === false ? Infinity : settings.heartbeatMs;
    this.#stallTimeoutMs = settings.stallTimeoutMs === false ? Infinity : settings.stallTimeoutMs;
    const { at, reason } = expiryOf(settings.maxLifetimeMs, principal);
    this.#expiresAt = at;
    this.#expiryReason = reason;
    this.#scheduleNext();
  }

  /** The stream has ended: from now on only its deadline counts, a short one for a client that is not to be waited for. */
  ended(isUrgent: boolean): void {
    this.#endedAt = performance.now();
    this.#endDeadlineMs = isUrgent ? URGENT_END_MS : this.#stallTimeoutMs;
    this.#wheel.cancel(this);
    if (this.#endDeadlineMs !== Infinity) this.#wheel.schedule(this, this.#endDeadlineMs);
  }

  stop(): void {
    this.#wheel.cancel(this);
  }

  onTime(nowMs: number): void {
    if (this.#endDeadlineMs !== undefined) return this.#endWithin(this.#endDeadlineMs, nowMs);
    if (nowMs >= this.#expiresAt) return this.#stream.expire(this.#expiryReason);
    const { blockedSinceMs } = this.#stream;
    const blockedMs = blockedSinceMs === undefined ? 0 : nowMs - blockedSinceMs;
    if (blockedMs >= this.#stallTimeoutMs) return this.#stream.expire('slow-consumer');
    if (blockedSinceMs === undefined && nowMs - this.#stream.lastWriteAtMs >= this.#heartbeatMs) this.#stream.beat();
    if (this.#endDeadlineMs === undefined) this.#scheduleNext();
  }

  #endWithin(deadlineMs: number, nowMs: number): void {
    const since = Math.max(this.#endedAt, this.#stream.blockedSinceMs ?? 0);
    const leftMs = since + deadlineMs - nowMs;
    if (leftMs > 0) this.#wheel.schedule(this, leftMs);
    else this.#stream.destroy();
  }

  #scheduleNext(): void {
    const now = performance.now();
    const silentAt = this.#stream.lastWriteAtMs + this.#heartbeatMs;
    // A stream that cannot be written to stays silent: look again after a whole interval, not at once.
    const beatAt = silentAt > now ? silentAt : now + this.#heartbeatMs;
    // Whoever is blocked from now on is found at most one interval late.
    const stalledAt = (this.#stream.blockedSinceMs ?? now) + this.#stallTimeoutMs;
    const at = Math.min(beatAt, stalledAt, this.#expiresAt);
    if (at !== Infinity) this.#wheel.schedule(this, at - now);
  }
}

function expiryOf(maxLifetimeMs: number | false, principal: Principal | null): { at: number; reason: EndReason } {
  const now = performance.now();
  // Jittered, so that clients that came together do not come back together.
  const lifetime = maxLifetimeMs === false ? Infinity : maxLifetimeMs * (0.8 + 0.2 * Math.random());
  const expiresAt = principal?.expiresAt;
  const left = expiresAt === undefined ? Infinity : Number(expiresAt) - Date.now();
  return left < lifetime ? { at: now + left, reason: 'expired' } : { at: now + lifetime, reason: 'lifetime' };
}
