import { PatternIndex, isPattern, patternsOverlap } from '../topic/pattern.js';
import type { Principal } from '../topic/principal.js';

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
  readonly #byPrincipal = new Map<string, Refused>();
  #sweepAt = MIN_SWEEP;

  add(revocation: Revocation, nowMs: number, forMs: number): void {
    const entry = { ...revocation, sinceMs: nowMs, untilMs: nowMs + forMs };
    let refused = this.#byPrincipal.get(entry.principalId);
    if (refused === undefined) this.#byPrincipal.set(entry.principalId, (refused = new Refused()));
    refused.set(entry, nowMs);
    if (this.#byPrincipal.size >= this.#sweepAt) this.#sweep(nowMs);
  }

  /** Those whose time is not over. */
  *current(nowMs: number): Generator<TimedRevocation> {
    for (const refused of this.#byPrincipal.values()) {
      for (const entry of refused) if (entry.untilMs > nowMs) yield entry;
    }
  }

  /** Whether it is known already that this one holds, and for as long. */
  has({ principalId, topic, untilMs }: TimedRevocation): boolean {
    const known = this.#byPrincipal.get(principalId)?.get(topic);
    return known !== undefined && known.untilMs >= untilMs;
  }

  /** Takes a revocation back. */
  delete({ principalId, topic }: Revocation): void {
    const refused = this.#byPrincipal.get(principalId);
    refused?.delete(topic);
    if (refused?.size === 0) this.#byPrincipal.delete(principalId);
  }

  /** Whether a principal has been refused what it wants to read. Who was authenticated anew since then has not. */
  denies(principal: Principal | null, selectors: readonly string[], nowMs: number): boolean {
    const refused = principal === null ? undefined : this.#byPrincipal.get(principal.id);
    if (refused === undefined) return false;
    const issuedAt = principal?.issuedAt === undefined ? -Infinity : Number(principal.issuedAt);
    for (const entry of refused.concerning(selectors)) {
      if (entry.untilMs > nowMs && !(issuedAt > entry.sinceMs)) return true;
    }
    return false;
  }

  #sweep(nowMs: number): void {
    for (const [id, refused] of this.#byPrincipal) {
      refused.sweep(nowMs);
      if (refused.size === 0) this.#byPrincipal.delete(id);
    }
    this.#sweepAt = Math.max(MIN_SWEEP, this.#byPrincipal.size * 2);
  }
}

/** What one principal has been refused, by topic. */
class Refused implements Iterable<TimedRevocation> {
  readonly #byTopic = new Map<string | undefined, TimedRevocation>();
  #patterns: PatternIndex<TimedRevocation> | undefined;
  #sweepAt = MIN_SWEEP;

  get size(): number {
    return this.#byTopic.size;
  }

  [Symbol.iterator](): Iterator<TimedRevocation> {
    return this.#byTopic.values();
  }

  get(topic: string | undefined): TimedRevocation | undefined {
    return this.#byTopic.get(topic);
  }

  set(entry: TimedRevocation, nowMs: number): void {
    const { topic } = entry;
    this.delete(topic);
    this.#byTopic.set(topic, entry);
    if (topic !== undefined && isPattern(topic)) (this.#patterns ??= new PatternIndex()).add(topic, entry);
    if (this.#byTopic.size < this.#sweepAt) return;
    this.sweep(nowMs);
    this.#sweepAt = Math.max(MIN_SWEEP, this.#byTopic.size * 2);
  }

  delete(topic: string | undefined): void {
    const entry = this.#byTopic.get(topic);
    if (entry === undefined) return;
    this.#byTopic.delete(topic);
    if (topic !== undefined) this.#patterns?.delete(topic, entry);
  }

  sweep(nowMs: number): void {
    for (const { topic, untilMs } of this.#byTopic.values()) if (untilMs <= nowMs) this.delete(topic);
  }

  /** Those that concern a stream of these names and patterns. A name is looked up: there may be a thousand, on both sides. */
  *concerning(selectors: readonly string[]): Generator<TimedRevocation> {
    const all = this.#byTopic.get(undefined);
    if (all !== undefined) yield all;
    for (const selector of selectors) {
      const own = this.#byTopic.get(selector);
      if (own !== undefined) yield own;
      if (this.#patterns !== undefined && !isPattern(selector)) yield* this.#patterns.match(selector);
    }
    yield* this.#metBy(selectors.filter(isPattern));
  }

  *#metBy(patterns: readonly string[]): Generator<TimedRevocation> {
    if (patterns.length === 0) return;
    const index = new PatternIndex<true>();
    for (const pattern of patterns) index.add(pattern, true);
    for (const entry of this) {
      const { topic } = entry;
      if (topic === undefined) continue;
      if (isPattern(topic) ? patterns.some((pattern) => patternsOverlap(pattern, topic)) : index.hasMatch(topic))
        yield entry;
    }
  }
}
