import type { Excerpt } from '../engine/engine.js';
import type { Position } from '../topic/position.js';
import { each } from './each.js';
import type { JetStream, StreamState } from './jetstream.js';
import type { KnownData } from './known-data.js';
import { beginningsOf, placeBefore } from './look-back.js';
import type { Question } from './question.js';
import type { Behind, RowLoader } from './row-loader.js';
import { TopicRows } from './topic-rows.js';
import type { Place, Row } from './topic-rows.js';

/** One topic as a page needs it. */
export interface TopicView {
  readonly topic: string;
  /** Its newest event beyond the place that is read from, up to the head of the lane, whether retained or not; `0`: there is none. */
  readonly head: number;
  /** The first of those that is retained. */
  readonly first: Row | undefined;
  /** The first that are retained there, and wanted: at least as many as are wanted, and one more. */
  readonly wanted: readonly Row[];
  /** When its newest message at or before that place was stored; not known where no client's claim can be contradicted. */
  readonly at: number | undefined;
  /** Whether nothing is known of what is between that place and the first that is wanted. */
  readonly isUncertain: boolean;
}

/** What is wanted to be known of each topic. */
export interface Sight {
  /** The place that is read from. */
  readonly from: number;
  /** How many rows. */
  readonly most: number;
  /** What a client claims to have read up to. */
  readonly claimed?: Position | undefined;
  /** Whether it is asked for what is missing beyond that place. */
  readonly hasHoles?: boolean;
  readonly excerpt?: Excerpt | undefined;
}

/** Looks at topics: at all that they have beyond a place or, with an excerpt, at no more than that has, unless the rest costs little. */
export class TopicViews {
  readonly #stream: JetStream;
  readonly #loader: RowLoader;

  constructor(stream: JetStream, loader: RowLoader) {
    this.#stream = stream;
    this.#loader = loader;
  }

  async of(
    question: Question,
    state: StreamState,
    topics: readonly string[],
    sight: Sight,
    data: KnownData,
  ): Promise<TopicView[]> {
    const { from, most, excerpt } = sight;
    const isWhole =
      excerpt === undefined || (sight.hasHoles === true && (await this.#loader.isCheap(question, state, topics, from)));
    if (isWhole) await this.#loader.foresee(question, state, topics, from);
    const begin = !isWhole && excerpt.since > 0 ? await placeBefore(question, state, excerpt, from) : from;
    const rowsOf = await this.#rows(question, state, topics, begin, isWhole ? undefined : excerpt, data);
    const now = rowsOf.size === 0 ? 0 : await this.#stream.now(question.deadline);
    const isClear = !isWhole && (await isBorneOut(question, sight.claimed));
    const upTo = state.head.seq;
    const before = async (topic: string): Promise<Place | undefined> =>
      isClear ? undefined : question.newestUpTo(state.subjects.topic(topic), from, state.goneUpTo);
    return each(topics, async (topic) => {
      const rows = rowsOf.get(topic);
      if (!(rows instanceof TopicRows)) {
        const isBeyond = rows !== undefined && rows.seq > from;
        const at = (isBeyond ? await before(topic) : rows)?.at;
        return { topic, head: isBeyond ? rows.seq : 0, first: undefined, wanted: [], at, isUncertain: isBeyond };
      }
      rows.trim(now);
      const known = rows.newestUpTo(from);
      const newest = known === 'unknown' ? await before(topic) : known;
      return {
        topic,
        // What was stored since the head was read is left to the next page: it would be read again from there.
        head: rows.headOf(from, upTo),
        first: rows.retained(from, upTo, 1)[0],
        wanted: rows.retained(from, upTo, most, excerpt),
        at: newest?.at,
        isUncertain: rows.leavesOut(from),
      };
    });
  }

  /** What is known of each topic beyond a sequence, or of an excerpt of that; or the newest message of one that has nothing there. */
  async #rows(
    question: Question,
    state: StreamState,
    topics: readonly string[],
    from: number,
    excerpt: Excerpt | undefined,
    data: KnownData,
  ): Promise<Map<string, TopicRows | Place>> {
    const found = new Map<string, TopicRows | Place>();
    const behind: Behind[] = [];
    await each(topics, async (topic) => {
      const known = this.#loader.known(state, topic, from, excerpt);
      const newest = known === undefined && (await question.get({ last_by_subj: state.subjects.topic(topic) }));
      if (known !== undefined) found.set(topic, known);
      else if (newest && newest.seq > from) behind.push({ topic, newest, from });
      else if (newest) found.set(topic, newest);
    });
    const loaded =
      excerpt === undefined
        ? await this.#loader.load(question, state, behind, data)
        : await this.#loadExcerpt(question, state, behind, excerpt, data);
    for (const [n, { topic }] of behind.entries()) found.set(topic, loaded[n] as TopicRows);
    return found;
  }

  async #loadExcerpt(
    question: Question,
    state: StreamState,
    behind: readonly Behind[],
    excerpt: Excerpt,
    data: KnownData,
  ): Promise<TopicRows[]> {
    const rows = new Map<string, TopicRows>();
    const load = async (part: readonly Behind[]): Promise<void> => {
      const loaded = await this.#loader.load(question, state, part, data);
      for (const [n, { topic }] of part.entries()) rows.set(topic, loaded[n] as TopicRows);
    };
    const nearly = behind.flatMap((each) => {
      const from = this.#loader.nearlyKnown(state, each, excerpt);
      return from === undefined ? [] : [{ ...each, from }];
    });
    await load(nearly);
    const unknown = behind.filter(({ topic }) => !rows.has(topic));
    const begun = await beginningsOf(question, state, unknown, excerpt);
    await load(begun.filter(({ isLast }) => isLast));
    await load(begun.filter(({ isLast }) => !isLast));
    // Too few: among those that were counted are messages that are no events.
    const isShort = ({ topic, from }: Behind): boolean => {
      const found = rows.get(topic) as TopicRows;
      return found.from > from && !found.has(excerpt);
    };
    await load(behind.filter(isShort));
    return behind.map(({ topic }) => rows.get(topic) as TopicRows);
  }
}

/** Whether a claimed place is one of the lane, so that no topic has something at or before it that is newer: time does not fall. */
async function isBorneOut(question: Question, claimed: Position | undefined): Promise<boolean> {
  if (claimed === undefined || claimed.seq < 1) return true;
  const found = await question.get({ seq: claimed.seq });
  return found !== undefined && found.at <= claimed.at;
}
