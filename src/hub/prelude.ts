import type { Excerpt, Hole } from '../engine/engine.js';
import { isContradiction } from '../engine/resume.js';
import { payloadOf } from '../engine/text-entry.js';
import type { Begin, Recent } from '../topic/begin.js';
import { isOfRun } from '../topic/own-name.js';
import { formatPosition } from '../topic/position.js';
import type { Position } from '../topic/position.js';
import { controlOf, saidAtEnd } from '../wire/payload.js';
import type { Control } from '../wire/payload.js';
import type { LogPage } from './log-page.js';

/** What is given of one topic; with where it ends, an excerpt. */
export type Portion = Omit<Excerpt, 'upTo'>;

/** What someone who brings no place is given of before the place that he begins at. */
export interface Prelude {
  /** Of two with the same key, each topic has the same portion. */
  readonly key: string;
  /** `undefined`: nothing. */
  portionOf(topic: string): Portion | undefined;
}

/** What the topics themselves say of where their streams begin. */
export interface TopicBegins {
  beginOf(topic: string): Recent | undefined;
  /** Whether any topic of these says so. */
  hasBegin(selectors: Iterable<string>): boolean;
}

/**
 * Where a stream begins: behind the event with an id, or with a prelude; `undefined`: nobody has said.
 *
 * @param begin what was asked for; `undefined`: what the topics say
 * @param hasEnded whether a topic has ended for good
 */
export function beginningOf(
  begin: Begin | undefined,
  selectors: Iterable<string>,
  topics: TopicBegins | undefined,
  hasEnded: (topic: string) => boolean,
): string | Prelude | undefined {
  const now = Date.now();
  if (begin === undefined) {
    if (topics?.hasBegin(selectors) !== true) return undefined;
    const named = new Set(selectors);
    // Of a topic that has ended for good there is all, unless its definition says something else.
    const otherwise = (topic: string): Recent => (named.has(topic) && hasEnded(topic) ? 'start' : 'now');
    return { key: `topics ${now}`, portionOf: (topic) => portionOf(topics.beginOf(topic) ?? otherwise(topic), now) };
  }
  if (typeof begin === 'string' && begin !== 'now' && begin !== 'start') return begin;
  const portion = portionOf(begin as Recent, now);
  return { key: `${portion?.last} ${portion?.since}`, portionOf: () => portion };
}

function portionOf(recent: Recent, now: number): Portion | undefined {
  if (recent === 'now') return undefined;
  if (recent === 'start') return { last: Infinity, since: 0 };
  if ('last' in recent) return recent.last > 0 ? { last: recent.last, since: 0 } : undefined;
  return { last: Infinity, since: now - recent.sinceMs };
}

/** A prelude, and the place that it leads up to. */
export interface Leading {
  readonly prelude: Prelude;
  readonly upTo: Position;
  /** How many ends each topic has among its newest, once that is known: these are no events, and so many more are read. */
  readonly more?: ReadonlyMap<string, number> | undefined;
}

interface TopicEnd {
  readonly topic: string;
  readonly how: Control;
  readonly id: string;
  readonly said: string;
}

/** A prelude that is being read, up to the place where its reader begins. */
export class Lead implements Leading {
  readonly prelude: Prelude;
  readonly upTo: Position;
  more: ReadonlyMap<string, number> | undefined;
  readonly #begun = new Set<string>();
  /** The ends of topics that nothing has come after yet. */
  readonly #ends = new Map<string, TopicEnd>();

  constructor(prelude: Prelude, upTo: Position) {
    this.prelude = prelude;
    this.upTo = upTo;
  }

  /**
   * A page of it as its reader is to be given it. What is missing of a topic before the first that he gets of it is no hole: he was
   * promised what there is.
   */
  pageOf(page: LogPage): LogPage {
    // Of another log all is given.
    if (page.upTo.epoch !== this.upTo.epoch) return page;
    this.more ??= page.more;
    const holes = page.holes.flatMap((hole) => this.#told(hole));
    const own = page.with(holes).cut(this.upTo);
    let hasEnd = false;
    const behindEnds = new Set<number>();
    for (const entry of own.entries) {
      const { topic, seq, at } = entry;
      if (isOfRun(topic) && this.#ends.has(topic)) {
        behindEnds.add(seq);
        continue;
      }
      this.#begun.add(topic);
      const how = controlOf(payloadOf(entry));
      if (how === undefined) this.#ends.delete(topic);
      else {
        const id = formatPosition({ epoch: this.upTo.epoch, seq, at });
        this.#ends.set(topic, { topic, how, id, said: saidAtEnd(payloadOf(entry)) });
      }
      hasEnd ||= how !== undefined;
    }
    return hasEnd || behindEnds.size > 0 ? own.withoutEnds(behindEnds) : own;
  }

  /** Of the topics whose end is the last that there was of them. Someone who begins before it is not concerned by one that something came after. */
  ends(): Iterable<TopicEnd> {
    return this.#ends.values();
  }

  #told(hole: Hole): Hole[] {
    if (isContradiction(hole)) return [hole];
    const topics = hole.topics.filter((topic) => this.#begun.has(topic));
    return topics.length > 0 ? [{ reason: hole.reason, topics }] : [];
  }
}

/** Puts together the topics that are given the same portion. Those that are given nothing are left out. */
export function byPortion(
  topics: readonly string[],
  { prelude, upTo, more }: Leading,
): { readonly excerpt: Excerpt; readonly topics: readonly string[] }[] {
  const groups = new Map<string, { excerpt: Excerpt; topics: string[] }>();
  for (const topic of topics) {
    const portion = prelude.portionOf(topic);
    if (portion === undefined) continue;
    const last = portion.last + (more?.get(topic) ?? 0);
    const key = `${last} ${portion.since}`;
    const group = groups.get(key);
    if (group === undefined)
      groups.set(key, { excerpt: { last, since: portion.since, upTo: upTo.seq }, topics: [topic] });
    else group.topics.push(topic);
  }
  return [...groups.values()];
}
