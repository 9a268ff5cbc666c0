import { apart } from '../engine/apart.js';
import { EVERY_TOPIC } from '../engine/engine.js';
import type { Engine, LogEntry } from '../engine/engine.js';
import { EngineHealth } from '../feed/engine-health.js';
import { LiveFeed } from '../feed/live-feed.js';
import type { FeedListener } from '../feed/live-feed.js';
import type { Teller } from '../signals.js';
import type { Begin } from '../topic/begin.js';
import { isUsers } from '../topic/own-name.js';
import { PatternIndex } from '../topic/pattern.js';
import type { Position } from '../topic/position.js';
import { Beginnings } from './beginnings.js';
import { FanOut } from './fan-out.js';
import { FinalEnds } from './final-ends.js';
import type { LogPage } from './log-page.js';
import { LogReader } from './log-reader.js';
import type { PageRequest } from './log-reader.js';
import { beginningOf } from './prelude.js';
import type { Prelude, TopicBegins } from './prelude.js';
import { NOBODY, type HubSignals } from './signals.js';
import { View } from './view.js';
import { WindowBudget } from './window-budget.js';
import type { HeldEntry } from './window-budget.js';

export interface HubOptions {
  /** How many bytes of recent events all windows of this process keep together. */
  readonly windowBytes: number;
  /** How long a selection that nobody watches any more stays warm for clients that come back. */
  readonly graceMs: number;
  /** How often a log that other processes use is asked whether something was missed, in ms. */
  readonly auditMs: number;
  /** What the topics say of where their streams begin; absent: nothing. */
  readonly begins?: TopicBegins | undefined;
  /** Hears of what happens; absent: nobody does. When the engine does its work no longer, the hub recovers by itself. */
  readonly signals?: Teller<HubSignals> | undefined;
}

/** Selections that nobody reads any more stay warm with so many names and patterns together, about 500 bytes each. The oldest go first. */
const MAX_IDLE_SELECTORS = 10_000;

/** Knows which selections are watched in this process, keeps their windows filled, and wakes their cursors. */
export class Hub implements FeedListener {
  readonly #options: HubOptions;
  readonly #views = new Map<string, View>();
  readonly #byName = new Map<string, Set<View>>();
  readonly #byPattern = new PatternIndex<View>();
  readonly #fanOut: FanOut;
  readonly #budget: WindowBudget;
  readonly #idle = new Set<View>();
  /** Whether other processes may have stored what has not come here yet. */
  readonly isShared: boolean;
  readonly signals: Teller<HubSignals>;
  readonly health: EngineHealth;
  readonly beginnings = new Beginnings();
  readonly finalEnds: FinalEnds;
  readonly #feed: LiveFeed;
  readonly #log: LogReader;
  #idleSelectors = 0;
  #sweeper: NodeJS.Timeout | undefined;
  #viewCount = 0;
  #restarts = 0;
  #isClosed = false;

  constructor(engine: Engine, options: HubOptions) {
    this.#options = options;
    this.isShared = engine.isShared;
    this.#budget = new WindowBudget(options.windowBytes, (held) => this.#evict(held));
    const { signals = NOBODY } = options;
    this.signals = signals;
    this.health = new EngineHealth(engine, (state, error) => signals.tell('engine', { state, error }));
    this.#fanOut = new FanOut(signals);
    this.#feed = new LiveFeed(engine, this, options);
    this.#log = new LogReader(engine, signals);
    this.finalEnds = new FinalEnds(this, engine);
  }

  /** The view of a selection, to be given back with `release`. It may still be opening: see `View.opened`. */
  acquire(selectors: readonly string[]): View {
    const sorted = [...new Set(selectors)].sort();
    const key = sorted.join('\n');
    const view = this.#views.get(key) ?? this.#create(key, sorted);
    view.refs++;
    if (this.#idle.delete(view)) this.#idleSelectors -= view.selectors.length;
    return view;
  }

  release(view: View): void {
    if (--view.refs > 0 || this.#isClosed) return;
    view.idleSince = performance.now();
    this.#idle.add(view);
    this.#idleSelectors += view.selectors.length;
    for (const oldest of this.#idle) {
      if (this.#idleSelectors <= MAX_IDLE_SELECTORS) break;
      this.#remove(oldest);
    }
    this.#sweeper ??= apart(() => setInterval(() => this.#sweep(), this.#options.graceMs / 2 + 1).unref());
  }

  /** Where someone stands who has read everything that this view has been given. */
  positionOf(view: View): Position {
    const { place } = this.#feed;
    return place !== undefined && place.seq > view.base.seq ? place : view.base;
  }

  /** Where someone begins who comes now. */
  now(view: View): Position {
    const position = this.positionOf(view);
    const { newest } = this.beginnings;
    return newest?.epoch === position.epoch && newest.seq > position.seq ? newest : position;
  }

  /** Where streams of these topics begin; `undefined`: nobody has said. */
  beginningOf(begin: Begin | undefined, selectors: Iterable<string>): string | Prelude | undefined {
    return beginningOf(begin, selectors, this.#options.begins, (topic) => this.finalEnds.has(topic));
  }

  /** Waits until a view is open. Resolves to the first position of it that this process has stored something at meanwhile. */
  firstSince(view: View): Promise<Position | undefined> {
    const isOfView = (topic: string): boolean =>
      this.#byName.get(topic)?.has(view) === true ||
      (view.patterns.length > 0 && isUsers(topic) && view.matches(topic));
    return this.beginnings.firstDuring(view.opened, isOfView);
  }

  entry(entry: LogEntry): void {
    const held: HeldEntry = { entry, windows: 0 };
    const named = this.#byName.get(entry.topic);
    if (named !== undefined) for (const view of named) this.#give(view, held);
    if (this.#byPattern.size > 0 && isUsers(entry.topic)) {
      for (const view of this.#byPattern.match(entry.topic)) this.#give(view, held);
    }
    if (held.windows > 0) this.#budget.add(held);
  }

  lateEntry(entry: LogEntry): void {
    const held: HeldEntry = { entry, windows: 0 };
    for (const view of this.#watching(entry.topic)) {
      if (entry.seq > view.lastSeq) this.#give(view, held);
      else for (const cursor of view.cursors) cursor.missed(entry.topic);
    }
    if (held.windows > 0) this.#budget.add(held);
  }

  restarted(head: Position): void {
    this.#restarts++;
    this.#log.forget();
    this.beginnings.newest = undefined;
    this.finalEnds.forget();
    for (const view of this.#views.values()) {
      view.reopen(head);
      for (const cursor of view.cursors) cursor.restart();
      this.#fanOut.wake(view);
    }
  }

  /** A topic is known to have ended for good: whoever has come too late for its end is told. */
  ended(topic: string): void {
    for (const view of this.#byName.get(topic) ?? []) for (const cursor of view.cursors) cursor.endTopics();
  }

  interrupted(error: unknown): void {
    this.#log.forgetLists();
    this.health.failed('deliver', error);
  }

  caughtUp(): void {
    this.health.succeeded('deliver');
  }

  /** Resolves after the next turn of the event loop, when so much waits for it that whoever publishes should let it come. */
  pressure(): Promise<void> | undefined {
    return this.#fanOut.pressure();
  }

  /** Whether anybody reads a topic by its name, or has just done so. */
  isWatched(topic: string): boolean {
    return this.#byName.has(topic);
  }

  /** Reads on in the log, for a cursor that is not inside its window. */
  read(view: View, request: PageRequest): Promise<LogPage> {
    return this.#log.read(view, request, this.positionOf(view));
  }

  /** The place of now in the log. Rejects when the engine cannot tell. */
  head(): Promise<Position> {
    return this.#log.head();
  }

  /** A view to be read once, which nobody watches and which is not to be given back. */
  aside(selectors: readonly string[]): View {
    return new View(++this.#viewCount, '', [...new Set(selectors)], this.#budget);
  }

  /** Reads on in the log once: what the engine rejects with is the caller's. */
  readLog(view: View, request: PageRequest, known: Position): Promise<LogPage> {
    return this.#log.read(view, request, known);
  }

  locate(view: View, id: string): Promise<Position | 'ambiguous' | undefined> {
    return this.#log.locate(view, id);
  }

  /** Repeats an engine call until it succeeds. `undefined` once the hub is closed. */
  persist<T>(call: () => Promise<T>): Promise<T | undefined> {
    return this.health.persist(call);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.health.close();
    this.finalEnds.close();
    this.#feed.close();
    this.#log.close();
    clearInterval(this.#sweeper);
    this.#fanOut.close();
    for (const view of this.#views.values()) for (const cursor of [...view.cursors]) cursor.close();
    this.#views.clear();
    this.#byName.clear();
  }

  #create(key: string, selectors: readonly string[]): View {
    const view = new View(++this.#viewCount, key, selectors, this.#budget);
    this.#views.set(key, view);
    for (const name of view.names) this.#viewsOf(name).add(view);
    for (const pattern of view.patterns) this.#byPattern.add(pattern, view);
    view.opened = apart(() => this.#open(view));
    return view;
  }

  async #open(view: View): Promise<void> {
    const topics = view.patterns.length > 0 ? [...view.names, EVERY_TOPIC] : view.names;
    let head: Position | undefined;
    let restarts: number;
    do {
      restarts = this.#restarts;
      [head] = await Promise.all([this.#feed.subscribe(topics), this.finalEnds.check(view.names.filter(isUsers))]);
    } while (restarts !== this.#restarts);
    if (head === undefined) return;
    if (this.#views.get(view.key) === view) view.open(head);
    else this.#unsubscribe(view);
  }

  /** Gives up the topics of a view that nobody else watches. */
  #unsubscribe(view: View): void {
    const released = view.names.filter((name) => !this.#byName.has(name));
    if (view.patterns.length > 0 && this.#byPattern.size === 0) released.push(EVERY_TOPIC);
    if (released.length > 0) this.#feed.unsubscribe(released);
  }

  #give(view: View, held: HeldEntry): void {
    view.push(held);
    this.#fanOut.wake(view);
  }

  #evict(held: HeldEntry): void {
    const { topic } = held.entry;
    for (const view of this.#watching(topic)) view.evict(held);
  }

  #watching(topic: string): Set<View> {
    const views = new Set(this.#byName.get(topic));
    if (isUsers(topic)) for (const view of this.#byPattern.match(topic)) views.add(view);
    return views;
  }

  #viewsOf(name: string): Set<View> {
    let views = this.#byName.get(name);
    if (views === undefined) this.#byName.set(name, (views = new Set()));
    return views;
  }

  #sweep(): void {
    const before = performance.now() - this.#options.graceMs;
    for (const view of this.#idle) {
      if (view.idleSince > before) break;
      this.#remove(view);
    }
    if (this.#idle.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  /** Forgets a selection that nobody reads. */
  #remove(view: View): void {
    this.#idle.delete(view);
    this.#idleSelectors -= view.selectors.length;
    this.#views.delete(view.key);
    view.clear();
    for (const pattern of view.patterns) this.#byPattern.delete(pattern, view);
    for (const name of view.names) {
      const views = this.#byName.get(name);
      views?.delete(view);
      if (views?.size === 0) this.#byName.delete(name);
    }
    this.#unsubscribe(view);
  }
}
