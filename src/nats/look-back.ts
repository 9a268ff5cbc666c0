import type { Excerpt } from '../engine/engine.js';
import { each } from './each.js';
import type { StreamState } from './jetstream.js';
import type { Question } from './question.js';
import type { Behind } from './row-loader.js';
import type { Place } from './topic-rows.js';

/** Of so many topics the end of the lane is read first: it has what busy ones have had last. */
const MANY_TOPICS = 8;
/** So far back, for each message that is wanted of each topic, and no further. */
const LANE_ROWS = 8;
const MAX_LANE_ROWS = 20_000;
/** So many are looked for one after the other, with some 16 questions each at most, and more by counting. */
const ONE_BY_ONE = 4;
/** When more is wanted, counting saves nothing. */
const MAX_LAST = 50_000;
/** So many times as many as are needed are no reason to count once more. */
const GENEROUS = 4;
const MAX_STRIDE = 64;

/** Where a topic begins for an excerpt. */
export interface Beginning extends Behind {
  /** It is near the end of the lane, as others are that are worth being loaded together. */
  readonly isLast: boolean;
}

/**
 * Of each topic, from where on it is to be known for its newest so many up to a place, and all beyond: behind a message of its own, or from
 * where it was to be known anyway. What another program has published counts as well, so that they may be too few.
 */
export async function beginningsOf(
  question: Question,
  state: StreamState,
  topics: readonly Behind[],
  { upTo, last }: Excerpt,
): Promise<Beginning[]> {
  const far = last > MAX_LAST ? [] : topics.filter(({ newest, from }) => newest.seq - from > 2 * (last + 1));
  const found = await lastInLane(question, state, far, Math.min(upTo, state.head.seq), last);
  const search = last <= ONE_BY_ONE ? searchEach : searchByCount;
  const isFar = new Set(far);
  return each(topics, async (behind) => {
    const subject = state.subjects.topic(behind.topic);
    const place = isFar.has(behind)
      ? (found.get(subject) ?? (await search(question, state, subject, behind, upTo, last)))
      : undefined;
    if (place === undefined || place.seq <= behind.from) return { ...behind, isLast: false };
    return { ...behind, from: place.seq, before: { seq: place.seq, at: place.at }, isLast: found.has(subject) };
  });
}

/** What so many of a topic come after, by its subject, of those that have as many near the end of the lane. */
async function lastInLane(
  question: Question,
  { subjects, goneUpTo }: StreamState,
  topics: readonly Behind[],
  upTo: number,
  last: number,
): Promise<Map<string, Place>> {
  const found = new Map<string, Place>();
  if (topics.length < MANY_TOPICS) return found;
  const places = new Map(topics.map(({ topic }) => [subjects.topic(topic), [] as Place[]]));
  const rows = Math.min(LANE_ROWS * topics.length * (last + 1), MAX_LANE_ROWS);
  const begin = Math.max(goneUpTo, upTo - rows);
  if (begin >= upTo) return found;
  for await (const { subject, seq, at } of question.messages(undefined, begin)) {
    if (seq > upTo) break;
    places.get(subject)?.push({ seq, at });
  }
  for (const [subject, all] of places) {
    const before = all.at(-1 - last);
    if (before !== undefined) found.set(subject, before);
  }
  return found;
}

async function searchEach(
  question: Question,
  { goneUpTo }: StreamState,
  subject: string,
  { newest, from }: Behind,
  upTo: number,
  last: number,
): Promise<Place | undefined> {
  const begin = Math.max(from, goneUpTo);
  let place: Place | undefined = newest.seq <= upTo ? newest : await question.newestUpTo(subject, upTo, begin);
  for (let n = 0; n < last && place !== undefined; n++) {
    place = await question.newestUpTo(subject, place.seq - 1, begin);
  }
  return place;
}

async function searchByCount(
  question: Question,
  { goneUpTo }: StreamState,
  subject: string,
  { newest, from }: Behind,
  upTo: number,
  last: number,
): Promise<Place | undefined> {
  const begin = Math.max(from, goneUpTo);
  const needed = (newest.seq <= upTo ? 0 : await question.countBeyond(subject, upTo)) + last + 1;
  for (let width = needed; ;) {
    const early = Math.max(begin, newest.seq - width);
    const count = await question.countBeyond(subject, early);
    if (count >= needed) {
      const place = count > GENEROUS * needed ? await question.placeBefore(subject, needed, early, newest.seq) : early;
      return question.get({ seq: place + 1, next_by_subj: subject });
    }
    if (early === begin) return undefined;
    width *= Math.max(2, Math.min(MAX_STRIDE, (2 * needed) / Math.max(count, 1)));
    width = Math.ceil(width);
  }
}

/** Up to where everything is older than a time, at most `upTo`, and at least `from`. As time does not fall along the lane, all topics have one such place. */
export async function placeBefore(
  question: Question,
  { head, goneUpTo }: StreamState,
  { since, upTo }: Excerpt,
  from: number,
): Promise<number> {
  let place = Math.max(from, goneUpTo);
  for (let high = Math.min(upTo, head.seq); place < high;) {
    const middle = Math.ceil((place + high) / 2);
    const found = await question.get({ seq: middle, next_by_subj: '>' });
    if (found !== undefined && found.seq <= high && found.at < since) place = found.seq;
    else high = middle - 1;
  }
  return place;
}
