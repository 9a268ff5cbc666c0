import { setImmediate as turn } from 'node:timers/promises';
import type { Heads, Hole, LogEntry, ReadPage, ReadRequest, TopicHead } from '../engine/engine.js';
import { contradiction, isTrimmed } from '../engine/resume.js';
import type { Position } from '../topic/position.js';
import { leftOutBy } from './excerpt.js';
import type { Statements, TopicRow } from './statements.js';

/** After so many topics others have their turn: about 2 ms. */
const HEADS_AT_ONCE = 1_000;
const MAX_ENTRIES = 1_000_000;

type Sql = Statements;

interface Place {
  readonly topic: string;
  readonly seq: number;
}

/** A topic that has entries beyond the place in question, and the first of those that are retained. */
interface Advanced {
  readonly row: TopicRow;
  readonly first: { readonly seq: number; readonly prev: number } | undefined;
}

/** Reads a page in one go, so that nothing is appended meanwhile. `head` is the lane's, with the time of now. */
export function readPage(sql: Sql, request: ReadRequest, head: Position, forgotten: number): ReadPage {
  const topics = [...new Set(request.topics)];
  const rows = topics.map((topic) => sql.topic.get(topic));
  const lost = findContradiction(sql, request.verify, rows, head);
  const after = (lost ? undefined : request.after) ?? 0;
  const advanced: Advanced[] = [];
  for (const row of rows) {
    if (row === undefined || row.head <= after) continue;
    advanced.push({ row, first: sql.first.get(row.id, head.at - row.maxAgeMs) });
  }
  const page = readEntries(sql, advanced, after, request, head);
  if (lost) return { ...page, holes: [{ reason: lost, topics }] };
  return { ...page, holes: request.after === undefined ? [] : holesOf(topics, rows, advanced, after, forgotten) };
}

/** Finds a publisher's own id, also when the topics are many: there are few entries that have it. */
export function locate(
  sql: Sql,
  topics: readonly string[],
  id: string,
  epoch: string,
): Position | 'ambiguous' | undefined {
  const asked = new Set(topics);
  let found: Position | undefined;
  for (const { topic, seq, at, again } of sql.byOwnId.all(id)) {
    if (!asked.has(topic)) continue;
    if (found !== undefined || again === 1) return 'ambiguous';
    found = { epoch, seq, at };
  }
  return found;
}

export function listNames(sql: Sql, prefix: string): string[] {
  return Array.from(topicsFrom(sql, prefix), ({ name }) => name);
}

function topicsFrom(sql: Sql, prefix: string): { readonly name: string }[] {
  if (prefix === '') return sql.allNames.all();
  const end = successor(prefix);
  return end === undefined ? sql.namesFrom.all(prefix) : sql.namesBetween.all(prefix, end);
}

/** Reads in slices: the head of the lane is as old as the first of them, which is what `heads` allows. */
export async function readHeads(
  sql: Sql,
  topics: readonly string[],
  upTo: Position,
  assertOpen: () => void,
): Promise<Heads> {
  const heads: (TopicHead | undefined)[] = [];
  for (const topic of topics) {
    if (heads.length > 0 && heads.length % HEADS_AT_ONCE === 0) {
      await turn();
      assertOpen();
    }
    const row = sql.topic.get(topic);
    heads.push(row && { seq: row.head, at: row.headAt });
  }
  return { upTo, topics: heads };
}

function findContradiction(
  sql: Sql,
  verify: Position | undefined,
  rows: readonly (TopicRow | undefined)[],
  head: Position,
): 'epoch' | 'ahead' | 'diverged' | undefined {
  if (verify === undefined) return undefined;
  let newest: number | undefined;
  // As time does not fall along the lane, one look at it mostly saves a look at each topic.
  if ((sql.newestAt.get(verify.seq)?.at ?? 0) > verify.at) {
    for (const row of rows) {
      const at = row && sql.newestAtOfTopic.get(row.id, verify.seq)?.at;
      if (at !== undefined) newest = Math.max(newest ?? 0, at);
    }
  }
  return contradiction(verify, head, newest);
}

function readEntries(
  sql: Sql,
  advanced: readonly Advanced[],
  after: number,
  { excerpt, maxEntries, maxBytes }: ReadRequest,
  head: Position,
): Pick<ReadPage, 'entries' | 'upTo'> {
  const wanted = Math.min(Math.max(maxEntries, 1), MAX_ENTRIES);
  const places = placesOf(sql, advanced, after, wanted + 1, leftOutBy(sql, excerpt, head.seq));
  const entries: LogEntry[] = [];
  let bytes = 0;
  for (const { topic, seq } of places) {
    if (entries.length === wanted) break;
    const stored = sql.entry.get(seq);
    if (stored === undefined) continue;
    const { prev, at, id, data } = stored;
    bytes += data.byteLength;
    if (entries.length > 0 && bytes > maxBytes) break;
    entries.push({ topic, seq, prev, at, data, id: id ?? undefined });
  }
  const last = entries.at(-1);
  const isLast = last === undefined || entries.length === places.length;
  return { entries, upTo: isLast ? head : { epoch: head.epoch, seq: last.seq, at: last.at } };
}

/** The places of the first `max` entries of all these topics beyond `after`, in lane order. */
function placesOf(
  sql: Sql,
  advanced: readonly Advanced[],
  after: number,
  max: number,
  leftOut: (topic: TopicRow) => number,
): Place[] {
  let places: Place[] = [];
  let bound = Number.MAX_SAFE_INTEGER;
  const cut = (): void => {
    places = places.sort((a, b) => a.seq - b.seq).slice(0, max);
    if (places.length === max) bound = (places[max - 1] as Place).seq;
  };
  for (const { row, first } of advanced) {
    if (first === undefined) continue;
    const from = Math.max(after, first.seq - 1, leftOut(row));
    if (from >= bound) continue;
    for (const { seq } of sql.seqs.all(row.id, from, bound, max)) places.push({ topic: row.name, seq });
    // Bounds what is gathered of many topics, and lets the next ones be asked for less.
    if (places.length >= 2 * max) cut();
  }
  cut();
  return places;
}

function holesOf(
  topics: readonly string[],
  rows: readonly (TopicRow | undefined)[],
  advanced: readonly Advanced[],
  after: number,
  forgotten: number,
): Hole[] {
  const unknown = topics.filter((_, n) => after < (rows[n]?.unknownBefore ?? forgotten));
  const known = advanced.filter(({ row }) => after >= row.unknownBefore);
  const trimmed = known.filter(({ row, first }) => isTrimmed(after, row.head, first)).map(({ row }) => row.name);
  const holes: Hole[] = [];
  if (trimmed.length > 0) holes.push({ reason: 'trimmed', topics: trimmed });
  if (unknown.length > 0) holes.push({ reason: 'unknown', topics: unknown });
  return holes;
}

/** The first text, in the order of UTF-8, behind all that begin with `prefix`; `undefined` when there is none. */
function successor(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number);
  while (points.at(-1) === 0x10ffff) points.pop();
  const last = points.pop();
  if (last === undefined) return undefined;
  // The code points of surrogates are no text.
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
}
