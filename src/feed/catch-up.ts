import { setTimeout as delay } from 'node:timers/promises';
import type { Engine, LogEntry, TopicHead } from '../engine/engine.js';
import { isUsers } from '../topic/own-name.js';
import type { Position } from '../topic/position.js';
import type { Interests } from './interests.js';
import { readTopics } from './read-topics.js';

export interface CatchUpOwner {
  /** Repeats an engine call until it succeeds; `undefined` once the hub is closed. */
  persist<T>(call: () => Promise<T>): Promise<T | undefined>;
  pass(epoch: string, entry: LogEntry): void;
}

/** How a catch-up has ended. */
export interface CaughtUp {
  readonly head: Position;
  /** `false`: the log is another one, or does not have all any more. Otherwise everything up to the head was passed on. */
  readonly isSame: boolean;
}

interface LaneHeads {
  readonly head: Position;
  readonly newest: ReadonlyMap<string, TopicHead>;
}

/** Who gets what a hint stands for. */
interface HintReader {
  readonly epoch: string | undefined;
  pass(epoch: string, entry: LogEntry): void;
}

/** A server of a cluster that answers may be some ms behind the one that has announced. */
const HINT_WAITS_MS = [5, 20, 80];

const PAGE = { maxEntries: 512, maxBytes: 1_048_576 };

/** Reads what a process has missed of the topics that it is subscribed to: once, for all who read there. */
export class CatchUp {
  readonly #engine: Engine;
  readonly #interests: Interests;
  readonly #owner: CatchUpOwner;

  constructor(engine: Engine, interests: Interests, owner: CatchUpOwner) {
    this.#engine = engine;
    this.#interests = interests;
    this.#owner = owner;
  }

  /**
   * @param from everything of the subscribed topics up to here has been passed on
   * @param seen the newest position that the log is known to have had: that of `from`, or one at which topics were opened
   * @returns `undefined` once the hub is closed
   */
  async run(from: Position, seen: Position): Promise<CaughtUp | undefined> {
    const heads = await this.#owner.persist(() => this.#heads(from));
    if (heads === undefined) return undefined;
    const { head, newest } = heads;
    if (isAnother(heads, seen)) return { head, isSame: false };
    const behind = [...newest.keys()].filter((topic) => this.#isBehind(topic, newest));
    if (behind.length === 0) return { head, isSame: true };
    const isWhole = (await this.#readFrom(from, head, behind)) && (await this.#readLate(behind, newest, head));
    return isWhole === undefined ? undefined : { head, isSame: isWhole };
  }

  /** What the log has that has not been passed on. Some of it may be on its way. */
  async missing(from: Position, seen: Position): Promise<{ isAny(): boolean }> {
    const heads = await this.#heads(from);
    return {
      isAny: () =>
        isAnother(heads, seen) || [...heads.newest.keys()].some((topic) => this.#isBehind(topic, heads.newest)),
    };
  }

  /**
   * Reads one topic up to what a hint stands for. `false`: the log is another one, or does not have all any more. An entry that is not
   * there after a moment never was, or is found by the next audit: whoever may send to where entries are announced may send hints.
   */
  async readHinted(topic: string, from: number, upTo: number, into: HintReader): Promise<boolean> {
    let tries = 0;
    for (let after = from; after < upTo && tries < HINT_WAITS_MS.length;) {
      const request = { topics: [topic], after, verify: undefined, maxEntries: 64, maxBytes: PAGE.maxBytes };
      const page = await this.#owner.persist(() => this.#engine.read(request));
      if (page === undefined) return true;
      if (page.holes.length > 0 || page.upTo.epoch !== into.epoch) return false;
      for (const entry of page.entries) if (entry.seq <= upTo) into.pass(page.upTo.epoch, entry);
      after = page.upTo.seq;
      if (after < upTo && page.entries.length === 0) await delay(HINT_WAITS_MS[tries++], undefined, { ref: false });
    }
    return true;
  }

  async #heads(from: Position): Promise<LaneHeads> {
    if (!this.#interests.hasEvery) return this.#headsOf(this.#interests.names);
    const { upTo } = await this.#engine.heads([]);
    // Nothing at all has happened. (Later something may have: so this answer is the one that counts.)
    if (upTo.epoch === from.epoch && upTo.seq === from.seq) return { head: upTo, newest: new Map() };
    const listing = await this.#engine.list('');
    const names = new Set([...listing.names.filter(isUsers), ...this.#interests.names]);
    const heads = await this.#headsOf([...names]);
    // A topic that came to be after the listing may have events beyond it.
    return listing.upTo.epoch === heads.head.epoch ? { ...heads, head: listing.upTo } : heads;
  }

  async #headsOf(names: readonly string[]): Promise<LaneHeads> {
    const { upTo, topics } = await this.#engine.heads(names);
    const newest = new Map<string, TopicHead>();
    for (const [n, head] of topics.entries()) if (head !== undefined) newest.set(names[n] as string, head);
    return { head: upTo, newest };
  }

  #isBehind(topic: string, newest: ReadonlyMap<string, TopicHead>): boolean {
    return (newest.get(topic)?.seq ?? 0) > this.#known(topic);
  }

  /** `false`: something is no longer there. `undefined`: the hub is closed. */
  async #readFrom(from: Position, head: Position, topics: readonly string[]): Promise<boolean | undefined> {
    const least = topics.reduce((known, topic) => Math.min(known, this.#known(topic)), Infinity);
    let after = Math.max(from.seq, least);
    let verify = after === from.seq ? from : undefined;
    while (after < head.seq) {
      const request = { topics, after, verify, ...PAGE };
      const page = await this.#owner.persist(() => readTopics(this.#engine, request));
      if (page === undefined) return undefined;
      if (page.upTo.epoch !== head.epoch || page.holes.length > 0) return false;
      for (const entry of page.entries) {
        // Beyond the head that was asked for, other topics may have had events: these come live, in their order.
        if (entry.seq > head.seq) break;
        if (entry.prev > this.#known(entry.topic)) {
          const isWhole = await this.#readTopic(entry.topic, entry.prev);
          if (isWhole !== true) return isWhole;
        }
        this.#pass(page.upTo.epoch, entry);
      }
      after = page.upTo.seq;
      verify = undefined;
    }
    return true;
  }

  /** What is missing although later entries of other topics have come. */
  async #readLate(
    topics: readonly string[],
    newest: ReadonlyMap<string, TopicHead>,
    head: Position,
  ): Promise<boolean | undefined> {
    for (const topic of topics) {
      // What is beyond the lane's head, though its topic is known to have it, comes live: in order with that of others.
      const isWhole = await this.#readTopic(topic, Math.min(newest.get(topic)?.seq ?? 0, head.seq));
      if (isWhole !== true) return isWhole;
    }
    return true;
  }

  async #readTopic(topic: string, upTo: number): Promise<boolean | undefined> {
    for (let after = this.#known(topic); after < upTo;) {
      const request = { topics: [topic], after, verify: undefined, ...PAGE };
      const page = await this.#owner.persist(() => this.#engine.read(request));
      if (page === undefined) return undefined;
      if (page.holes.length > 0) return false;
      for (const entry of page.entries) if (entry.seq <= upTo) this.#pass(page.upTo.epoch, entry);
      after = page.upTo.seq;
    }
    return true;
  }

  #pass(epoch: string, entry: LogEntry): void {
    if (entry.seq > this.#known(entry.topic)) this.#owner.pass(epoch, entry);
  }

  /** A topic that nobody is interested in any more is known to its end. */
  #known(topic: string): number {
    return this.#interests.knownOf(topic) ?? Infinity;
  }
}

/** Whether the log is not the one that had `seen`, but has begun anew, or lost its newest entries. */
function isAnother({ head, newest }: LaneHeads, seen: Position): boolean {
  if (head.epoch !== seen.epoch || head.seq < seen.seq) return true;
  // Lost, and its numbers used again: the sequence fits, and only the time tells.
  for (const { seq, at } of newest.values()) if (seq <= seen.seq && at > seen.at) return true;
  return false;
}
