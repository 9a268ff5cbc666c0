import type { Engine, Hole, LogEntry, ReadPage, ReadRequest } from '../engine/engine.js';
import { contradiction } from '../engine/resume.js';
import { sizeOf } from '../engine/text-entry.js';
import type { Position } from '../topic/position.js';

/** A store that works on more at once does nothing else meanwhile: 10,000 topics took Redis up to a second. */
export const MAX_TOPICS_AT_ONCE = 500;
/** What each question of many is asked for at least: few have all that is wanted, and the rest is thrown away. */
const MIN_ENTRIES = 32;

export type Pause = () => Promise<void> | undefined;

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
  return isOneLog ? mergePages(pages, upTo, request) : readTopics(engine, request, pause);
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
export function mergePages(
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
    bytes += sizeOf(entry);
    if (entries.length > 0 && (entries.length >= maxEntries || bytes > maxBytes)) break;
    entries.push(entry);
  }
  const last = entries.length < found.length ? (entries[entries.length - 1] as LogEntry) : undefined;
  const upTo: Position = last === undefined ? least : { epoch: least.epoch, seq: last.seq, at: last.at };
  return { entries, upTo, holes: holesOf(pages) };
}

function holesOf(pages: readonly ReadPage[]): Hole[] {
  const topics = new Map<Hole['reason'], string[]>();
  for (const hole of pages.flatMap(({ holes }) => holes)) {
    topics.set(hole.reason, [...(topics.get(hole.reason) ?? []), ...hole.topics]);
  }
  return [...topics].map(([reason, named]) => ({ reason, topics: named }));
}
