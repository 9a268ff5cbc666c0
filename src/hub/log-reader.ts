import type { Engine, ReadPage } from '../engine/engine.js';
import { contradiction } from '../engine/resume.js';
import { sizeOf } from '../engine/text-entry.js';
import { MAX_TOPICS_AT_ONCE, readTopics } from '../feed/read-topics.js';
import type { Teller } from '../signals.js';
import type { Position } from '../topic/position.js';
import { MAX_ID_BYTES } from '../wire/event.js';
import type { HoleReason } from '../wire/words.js';
import { type LeadPage, LogPage } from './log-page.js';
import { PageCache } from './page-cache.js';
import type { Leading } from './prelude.js';
import { readLead } from './read-lead.js';
import type { HubSignals } from './signals.js';
import { TopicLists } from './topic-lists.js';
import type { TopicList } from './topic-lists.js';
import type { View } from './view.js';
import { WorkQueue } from './work-queue.js';

/** What a cursor asks for that is not inside its window. */
export interface PageRequest {
  /** Only what is beyond is wanted; `undefined` reads from the first retained event. */
  readonly after: number | undefined;
  /** The place that a client claims to have read up to, with `after` its sequence. */
  readonly verify: Position | undefined;
  /** Of what is before its place, only this is wanted. */
  readonly lead?: Leading | undefined;
  readonly maxBytes: number;
}

const PAGE_ENTRIES = 256;

/** An id of a publisher's own is looked for in so many topics at most: beyond, it is as good as gone. */
const MAX_LOCATED_TOPICS = 2_000;

/**
 * Reads the log for cursors. What clients can ask for is bounded: few questions are under way at once, those over many topics are
 * fewer still and asked in pieces, and who asks the same shares the answer.
 */
export class LogReader {
  readonly #engine: Engine;
  readonly #signals: Teller<HubSignals>;
  readonly #queue = new WorkQueue();
  readonly #pages = new PageCache();
  readonly #lists: TopicLists;
  readonly #locating = new Map<string, Promise<Position | 'ambiguous' | undefined>>();
  #head: Promise<Position> | undefined;
  #now: Promise<unknown> = Promise.resolve();
  #nextNow: Promise<Position> | undefined;

  constructor(engine: Engine, signals: Teller<HubSignals>) {
    this.#engine = engine;
    this.#signals = signals;
    this.#lists = new TopicLists(engine, this.#queue);
  }

  /**
   * Reads on in the log of a selection.
   *
   * @param known the newest position that this process knows of
   */
  async read(view: View, request: PageRequest, known: Position): Promise<LogPage> {
    const { verify } = request;
    const lost = verify === undefined ? undefined : await this.#contradiction(verify, known);
    const page = await this.#share(view, lost === undefined ? request : fromTheStart(request));
    // After it has read, everyone takes his turn: thousands may have waited for the same page.
    await this.#queue.run(async () => undefined);
    if (lost === undefined) return page;
    if (lost === 'epoch' && page.upTo.epoch === verify?.epoch) return this.read(view, request, page.upTo);
    return page.with([{ reason: lost, topics: view.selectors }]);
  }

  /** The newest place of the log, not from before it was asked for. Those who ask while the engine is answering ask together. */
  head(): Promise<Position> {
    if (this.#nextNow !== undefined) return this.#nextNow;
    const asked = this.#now.then(() => this.#askNow());
    this.#nextNow = asked;
    this.#now = asked.catch(() => undefined);
    return asked;
  }

  async #askNow(): Promise<Position> {
    this.#nextNow = undefined;
    const { upTo } = await this.#queue.run(() => this.#engine.heads([]));
    return upTo;
  }

  /** The place of the event that a publisher gave this id; `undefined`: there is none, or it is not to be found with reasonable effort. */
  async locate(view: View, id: string): Promise<Position | 'ambiguous' | undefined> {
    if (id.length > MAX_ID_BYTES) return undefined;
    const key = `${view.id}\n${id}`;
    let located = this.#locating.get(key);
    if (located === undefined) {
      located = this.#locate(view, id).finally(() => this.#locating.delete(key));
      this.#locating.set(key, located);
    }
    return located;
  }

  /** Lets go of what was read: it may be of another log, or no longer all that there is. */
  forgetLists(): void {
    this.#lists.delete();
  }

  forget(): void {
    this.#pages.clear();
    this.#lists.delete();
  }

  close(): void {
    this.#queue.close();
    this.forget();
  }

  /**
   * What is wrong with a place for every topic. All who come back after the log was lost or put back claim such places, each another,
   * and are given the same page.
   */
  async #contradiction(verify: Position, known: Position): Promise<HoleReason | undefined> {
    if (contradiction(verify, known, undefined) === undefined) return undefined;
    // This process may know less than the client, who was at another one.
    this.#head ??= this.#queue
      .run(async () => (await this.#engine.heads([])).upTo)
      .finally(() => (this.#head = undefined));
    return contradiction(verify, await this.#head, undefined);
  }

  #share(view: View, request: PageRequest): Promise<LogPage> {
    const { after, verify, lead, maxBytes } = request;
    const part = lead && `${lead.prelude.key} ${lead.upTo.seq}`;
    // Until the next event, which may push out of the log what a page begins with, and never from before the window.
    const key = `${view.id} ${view.lastSeq} ${view.floor} ${after} ${verify?.epoch} ${verify?.at} ${maxBytes} ${part}`;
    return this.#pages.get(key, async () => new LogPage(await this.#readPage(view, request)));
  }

  async #readPage(view: View, request: PageRequest): Promise<LeadPage> {
    if (view.patterns.length === 0) return this.#readTopics(view.names, request);
    try {
      const list = await this.#listOf(view, request.after);
      const page = await this.#readTopics(list.topics, request);
      if (isOfSameLog(page, list)) return restrict(page, list, request.after, view);
      this.#lists.delete(view);
      return await this.#readPage(view, request);
    } catch (error) {
      this.#lists.delete(view);
      throw error;
    }
  }

  #readTopics(topics: readonly string[], request: PageRequest): Promise<LeadPage> {
    const { after, verify, maxBytes, lead } = request;
    const wanted = { topics, after, verify, maxBytes, maxEntries: PAGE_ENTRIES };
    const pause = (): Promise<void> | undefined => this.#queue.pause();
    const read = (): Promise<LeadPage> =>
      lead === undefined ? readTopics(this.#engine, wanted, pause) : readLead(this.#engine, wanted, lead, pause);
    return this.#queue.run(async () => {
      const startedAt = performance.now();
      const page = await read();
      if (this.#signals.wants('page')) this.#tell(page, topics.length, performance.now() - startedAt);
      return page;
    }, isWide(topics));
  }

  #tell({ entries }: LeadPage, topics: number, ms: number): void {
    const bytes = entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
    this.#signals.tell('page', { topics, events: entries.length, bytes, ms });
  }

  #listOf(view: View, after: number | undefined): Promise<TopicList> {
    return this.#queue.run(() => this.#lists.get(view, after));
  }

  async #locate(view: View, id: string): Promise<Position | 'ambiguous' | undefined> {
    const topics = view.patterns.length === 0 ? view.names : (await this.#listOf(view, undefined)).topics;
    if (topics.length > MAX_LOCATED_TOPICS) return undefined;
    let found: Position | undefined;
    for (let from = 0; from < topics.length; from += MAX_TOPICS_AT_ONCE) {
      const asked = topics.slice(from, from + MAX_TOPICS_AT_ONCE);
      const place = await this.#queue.run(() => this.#engine.locate(asked, id), isWide(topics));
      if (place === 'ambiguous' || (place !== undefined && found !== undefined)) return 'ambiguous';
      found ??= place;
    }
    return found;
  }
}

function isWide(topics: readonly string[]): boolean {
  return topics.length > MAX_TOPICS_AT_ONCE;
}

function fromTheStart({ maxBytes }: PageRequest): PageRequest {
  return { after: undefined, verify: undefined, maxBytes };
}

/** Whether a list says something of the log that a page was read from: it may have been lost, or counted back, since. */
function isOfSameLog({ upTo }: ReadPage, list: TopicList): boolean {
  return upTo.epoch === list.upTo.epoch && (upTo.seq <= list.upTo.seq || upTo.at >= list.upTo.at);
}

/** Cuts a page where its list of topics ends: one that came to be after the listing may have events beyond. */
function restrict(page: LeadPage, list: TopicList, after: number | undefined, view: View): LeadPage {
  const isBeyond = list.upTo.seq < page.upTo.seq;
  const entries = isBeyond ? page.entries.filter(({ seq }) => seq <= list.upTo.seq) : page.entries;
  const isUncertain = after !== undefined && after < list.forgottenUpTo;
  const holes = isUncertain ? [...page.holes, { reason: 'unknown' as const, topics: view.patterns }] : page.holes;
  return { ...page, entries, upTo: isBeyond ? list.upTo : page.upTo, holes };
}
