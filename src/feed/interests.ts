import { EVERY_TOPIC } from '../engine/engine.js';
import type { LogEntry, TopicSlot } from '../engine/engine.js';
import { isUsers } from '../topic/own-name.js';
import type { Position } from '../topic/position.js';

/** Topics that nobody subscribed to by name, beyond which what was heard of them is forgotten. */
const MAX_HEARD = 100_000;

/** One topic that a process is subscribed to by its name, or all. */
export interface Interest extends TopicSlot {
  /** Everything of the topic up to this sequence has been passed on, or is left to whoever reads the log. */
  known: number;
  isOpen: boolean;
  /** Whether it has been given up. It is not used again then. */
  isGone: boolean;
}

/** The topics that a process is subscribed to, and how far it knows each of them. */
export class Interests {
  readonly #named = new Map<string, Interest>();
  #every: Interest | undefined;
  /** How far the topics are known that only `EVERY_TOPIC` stands for. */
  readonly #heard = new Map<string, number>();
  /** All topics are known up to here. */
  #floor = 0;
  /** Opening topics may have missed something up to here. */
  #gapUpTo = 0;

  get hasEvery(): boolean {
    return this.#every?.isOpen === true;
  }

  /** Whether anything is open. */
  get isAnyOpen(): boolean {
    if (this.hasEvery) return true;
    for (const { isOpen } of this.#named.values()) if (isOpen) return true;
    return false;
  }

  /** Names of the open topics. */
  get names(): string[] {
    return [...this.#named].filter(([, { isOpen }]) => isOpen).map(([name]) => name);
  }

  hasAll(topics: readonly string[]): boolean {
    return topics.every((topic) => this.#get(topic)?.isOpen === true);
  }

  /** Takes in topics of which entries may come from now on. */
  begin(topics: Iterable<string>): void {
    for (const topic of topics) {
      if (this.#get(topic) !== undefined) continue;
      const interest: Interest = { known: 0, isOpen: false, isGone: false, kept: undefined };
      if (topic === EVERY_TOPIC) this.#every = interest;
      else this.#named.set(topic, interest);
    }
  }

  /** Whether nothing beyond the lane's head, as the engine's answer has it, is missing of the topics that open. */
  isComplete(head: Position): boolean {
    return this.#gapUpTo <= head.seq;
  }

  finish(topics: Iterable<string>, head: Position): void {
    for (const topic of topics) {
      const interest = this.#get(topic);
      if (interest === undefined || interest.isOpen) continue;
      // A topic that has come with all others is known as far as it has come: the rest up to the head is on its way.
      interest.known = (this.hasEvery ? this.#knownByEvery(topic) : undefined) ?? Math.max(interest.known, head.seq);
      interest.isOpen = true;
    }
    this.#gapUpTo = 0;
  }

  delete(topics: readonly string[]): void {
    for (const topic of topics) {
      if (topic === EVERY_TOPIC) {
        this.#every = undefined;
        this.#heard.clear();
      } else {
        const known = this.knownOf(topic);
        const interest = this.#named.get(topic);
        if (interest !== undefined) interest.isGone = true;
        this.#named.delete(topic);
        if (this.#every !== undefined && known !== undefined) this.#heard.set(topic, known);
      }
    }
  }

  /**
   * Takes note of an entry of a topic that is open by its name, where nothing else needs to be looked at. `undefined`: it is to be looked
   * at, and nothing has been noted.
   *
   * @param slot of the topic, in which its interest is kept
   */
  heardInOrder({ topic, seq, prev }: LogEntry, slot: TopicSlot | undefined): Interest | undefined {
    if (this.#every !== undefined) return undefined;
    let interest = slot?.kept as Interest | undefined;
    if (interest === undefined || interest.isGone) {
      interest = this.#named.get(topic);
      if (slot !== undefined) slot.kept = interest;
    }
    if (interest?.isOpen !== true || seq <= interest.known || prev > Math.max(interest.known, this.#floor))
      return undefined;
    interest.known = seq;
    return interest;
  }

  /** How far a topic is known; `undefined`: nobody is interested. */
  knownOf(topic: string): number | undefined {
    const interest = this.#named.get(topic);
    if (interest !== undefined && (interest.isOpen || !this.hasEvery)) return Math.max(interest.known, this.#floor);
    return this.#knownByEvery(topic);
  }

  /** Whether it is known of a topic how far it is known: not while it is being opened. */
  isKnown(topic: string): boolean {
    return this.hasEvery || this.#named.get(topic)?.isOpen === true;
  }

  /** To be called before the lane's head is asked for: what an entry that has come before has claimed is in it, or is no truth. */
  forgetGap(): void {
    this.#gapUpTo = 0;
  }

  /** Takes note of what is missing before an entry whose topic is being opened. `false`: the topic is not. */
  noteGap({ topic, prev }: LogEntry): boolean {
    const interest = this.#named.get(topic) ?? this.#every;
    if (this.hasEvery || interest?.isOpen !== false) return false;
    this.#gapUpTo = Math.max(this.#gapUpTo, prev);
    return true;
  }

  heard({ topic, seq }: LogEntry): void {
    const interest = this.#named.get(topic);
    if (interest !== undefined) interest.known = seq;
    if (this.#every === undefined || interest?.isOpen === true) return;
    this.#heard.set(topic, seq);
    if (this.#heard.size <= MAX_HEARD) return;
    // Entries come in lane order: what has been lost before is now found by the next audit only.
    this.#heard.clear();
    this.#every.known = seq;
  }

  completeUpTo(seq: number): void {
    this.#floor = seq;
    this.#heard.clear();
  }

  /** The log is another one: what was known of the old one says nothing. */
  restartAt(seq: number): void {
    for (const interest of this.#named.values()) interest.known = 0;
    if (this.#every !== undefined) this.#every.known = 0;
    this.completeUpTo(seq);
  }

  #knownByEvery(topic: string): number | undefined {
    if (this.#every === undefined || !isUsers(topic)) return undefined;
    return Math.max(this.#every.known, this.#heard.get(topic) ?? 0, this.#floor);
  }

  #get(topic: string): Interest | undefined {
    return topic === EVERY_TOPIC ? this.#every : this.#named.get(topic);
  }
}
