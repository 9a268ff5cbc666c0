import type { AppendRequest, LogEntry } from '../engine/engine.js';
import { evictOfTopic } from './evict.js';
import type { Lane, Statements, TopicRow } from './statements.js';

/** What one entry takes in the file beside its payload and its own id: measured with empty ones, rounded up. */
export const ENTRY_OVERHEAD_BYTES = 64;

/** Stores one entry within the caller's transaction, and evicts what its topic no longer keeps. Age is the sweep's. */
export function storeEntry(sql: Statements, lane: Lane, request: AppendRequest): LogEntry {
  const { topic: name, data, id, retention } = request;
  const { maxEvents, maxBytes, maxAgeMs } = retention;
  const topic = sql.topic.get(name) ?? createTopic(sql, lane, name, maxAgeMs);
  const entry: LogEntry = { topic: name, seq: ++lane.seq, prev: topic.head, at: lane.at, data, id };
  const size = sizeOf(entry);
  const isKept = maxEvents >= 1 && size <= maxBytes;
  if (isKept) insert(sql, topic.id, entry, size);
  const grown = isKept ? { count: topic.count + 1, bytes: topic.bytes + size } : topic;
  const tooMany = isKept ? grown.count - maxEvents : grown.count;
  const evicted = evictOfTopic(sql, topic.id, tooMany, grown.bytes - maxBytes);
  const left = { count: grown.count - evicted.count, bytes: grown.bytes - evicted.bytes };
  lane.bytes += left.bytes - topic.bytes;
  sql.updateTopic.run(entry.seq, entry.at, left.count, left.bytes, maxAgeMs, topic.id);
  if (maxAgeMs !== topic.maxAgeMs) sql.checkTopicAt.run(entry.at, topic.id);
  else if (topic.count === 0 && left.count > 0) sql.checkTopicAt.run(entry.at + maxAgeMs, topic.id);
  return entry;
}

function createTopic(sql: Statements, lane: Lane, name: string, maxAgeMs: number): TopicRow {
  return sql.createTopic.get(name, maxAgeMs, lane.at + maxAgeMs, lane.forgotten) as TopicRow;
}

function insert(sql: Statements, topic: number, { seq, prev, at, data, id }: LogEntry, size: number): void {
  const again = id !== undefined && sql.hasOwnId.get(id, topic) !== undefined;
  sql.insert.run(seq, topic, prev, at, size, id ?? null, again ? 1 : 0, data);
}

export function sizeOf({ data, id = '' }: Pick<LogEntry, 'data' | 'id'>): number {
  return data.byteLength + Buffer.byteLength(id) + ENTRY_OVERHEAD_BYTES;
}
