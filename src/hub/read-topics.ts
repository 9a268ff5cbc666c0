import type { Engine, Hole, LogEntry, ReadPage, ReadRequest } from '../engine/engine.js';
import { contradiction, isContradiction } from '../engine/resume.js';
import type { Position } from '../topic/position.js';
import { controlOf } from '../wire/payload.js';
import type { LeadPage } from './log-page.js';
import { byPortion } from './prelude.js';
import type { Leading } from './prelude.js';

/** A store that works on more at once does nothing else meanwhile: 10,000 topics took Redis up to a second. */
export const MAX_TOPICS_AT_ONCE = 500;
/** What each question of many is asked for at least: few have all that is wanted, and the rest is thrown away. */
const MIN_ENTRIES = 32;

type Pause = () => Promise<void> | undefined;

/** The topics to read of many, and up to where the others are known to have nothing. */
interface News {
  readonly topics: readonly string[];
  readonly upTo: Position | undefined;
}

/** Reads a page of any number of topics, asking the engine for few at once. Between these questions it waits for what `pause` gives. */
export async function readTopics(
  engine: Engine,
  request: ReadRequest,
  pause: Pause = () => undefined,
): Promise<ReadPage> {
  if (request.topics.length <= MAX_TOPICS_AT_ONCE) return engine.read(request);
  const { topics, upTo } = await newsOf(engine, request, pause);
  const parts = partsOf(topics);
  const maxEntries = Math.max(MIN_ENTRIES, Math.ceil((2 * request.maxEntries) / parts.length));
  const pages: ReadPage[] = [];
  for (const part of parts) {
    await pause();
    pages.push(await engine.read({ ...request, topics: part, maxEntries }));
  }
  const epoch = upTo?.epoch ?? pages[0]?.upTo.epoch;
  const isOneLog = pages.every((page) => page.upTo.epoch === epoch);
  return isOneLog ? merge(pages, upTo, request) : readTopics(engine, request, pause);
}

/** Reads a page of what leads up to a place: of each topic its portion. */
export async function readLead(
  engine: Engine,
  request: ReadRequest,
  lead: Leading,
  pause: Pause = () => undefined,
): Promise<LeadPage> {
  if (lead.more !== undefined) return readPortions(engine, request, lead, pause);
  let more: ReadonlyMap<string, number> = new Map();
  for (;;) {
    const page = await readPortions(engine, request, { ...lead, more }, pause);
    if (page.holes.some(isContradiction)) return page;
    const found = await endsBehind(engine, request, { ...lead, more }, page, pause);
    const isMore = [...found].some(([topic, count]) => count > (more.get(topic) ?? 0));
    if (!isMore) return { ...page, more };
    more = found;
  }
}

async function readPortions(engine: Engine, request: ReadRequest, lead: Leading, pause: Pause): Promise<ReadPage> {
  const groups = byPortion(request.topics, lead);
  const pages: ReadPage[] = [];
  for (const group of groups) pages.push(await readTopics(engine, { ...request, ...group }, pause));
  const [first] = pages;
  if (first === undefined) return { entries: [], upTo: lead.upTo, holes: [] };
  // It was no place in this log, or the log has become another: whoever asked begins anew.
  const isOneLog = pages.every(({ upTo, holes }) => upTo.epoch === first.upTo.epoch && !holes.some(isContradiction));
  if (!isOneLog) return readTopics(engine, request, pause);
  return pages.length === 1 ? first : merge(pages, undefined, request);
}

/**
 * How often each topic that has a portion of so many has ended among them, on a page and on those that follow: an event on the first may be
 * one of the newest because of an end on the last.
 */
async function endsBehind(
  engine: Engine,
  request: ReadRequest,
  lead: Leading,
  first: ReadPage,
  pause: Pause,
): Promise<Map<string, number>> {
  const ends = new Map<string, number>();
  const { prelude, upTo } = lead;
  const topics = request.topics.filter((topic) => (prelude.portionOf(topic)?.last ?? Infinity) < Infinity);
  const counted = new Set(topics);
  for (let page = first; ;) {
    for (const { topic, seq, data } of page.entries) {
      if (seq > upTo.seq || !counted.has(topic) || controlOf(data) === undefined) continue;
      ends.set(topic, (ends.get(topic) ?? 0) + 1);
    }
    const { epoch, seq: after } = page.upTo;
    const isLast = after >= upTo.seq || (page !== first && page.entries.length === 0);
    if (topics.length === 0 || isLast || epoch !== upTo.epoch) return ends;
    await pause();
    page = await readPortions(engine, { ...request, topics, after, verify: undefined }, lead, pause);
  }
}

/** The topics that have something for whoever stands at the place; most of many have not. */
async function newsOf(engine: Engine, { topics, after, verify }: ReadRequest, pause: Pause): Promise<News> {
  if (after === undefined) return { topics, upTo: undefined };
  let head: Position | undefined;
  const behind: string[] = [];
  for (const part of partsOf(topics)) {
    await pause();
    const { upTo, topics: heads } = await engine.heads(part);
    // What is wrong with a place is to be told of all topics, and so is what a log has lost meanwhile.
    if (contradiction(verify ?? upTo, upTo, undefined) !== undefined) return { topics, upTo: undefined };
    if (head !== undefined && contradiction(head, upTo, undefined) !== undefined) return { topics, upTo: undefined };
    head ??= upTo;
    for (const [n, topic] of part.entries()) {
      const newest = heads[n];
      // What the log does not know, and what contradicts the place, is for the engine to answer.
      const isToBeRead = newest === undefined || newest.seq > after || (verify !== undefined && newest.at > verify.at);
      if (isToBeRead) behind.push(topic);
    }
  }
  return { topics: behind, upTo: head };
}

/** At least one, for a page without entries tells where the log ends. */
function partsOf(topics: readonly string[]): (readonly string[])[] {
  const parts: (readonly string[])[] = [];
  for (let from = 0; from === 0 || from < topics.length; from += MAX_TOPICS_AT_ONCE) {
    parts.push(topics.slice(from, from + MAX_TOPICS_AT_ONCE));
  }
  return parts;
}

/**
 * One page in lane order. Where the first of them ends, so does it: others may have entries beyond that are not read yet. And it ends where
 * those that were not read are known to have nothing.
 */
function merge(
  pages: readonly ReadPage[],
  known: Position | undefined,
  { maxEntries, maxBytes }: ReadRequest,
): ReadPage {
  const least = pages.reduce(
    (upTo, page) => (page.upTo.seq < upTo.seq ? page.upTo : upTo),
    known ?? (pages[0] as ReadPage).upTo,
  );
  const found = pages.flatMap(({ entries }) => entries).filter(({ seq }) => seq <= least.seq);
  found.sort((a, b) => a.seq - b.seq);
  const entries: LogEntry[] = [];
  let bytes = 0;
  for (const entry of found) {
    bytes += entry.data.byteLength;
    if (entries.length > 0 && (entries.length >= maxEntries || bytes > maxBytes)) break;
    entries.push(entry);
  }
  const last = entries.length < found.length ? (entries[entries.length - 1] as LogEntry) : undefined;
  const upTo: Position = last === undefined ? least : { epoch: least.epoch, seq: last.seq, at: last.at };
  return { entries, upTo, holes: mergeHoles(pages) };
}

function mergeHoles(pages: readonly ReadPage[]): Hole[] {
  const topics = new Map<Hole['reason'], string[]>();
  for (const hole of pages.flatMap(({ holes }) => holes)) {
    topics.set(hole.reason, [...(topics.get(hole.reason) ?? []), ...hole.topics]);
  }
  return [...topics].map(([reason, named]) => ({ reason, topics: named }));
}
