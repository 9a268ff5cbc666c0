import type { Engine, Hole, LogEntry, ReadPage, ReadRequest } from '../engine/engine.js';
import type { Position } from '../topic/position.js';

/** A store that works on more at once does nothing else meanwhile: 10,000 topics took Redis up to a second. */
const MAX_TOPICS = 500;

/** Reads a page of any number of topics, asking the engine for few at once. Between these questions it waits for what `pause` gives. */
export async function readTopics(
  engine: Engine,
  request: ReadRequest,
  pause: () => Promise<void> | undefined = () => undefined,
): Promise<ReadPage> {
  if (request.topics.length <= MAX_TOPICS) return engine.read(request);
  const topics = await withNews(engine, request);
  const pages: ReadPage[] = [];
  for (let from = 0; from === 0 || from < topics.length; from += MAX_TOPICS) {
    await pause();
    pages.push(await engine.read({ ...request, topics: topics.slice(from, from + MAX_TOPICS) }));
  }
  const isOneLog = pages.every(({ upTo }) => upTo.epoch === pages[0]?.upTo.epoch);
  return isOneLog ? merge(pages, request) : readTopics(engine, request, pause);
}

/** The topics that have something for whoever stands at the place; most of many have not. */
async function withNews(engine: Engine, { topics, after, verify }: ReadRequest): Promise<readonly string[]> {
  if (after === undefined) return topics;
  const { upTo, topics: heads } = await engine.heads(topics);
  // What is wrong with a place is to be told of all topics.
  if (verify !== undefined && (verify.epoch !== upTo.epoch || verify.seq > upTo.seq)) return topics;
  return topics.filter((_, n) => {
    const head = heads[n];
    // What the log does not know, and what contradicts the place, is for the engine to answer.
    return head === undefined || head.seq > after || (verify !== undefined && head.at > verify.at);
  });
}

/** One page in lane order. Where the first of them ends, so does it: others may have entries beyond that are not read yet. */
function merge(pages: readonly ReadPage[], { maxEntries, maxBytes }: ReadRequest): ReadPage {
  const least = pages.reduce(
    (upTo, page) => (page.upTo.seq < upTo.seq ? page.upTo : upTo),
    (pages[0] as ReadPage).upTo,
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
