/** So often it is looked whether this process runs, while there are deadlines of clients. */
export const PULSE_MS = 250;
/** A look that is late by more than this finds that the process stood still. */
const MAX_LATE_MS = 250;
/** So many times are told apart, the newest; those before them are kept as one. */
const MAX_KEPT = 64;

interface Pause {
  /** When it was over, on the clock of `performance.now()`. */
  readonly endedAt: number;
  readonly ms: number;
}

/**
 * When this process stood still: it was stopped, its machine was, or something kept the event loop. What a client has taken
 * meanwhile could not be seen, so that time counts for no client's deadline. It does for those of a clock, such as an expiry.
 */
export class StandStill {
  #lookedAt = 0;
  #pauses: Pause[] = [];

  /** Nobody has looked for a while, and nothing is known of that time. */
  begin(nowMs: number): void {
    this.#lookedAt = nowMs;
  }

  /** To be called every `PULSE_MS`. Whether the process has stood still since the last time. */
  look(nowMs: number): boolean {
    const sinceMs = nowMs - this.#lookedAt;
    this.#lookedAt = nowMs;
    if (sinceMs <= PULSE_MS + MAX_LATE_MS) return false;
    // The rest counts, so that a process which is always late comes to an end with a client all the same.
    this.#pauses.push({ endedAt: nowMs, ms: sinceMs - PULSE_MS });
    if (this.#pauses.length > MAX_KEPT) this.#join();
    return true;
  }

  /** How much of the time since `sinceMs` the process stood still, in ms. */
  msSince(sinceMs: number): number {
    let sum = 0;
    for (const { endedAt, ms } of this.#pauses) if (endedAt > sinceMs) sum += Math.min(ms, endedAt - sinceMs);
    return sum;
  }

  #join(): void {
    const [first, second, ...others] = this.#pauses as [Pause, Pause, ...Pause[]];
    this.#pauses = [{ endedAt: second.endedAt, ms: first.ms + second.ms }, ...others];
  }
}
