import { apart } from '../engine/apart.js';
import type { Engine, Listing } from '../engine/engine.js';
import { isUsers } from '../topic/own-name.js';
import { literalPrefix } from '../topic/pattern.js';
import type { Position } from '../topic/position.js';
import type { View } from './view.js';
import type { WorkQueue } from './work-queue.js';

/** The topics of a selection, by their names and by its patterns, as of a place in the log. */
export interface TopicList {
  readonly topics: readonly string[];
  /** No other topic of the selection has had an event up to here. */
  readonly upTo: Position;
  /** Topics of the selection whose last event was at or before this sequence may have disappeared. */
  readonly forgottenUpTo: number;
}

interface Kept {
  readonly list: Promise<TopicList>;
  /** Once it is there. */
  upTo: Position | undefined;
}

/** A list that nobody has made anew for so long is let go of. */
const KEPT_MS = 1_000;
/** An engine that looks through all its topics for each prefix is asked so often at most. */
const MAX_PREFIXES = 8;
/** How many names are matched before the clock is looked at. */
const PART = 256;

/**
 * The lists of topics that patterns stand for. One serves all pages of a replay up to the place that it was made at, and all who
 * resume the same selection meanwhile: to ask the log again for each page took 83 s where it had 500 topics and a client
 * asked for 400 patterns.
 */
export class TopicLists {
  readonly #engine: Engine;
  readonly #queue: WorkQueue;
  readonly #lists = new Map<View, Kept>();
  /** Those that are being asked for, by prefix. */
  readonly #asked = new Map<string, Promise<Listing>>();

  constructor(engine: Engine, queue: WorkQueue) {
    this.#engine = engine;
    this.#queue = queue;
  }

  /** The list for whoever stands behind `after`, which it goes beyond unless that is the end of the log; `undefined`: at the start. */
  get(view: View, after: number | undefined): Promise<TopicList> {
    const kept = this.#lists.get(view);
    const isOfUse = kept !== undefined && (kept.upTo === undefined || kept.upTo.seq > (after ?? -1));
    return isOfUse ? kept.list : this.#make(view);
  }

  /** Lets go of a list, or of all: what it was made of may be another log. */
  delete(view?: View): void {
    if (view === undefined) this.#lists.clear();
    else this.#lists.delete(view);
  }

  #make(view: View): Promise<TopicList> {
    const made: Kept = { list: this.#list(view), upTo: undefined };
    this.#lists.set(view, made);
    made.list.then(
      ({ upTo }) => this.#keep(view, made, upTo),
      () => this.#forget(view, made),
    );
    return made.list;
  }

  #keep(view: View, made: Kept, upTo: Position): void {
    made.upTo = upTo;
    apart(() => setTimeout(() => this.#forget(view, made), KEPT_MS).unref());
  }

  #forget(view: View, made: Kept): void {
    if (this.#lists.get(view) === made) this.#lists.delete(view);
  }

  async #list(view: View): Promise<TopicList> {
    const topics = new Set(view.names);
    let [upTo, forgottenUpTo]: [Position | undefined, number] = [undefined, 0];
    for (const prefix of prefixesOf(view.patterns)) {
      await this.#queue.pause();
      const listing = await this.#ask(prefix);
      await this.#addMatching(view, listing.names, topics);
      if (upTo === undefined || listing.upTo.seq < upTo.seq) upTo = listing.upTo;
      forgottenUpTo = Math.max(forgottenUpTo, listing.forgottenUpTo);
    }
    return { topics: [...topics], upTo: upTo as Position, forgottenUpTo };
  }

  #ask(prefix: string): Promise<Listing> {
    let asked = this.#asked.get(prefix);
    if (asked === undefined) {
      asked = this.#engine.list(prefix).finally(() => this.#asked.delete(prefix));
      this.#asked.set(prefix, asked);
    }
    return asked;
  }

  async #addMatching(view: View, names: readonly string[], topics: Set<string>): Promise<void> {
    for (let from = 0; from < names.length; from += PART) {
      for (const name of names.slice(from, from + PART)) {
        if (isUsers(name) && view.matches(name)) topics.add(name);
      }
      await this.#queue.pause();
    }
  }
}

/** The distinct prefixes of patterns, without those that another one includes; of many the one that they share. */
export function prefixesOf(patterns: readonly string[]): string[] {
  const prefixes: string[] = [];
  for (const prefix of patterns.map(literalPrefix).sort()) {
    const last = prefixes[prefixes.length - 1];
    if (last === undefined || !prefix.startsWith(last)) prefixes.push(prefix);
  }
  return prefixes.length > MAX_PREFIXES ? [sharedPrefix(prefixes)] : prefixes;
}

/** Of texts in order: what the first and the last share, all between them have. */
function sharedPrefix(texts: readonly string[]): string {
  const [first = '', last = ''] = [texts[0], texts[texts.length - 1]];
  let length = 0;
  while (length < first.length && first[length] === last[length]) length++;
  return first.slice(0, length);
}
