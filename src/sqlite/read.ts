import { setImmediate as turn } from 'node:timers/promises';
import type { Heads, LogEntry, ReadPage, ReadRequest, TopicHead } from '../engine/engine.js';
import { endOf, holesBeyond } from '../engine/kit/page.js';
import type { KnownTopic } from '../engine/kit/page.js';
import { contradiction } from '../engine/resume.js';
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

/** A topic, and the first entry that is retained of one that has entries beyond the place in question. */
interface Known extends KnownTopic {
  readonly row: TopicRow;
  readonly first: { readonly seq: number; readonly prev: number } | undefined;
}

/** Reads a page in one go, so that nothing is appended meanwhile. `head` is the lane's, with the time of now. */
export function readPage(sql: Sql, request: ReadRequest, head: Position, forgotten: number): ReadPage {
  const topics = [...new Set(request.topics)];
  const rows = topics.map((topic) => sql.topic.get(topic));
  const lost = findContradiction(sql, request.verify, rows, head);
  const after = (lost ? undefined : request.after) ?? 0;
  const known = rows.map((row): Known | undefined => {
    const first = row && row.head > after ? sql.first.get(row.id, head.at - row.maxAgeMs) : undefined;
    return row && { row, first, head: row.head, unknownBefore: row.unknownBefore };
  });
  const page = readEntries(sql, known, after, request, head);
  if (lost) return { ...page, holes: [{ reason: lost, topics }] };
  return { ...page, holes: holesBeyond(request.after, topics, (_, n) => known[n], forgotten) };
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
  known: readonly (Known | undefined)[],
  after: number,
  { excerpt, maxEntries, maxBytes }: ReadRequest,
  head: Position,
): Pick<ReadPage, 'entries' | 'upTo'> {
  const wanted = Math.min(Math.max(maxEntries, 1), MAX_ENTRIES);
  const places = placesOf(sql, known, after, wanted + 1, leftOutBy(sql, excerpt, head.seq));
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
  const isCut = entries.length > 0 && entries.length < places.length;
  return { entries, upTo: endOf(head, isCut ? entries.at(-1) : undefined) };
}

/** The places of the first `max` entries of all these topics beyond `after`, in lane order. */
function placesOf(
  sql: Sql,
  known: readonly (Known | undefined)[],
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
  for (const topic of known) {
    if (topic?.first === undefined) continue;
    const { row, first } = topic;
    const from = Math.max(after, first.seq - 1, leftOut(row));
    if (from >= bound) continue;
    for (const { seq } of sql.seqs.all(row.id, from, bound, max)) places.push({ topic: row.name, seq });
    // Bounds what is gathered of many topics, and lets the next ones be asked for less.
    if (places.length >= 2 * max) cut();
  }
  cut();
  return places;
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
