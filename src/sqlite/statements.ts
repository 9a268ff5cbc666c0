import type { LogEntry } from '../engine/engine.js';
import type { SqliteDatabase, SqliteStatement } from './driver.js';

export interface Lane {
  readonly epoch: string;
  seq: number;
  at: number;
  /** What all retained entries take. */
  bytes: number;
  /** Highest head among the topics that have disappeared. */
  forgotten: number;
}

export interface TopicRow {
  readonly id: number;
  readonly name: string;
  readonly head: number;
  readonly headAt: number;
  readonly count: number;
  readonly bytes: number;
  readonly maxAgeMs: number;
  readonly unknownBefore: number;
}

/** A retained entry, for whoever evicts it. */
export interface Evictable {
  readonly seq: number;
  readonly size: number;
  readonly topic: number;
}

type StoredEntry = Pick<LogEntry, 'prev' | 'at' | 'data'> & { readonly id: string | null };

const TOPIC = `id, name, head, head_at AS headAt, count, bytes, max_age_ms AS maxAgeMs, unknown_before AS unknownBefore`;

const SQL = {
  begin: 'BEGIN IMMEDIATE',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',
  lane: 'SELECT epoch, seq, at, bytes, forgotten FROM lane',
  updateLane: 'UPDATE lane SET seq = ?, at = ?, bytes = ?, forgotten = ?',

  topic: `SELECT ${TOPIC} FROM topic WHERE name = ?`,
  createTopic: `INSERT INTO topic (name, head, head_at, count, bytes, max_age_ms, check_at, unknown_before)
    VALUES (?, 0, 0, 0, 0, ?, ?, ?) RETURNING ${TOPIC}`,
  updateTopic: 'UPDATE topic SET head = ?, head_at = ?, count = ?, bytes = ?, max_age_ms = ? WHERE id = ?',
  shrinkTopic: 'UPDATE topic SET count = count - ?, bytes = bytes - ? WHERE id = ?',
  checkTopicAt: 'UPDATE topic SET check_at = ? WHERE id = ?',
  forgetTopic: 'DELETE FROM topic WHERE id = ?',
  dueTopics: `SELECT ${TOPIC} FROM topic WHERE check_at < ? ORDER BY check_at LIMIT ?`,
  allNames: 'SELECT name FROM topic',
  namesFrom: 'SELECT name FROM topic WHERE name >= ?',
  namesBetween: 'SELECT name FROM topic WHERE name >= ? AND name < ?',

  insert: 'INSERT INTO entry (seq, topic, prev, at, size, own_id, again, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  entry: 'SELECT prev, at, own_id AS id, data FROM entry WHERE seq = ?',
  first: 'SELECT seq, prev, at FROM entry WHERE topic = ? AND at >= ? ORDER BY seq LIMIT 1',
  seqs: 'SELECT seq FROM entry WHERE topic = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?',
  newest: 'SELECT seq FROM entry WHERE topic = ? AND seq <= ? ORDER BY seq DESC LIMIT 1 OFFSET ?',
  newestAt: 'SELECT seq, at FROM entry WHERE seq <= ? ORDER BY seq DESC LIMIT 1',
  newestAtOfTopic: 'SELECT at FROM entry WHERE topic = ? AND seq <= ? ORDER BY seq DESC LIMIT 1',
  hasOwnId: 'SELECT 1 FROM entry WHERE own_id = ? AND topic = ? LIMIT 1',
  byOwnId: `SELECT topic.name AS topic, entry.seq, entry.at, again FROM entry JOIN topic ON topic.id = entry.topic
    WHERE own_id = ? ORDER BY entry.seq DESC`,

  oldest: 'SELECT seq, size, topic FROM entry WHERE seq > ? ORDER BY seq LIMIT ?',
  oldestOfTopic: 'SELECT seq, size, topic FROM entry WHERE topic = ? AND seq > ? ORDER BY seq LIMIT ?',
  tooOld: 'SELECT seq, size, topic FROM entry WHERE topic = ? AND at < ? ORDER BY seq LIMIT ?',
  evict: 'DELETE FROM entry WHERE seq <= ?',
  evictOfTopic: 'DELETE FROM entry WHERE topic = ? AND seq <= ?',
} as const;

/** The result rows, by statement, of those that have any. */
interface Rows {
  readonly lane: Lane;
  readonly topic: TopicRow;
  readonly createTopic: TopicRow;
  readonly dueTopics: TopicRow;
  readonly allNames: { readonly name: string };
  readonly namesFrom: { readonly name: string };
  readonly namesBetween: { readonly name: string };
  readonly entry: StoredEntry;
  readonly first: { readonly seq: number; readonly prev: number; readonly at: number };
  readonly seqs: { readonly seq: number };
  readonly newest: { readonly seq: number };
  readonly newestAt: { readonly seq: number; readonly at: number };
  readonly newestAtOfTopic: { readonly at: number };
  readonly hasOwnId: object;
  readonly byOwnId: { readonly topic: string; readonly seq: number; readonly at: number; readonly again: number };
  readonly oldest: Evictable;
  readonly oldestOfTopic: Evictable;
  readonly tooOld: Evictable;
}

/** A statement whose `get` and `all` give rows of one shape. */
export type Statement<Row> = Pick<SqliteStatement, 'run'> & {
  get(...values: Parameters<SqliteStatement['get']>): Row | undefined;
  all(...values: Parameters<SqliteStatement['all']>): Row[];
};

export type Statements = {
  readonly [Name in keyof typeof SQL]: Statement<Name extends keyof Rows ? Rows[Name] : never>;
};

export function prepareStatements(database: SqliteDatabase): Statements {
  const prepared = Object.entries(SQL).map(([name, sql]) => [name, database.prepare(sql)]);
  return Object.fromEntries(prepared) as Statements;
}
