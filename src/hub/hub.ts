import { setTimeout as delay } from 'node:timers/promises';
import { EVERY_TOPIC } from '../engine/engine.js';
import type { Engine, EngineSink, Listing, LogEntry, ReadPage, ReadRequest } from '../engine/engine.js';
import { PatternIndex, literalPrefix } from '../topic/pattern.js';
import type { Position } from '../topic/position.js';
import { FanOut } from './fan-out.js';
import { View } from './view.js';
import { WindowBudget } from './window-budget.js';
import type { HeldEntry } from './window-budget.js';

export interface HubOptions {
  /** How many bytes of recent events all windows of this process keep together. */
  readonly windowBytes: number;
  /** How long a selection that nobody watches any more stays warm for clients that come back. */
  readonly graceMs: number;
  /** Hears of engine trouble that the hub recovers from by itself. */
  readonly onError: (error: unknown) => void;
}

const PAGE_ENTRIES = 256;
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 5_000;

/** Knows which selections are watched in this process, keeps their windows filled, and wakes their cursors. */
export class Hub implements EngineSink {
  readonly #engine: Engine;
  readonly #options: HubOptions;
  readonly #views = new Map<string, View>();
  readonly #byName = new Map<string, Set<View>>();
  readonly #byPattern = new PatternIndex<View>();
  readonly #fanOut = new FanOut();
  readonly #budget: WindowBudget;
  readonly #idle = new Set<View>();
  readonly #closing = new AbortController();
  #seen: Position | undefined;
  #sweeper: NodeJS.Timeout | undefined;
  #started: Promise<void> | undefined;

  constructor(engine: Engine, options: HubOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#budget = new WindowBudget(options.windowBytes, (held) => this.#evict(held));
  }

  /** The view of a selection, to be given back with `release`. It may still be opening: see `View.opened`. */
  acquire(selectors: readonly string[]): View {
    const sorted = [...new Set(selectors)].sort();
    const key = sorted.join('\n');
    let view = this.#views.get(key);
    if (view === undefined) {
      view = new View(key, sorted, this.#budget);
      this.#views.set(key, view);
      for (const name of view.names) this.#viewsOf(name).add(view);
      for (const pattern of view.patterns) this.#byPattern.add(pattern, view);
      view.opened = this.#open(view);
    }
    view.refs++;
    this.#idle.delete(view);
    return view;
  }

  release(view: View): void {
    if (--view.refs > 0 || this.#closing.signal.aborted) return;
    view.idleSince = Date.now();
    this.#idle.add(view);
    this.#sweeper ??= setInterval(() => this.#sweep(), this.#options.graceMs / 2 + 1).unref();
  }

  /** Where someone stands who has read everything that this view has been given. */
  positionOf(view: View): Position {
    return this.#seen !== undefined && this.#seen.seq > view.base.seq ? this.#seen : view.base;
  }

  entry(epoch: string, entry: LogEntry): void {
    this.#seen = { epoch, seq: entry.seq, at: entry.at };
    const held: HeldEntry = { entry, windows: 0 };
    const named = this.#byName.get(entry.topic);
    if (named !== undefined) for (const view of named) this.#give(view, held);
    if (this.#byPattern.size > 0) for (const view of this.#byPattern.match(entry.topic)) this.#give(view, held);
    if (held.windows > 0) this.#budget.add(held);
  }

  /** Resolves after the next turn of the event loop, when so much waits for it that whoever publishes should let it come. */
  pressure(): Promise<void> | undefined {
    return this.#fanOut.pressure();
  }

  /** Reads on in the log, for a cursor that is not inside its window. */
  async read(view: View, request: Omit<ReadRequest, 'topics' | 'maxEntries'>): Promise<ReadPage> {
    if (view.patterns.length === 0)
      return this.#engine.read({ ...request, topics: view.names, maxEntries: PAGE_ENTRIES });
    const listings = await this.#list(view);
    const page = await this.#engine.read({ ...request, topics: topicsOf(view, listings), maxEntries: PAGE_ENTRIES });
    return restrict(page, listings, request.after, view);
  }

  async locate(view: View, id: string): Promise<Position | 'ambiguous' | undefined> {
    return this.#engine.locate(topicsOf(view, await this.#list(view)), id);
  }

  /** Repeats an engine call until it succeeds: nobody's stream ends because the engine was away. `undefined` once the hub is closed. */
  async persist<T>(call: () => Promise<T>): Promise<T | undefined> {
    const { signal } = this.#closing;
    for (let retryMs = FIRST_RETRY_MS; !signal.aborted; retryMs = Math.min(retryMs * 2, MAX_RETRY_MS)) {
      try {
        return await call();
      } catch (error) {
        if (signal.aborted) break;
        this.#options.onError(error);
        await delay(retryMs, undefined, { ref: false, signal }).catch(ignore);
      }
    }
    return undefined;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#sweeper);
    this.#fanOut.close();
    for (const view of this.#views.values()) for (const cursor of [...view.cursors]) cursor.close();
    this.#views.clear();
    this.#byName.clear();
  }

  async #open(view: View): Promise<void> {
    const topics = view.patterns.length > 0 ? [...view.names, EVERY_TOPIC] : view.names;
    const head = await this.persist(async () => {
      await this.#start();
      return this.#engine.subscribe(topics);
    });
    if (head !== undefined) view.open(head);
  }

  async #start(): Promise<void> {
    this.#started ??= this.#engine.start(this);
    try {
      await this.#started;
    } catch (error) {
      this.#started = undefined;
      throw error;
    }
  }

  #give(view: View, held: HeldEntry): void {
    view.push(held);
    this.#fanOut.wake(view);
  }

  #evict(held: HeldEntry): void {
    const { topic } = held.entry;
    for (const view of this.#byName.get(topic) ?? []) view.evict(held);
    for (const view of this.#byPattern.match(topic)) view.evict(held);
  }

  #viewsOf(name: string): Set<View> {
    let views = this.#byName.get(name);
    if (views === undefined) this.#byName.set(name, (views = new Set()));
    return views;
  }

  #list(view: View): Promise<readonly Listing[]> {
    return Promise.all(view.patterns.map((pattern) => this.#engine.list(literalPrefix(pattern))));
  }

  #sweep(): void {
    const before = Date.now() - this.#options.graceMs;
    const released: string[] = [];
    for (const view of this.#idle) {
      if (view.idleSince > before) break;
      this.#idle.delete(view);
      this.#views.delete(view.key);
      view.clear();
      for (const pattern of view.patterns) this.#byPattern.delete(pattern, view);
      for (const name of view.names) {
        const views = this.#byName.get(name);
        views?.delete(view);
        if (views?.size !== 0) continue;
        this.#byName.delete(name);
        released.push(name);
      }
      if (view.patterns.length > 0 && this.#byPattern.size === 0) released.push(EVERY_TOPIC);
    }
    if (released.length > 0) this.#engine.unsubscribe(released);
    if (this.#idle.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}

function ignore(): void {
  // The hub was closed.
}

function topicsOf(view: View, listings: readonly Listing[]): readonly string[] {
  const matching = listings.flatMap(({ names }) => view.matching(names));
  return [...new Set([...view.names, ...matching])];
}

/** Cuts a page where its list of topics ends: one that came to be after the listing may have events beyond. */
function restrict(page: ReadPage, listings: readonly Listing[], after: number | undefined, view: View): ReadPage {
  const listed = listings.reduce((least, { upTo }) => (upTo.seq < least.seq ? upTo : least), page.upTo);
  const entries = listed === page.upTo ? page.entries : page.entries.filter(({ seq }) => seq <= listed.seq);
  const forgotten = Math.max(...listings.map(({ forgottenUpTo }) => forgottenUpTo));
  const isUncertain = after !== undefined && after < forgotten;
  const holes = isUncertain ? [...page.holes, { reason: 'unknown' as const, topics: view.patterns }] : page.holes;
  return { entries, upTo: listed, holes };
}
