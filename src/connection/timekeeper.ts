import type { Principal } from '../topic/principal.js';
import type { EndReason } from '../wire/words.js';
import { expiryOf } from './expiry.js';
import type { Expiry } from './expiry.js';
import type { Wheel, WheelTask } from './wheel.js';

/** How long the end may take to leave the process, for a client that had stopped reading before, or was put out. */
const URGENT_END_MS = 5_000;

/** What a timekeeper goes by. */
export interface TimedWriter {
  /** When something was written last, on the clock of `performance.now()`. */
  readonly lastWriteAtMs: number;
  /** Since when what was written waits for the client, on the clock of `performance.now()`; `undefined`: it does not. */
  readonly blockedSinceMs: number | undefined;
}

/** What a timekeeper does to its stream. */
export interface TimedStream {
  readonly settings: TimedSettings;
  readonly output: TimedWriter;
  /** It has been silent for too long. */
  beat(): void;
  /** Its time is over. */
  end(reason: EndReason, how?: { readonly isSudden: boolean }): void;
  /** It has ended, and its client does not take the rest. */
  drop(what: 'response'): void;
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
  /** `undefined`: it may last for ever. */
  readonly #expiry: Expiry | undefined;
  /** From its end on. */
  #end: End | undefined;

  constructor(wheel: Wheel, stream: TimedStream, principal: Principal | null) {
    this.#wheel = wheel;
    this.#stream = stream;
    this.#expiry = expiryOf(stream.settings.maxLifetimeMs, principal);
    this.#scheduleNext();
  }

  /** The stream has ended: from now on only its deadline counts, a short one for a client that is not to be waited for. */
  ended(isUrgent: boolean): void {
    const deadlineMs = isUrgent ? URGENT_END_MS : this.#stallTimeoutMs;
    this.#end = { at: performance.now(), deadlineMs };
    this.#wheel.cancel(this);
    if (deadlineMs !== Infinity) this.#wheel.schedule(this, deadlineMs);
  }

  get isOfClient(): boolean {
    return this.#stream.settings.stallTimeoutMs !== false;
  }

  stop(): void {
    this.#wheel.cancel(this);
  }

  onTime(nowMs: number): void {
    if (this.#end !== undefined) return this.#endWithin(this.#end, nowMs);
    if (this.#expiry !== undefined && nowMs >= this.#expiry.at) return this.#stream.end(this.#expiry.reason);
    const { blockedSinceMs, lastWriteAtMs } = this.#stream.output;
    const blockedMs = blockedSinceMs === undefined ? 0 : this.#seenMs(blockedSinceMs, nowMs);
    if (blockedMs >= this.#stallTimeoutMs) return this.#stream.end('slow-consumer', { isSudden: true });
    if (blockedSinceMs === undefined && nowMs - lastWriteAtMs >= this.#heartbeatMs) this.#stream.beat();
    if (this.#end === undefined) this.#scheduleNext();
  }

  /** How long it could be seen since then that the client takes nothing. */
  #seenMs(sinceMs: number, nowMs: number): number {
    return nowMs - sinceMs - this.#wheel.stoodStillMs(sinceMs);
  }

  get #heartbeatMs(): number {
    return this.#stream.settings.heartbeatMs || Infinity;
  }

  get #stallTimeoutMs(): number {
    return this.#stream.settings.stallTimeoutMs || Infinity;
  }

  #endWithin({ at, deadlineMs }: End, nowMs: number): void {
    const since = Math.max(at, this.#stream.output.blockedSinceMs ?? 0);
    const leftMs = deadlineMs - this.#seenMs(since, nowMs);
    if (leftMs > 0) this.#wheel.schedule(this, leftMs);
    else this.#stream.drop('response');
  }

  #scheduleNext(): void {
    const now = performance.now();
    const silentAt = this.#stream.output.lastWriteAtMs + this.#heartbeatMs;
    // A stream that cannot be written to stays silent: look again after a whole interval, not at once.
    const beatAt = silentAt > now ? silentAt : now + this.#heartbeatMs;
    // Whoever is blocked from now on is found at most one interval late.
    const stalledAt = now - this.#seenMs(this.#stream.output.blockedSinceMs ?? now, now) + this.#stallTimeoutMs;
    const at = Math.min(beatAt, stalledAt, this.#expiry?.at ?? Infinity);
    if (at !== Infinity) this.#wheel.schedule(this, at - now);
  }
}

/** When a stream has ended, and how long its client may take nothing of what is left. */
interface End {
  readonly at: number;
  readonly deadlineMs: number;
}
