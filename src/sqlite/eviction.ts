import type { Evictable, Lane, Statements, TopicRow } from './statements.js';

/** How many entries are looked at together. */
const CHUNK = 64;
/** What one slice of the sweep does at most: about 5 ms. */
const SWEPT_TOPICS = 64;
const SWEPT_ENTRIES = 256;
/** The share of its age that a topic's old entries may stay in the file, unread, so that a busy topic is not swept all the time. */
const SLACK = 1 / 8;
/** A topic whose newest event is older than so many times what it keeps may be forgotten. */
const IDLE_AGES = 4;

interface Evicted {
  readonly count: number;
  readonly bytes: number;
}

/** Evicts the oldest entries of a topic until it has so many and so much less. */
export function evictOfTopic(sql: Statements, topic: number, tooMany: number, tooMuch: number): Evicted {
  if (tooMany <= 0 && tooMuch <= 0) return { count: 0, bytes: 0 };
  const oldest = entriesFrom((after) => sql.oldestOfTopic.all(topic, after, CHUNK));
  const { last, ...evicted } = takeWhile(oldest, ({ count, bytes }) => count < tooMany || bytes < tooMuch);
  sql.evictOfTopic.run(topic, last);
  return evicted;
}

/** Evicts the oldest entries of all topics until what is left is within the total. */
export function evictBeyondTotal(sql: Statements, lane: Lane, maxTotalBytes: number): void {
  const tooMuch = lane.bytes - maxTotalBytes;
  if (tooMuch <= 0) return;
  const byTopic = new Map<number, { count: number; bytes: number }>();
  const oldest = entriesFrom((after) => sql.oldest.all(after, CHUNK));
  const { last, bytes } = takeWhile(oldest, (taken, { topic, size }) => {
    if (taken.bytes >= tooMuch) return false;
    const own = byTopic.get(topic) ?? { count: 0, bytes: 0 };
    byTopic.set(topic, { count: own.count + 1, bytes: own.bytes + size });
    return true;
  });
  sql.evict.run(last);
  for (const [topic, evicted] of byTopic) sql.shrinkTopic.run(evicted.count, evicted.bytes, topic);
  lane.bytes -= bytes;
}

/**
 * Evicts entries that are too old, and forgets topics that have been idle for long: one slice of it.
 *
 * @returns whether there is more to do
 */
export function sweepTopics(sql: Statements, lane: Lane, now: number): boolean {
  const due = sql.dueTopics.all(now, SWEPT_TOPICS);
  let room = SWEPT_ENTRIES;
  for (const topic of due) {
    const tooOld = sql.tooOld.all(topic.id, now - topic.maxAgeMs, room);
    evictTooOld(sql, lane, topic, tooOld);
    room -= tooOld.length;
    // There may be more of this topic: it stays due.
    if (room === 0) return true;
    settle(sql, lane, topic, now);
  }
  return due.length === SWEPT_TOPICS;
}

function evictTooOld(sql: Statements, lane: Lane, topic: TopicRow, tooOld: readonly Evictable[]): void {
  const last = tooOld.at(-1);
  if (last === undefined) return;
  const bytes = tooOld.reduce((sum, { size }) => sum + size, 0);
  sql.evictOfTopic.run(topic.id, last.seq);
  sql.shrinkTopic.run(tooOld.length, bytes, topic.id);
  lane.bytes -= bytes;
}

/** Says when to look at a topic again that has nothing too old, or forgets it. */
function settle(sql: Statements, lane: Lane, topic: TopicRow, now: number): void {
  const first = sql.first.get(topic.id, now - topic.maxAgeMs);
  const forgetAt = topic.headAt + IDLE_AGES * topic.maxAgeMs;
  if (first !== undefined) {
    sql.checkTopicAt.run(Math.max(first.at + topic.maxAgeMs, now + SLACK * topic.maxAgeMs), topic.id);
  } else if (forgetAt >= now) {
    sql.checkTopicAt.run(forgetAt, topic.id);
  } else {
    sql.forgetTopic.run(topic.id);
    lane.forgotten = Math.max(lane.forgotten, topic.head);
  }
}

function* entriesFrom(read: (after: number) => Evictable[]): Generator<Evictable> {
  for (let after = 0; ;) {
    const chunk = read(after);
    yield* chunk;
    const last = chunk.at(-1);
    if (last === undefined) return;
    after = last.seq;
  }
}

/** Adds up entries until one is no longer wanted; `last` is the sequence of the last that was. */
function takeWhile(
  entries: Iterable<Evictable>,
  isWanted: (taken: Evicted, next: Evictable) => boolean,
): Evicted & { readonly last: number } {
  const taken = { count: 0, bytes: 0, last: 0 };
  for (const entry of entries) {
    if (!isWanted(taken, entry)) break;
    taken.count++;
    taken.bytes += entry.size;
    taken.last = entry.seq;
  }
  return taken;
}
