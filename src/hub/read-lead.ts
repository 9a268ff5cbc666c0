import type { Engine, ReadPage, ReadRequest } from '../engine/engine.js';
import { isContradiction } from '../engine/resume.js';
import { payloadOf } from '../engine/text-entry.js';
import { mergePages, readTopics } from '../feed/read-topics.js';
import type { Pause } from '../feed/read-topics.js';
import { controlOf } from '../wire/payload.js';
import type { LeadPage } from './log-page.js';
import { byPortion } from './prelude.js';
import type { Leading } from './prelude.js';

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
  return pages.length === 1 ? first : mergePages(pages, undefined, request);
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
    for (const entry of page.entries) {
      const { topic, seq } = entry;
      if (seq > upTo.seq || !counted.has(topic) || controlOf(payloadOf(entry)) === undefined) continue;
      ends.set(topic, (ends.get(topic) ?? 0) + 1);
    }
    const { epoch, seq: after } = page.upTo;
    const isLast = after >= upTo.seq || (page !== first && page.entries.length === 0);
    if (topics.length === 0 || isLast || epoch !== upTo.epoch) return ends;
    await pause();
    page = await readPortions(engine, { ...request, topics, after, verify: undefined }, lead, pause);
  }
}
