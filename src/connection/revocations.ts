import type { Principal } from '../topic/define.js';
import { patternsOverlap } from '../topic/pattern.js';

/** Whose streams are ended and refused: all of a principal's, or those that read a topic. */
export interface Revocation {
  readonly principalId: string;
  /** A name or pattern. Absent: every stream of the principal. */
  readonly topic?: string | undefined;
}

/** A revocation with its time, in ms since 1970. */
export interface TimedRevocation extends Revocation {
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** Entries are looked over for ones that have passed when there are twice as many as the last time. */
const MIN_SWEEP = 1_024;

/** Remembers who may not come back. Times are in ms since 1970 and given by the caller. */
export class Revocations {
  readonly #byPrincipal = new Map<string, TimedRevocation[]>();
  #sweepAt = MIN_SWEEP;

  add(revocation: Revocation, nowMs: number, forMs: number): void {
    const entry = { ...revocation, sinceMs: nowMs, untilMs: nowMs + forMs };
    const others = (this.#byPrincipal.get(entry.principalId) ?? []).filter(
      (other) => other.topic !== entry.topic && other.untilMs > nowMs,
    );
    this.#byPrincipal.set(entry.principalId, [...others, entry]);
    if (this.#byPrincipal.size >= this.#sweepAt) this.#sweep(nowMs);
  }

  /** Those whose time is not over. */
  *current(nowMs: number): Generator<TimedRevocation> {
    for (const entries of this.#byPrincipal.values()) {
      for (const entry of entries) if (entry.untilMs > nowMs) yield entry;
    }
  }

  /** Whether it is known already that this one holds, and for as long. */
  has({ principalId, topic, untilMs }: TimedRevocation): boolean {
    const entries = this.#byPrincipal.get(principalId);
    return entries?.some((entry) => entry.topic === topic && entry.untilMs >= untilMs) === true;
  }

  /** Takes a revocation back. */
  delete({ principalId, topic }: Revocation): void {
    const others = (this.#byPrincipal.get(principalId) ?? []).filter((entry) => entry.topic !== topic);
    if (others.length > 0) this.#byPrincipal.set(principalId, others);
    else this.#byPrincipal.delete(principalId);
  }

  /** Whether a principal has been refused what it wants to read. Who was authenticated anew since then has not. */
  denies(principal: Principal | null, selectors: readonly string[], nowMs: number): boolean {
    const entries = principal === null ? undefined : this.#byPrincipal.get(principal.id);
    if (entries === undefined) return false;
    const issuedAt = principal?.issuedAt === undefined ? -Infinity : Number(principal.issuedAt);
    return entries.some(
      (entry) => entry.untilMs > nowMs && !(issuedAt > entry.sinceMs) && concerns(entry.topic, selectors),
    );
  }

  #sweep(nowMs: number): void {
    for (const [id, entries] of this.#byPrincipal) {
      if (entries.every((entry) => entry.untilMs <= nowMs)) this.#byPrincipal.delete(id);
    }
    this.#sweepAt = Math.max(MIN_SWEEP, this.#byPrincipal.size * 2);
  }
}

/** Whether a revoked topic is among the names and patterns that a stream reads. */
export function concerns(topic: string | undefined, selectors: readonly string[]): boolean {
  if (topic === undefined) return true;
  return selectors.some((selector) => selector === topic || patternsOverlap(selector, topic));
}
