import type { Evictable, Lane, Statements, TopicRow } from './statements.js';

/** What one slice of the sweep does at most: about 5 ms. */
const SWEPT_TOPICS = 64;
const SWEPT_ENTRIES = 256;
/** The share of its age that a topic's old entries may stay in the file, unread, so that a busy topic is not swept all the time. */
const SLACK = 1 / 8;
/** A topic whose newest event is older than so many times what it keeps may be forgotten. */
const IDLE_AGES = 4;

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
