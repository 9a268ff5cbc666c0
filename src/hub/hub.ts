import { EVERY_TOPIC } from '../engine/engine.js';
import type { Engine } from '../engine/engine.js';
import { EngineHealth } from '../feed/engine-health.js';
import { LiveFeed } from '../feed/live-feed.js';
import type { Teller } from '../signals.js';
import type { Begin } from '../topic/begin.js';
import { isUsers } from '../topic/own-name.js';
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
import type { View } from './view.js';
import { Views } from './views.js';
import type { ViewsOptions } from './views.js';

export interface HubOptions extends ViewsOptions {
  /** How often a log that other processes use is asked whether something was missed, in ms. */
  readonly auditMs: number;
  /** What the topics say of where their streams begin; absent: nothing. */
  readonly begins?: TopicBegins | undefined;
  /** Hears of what happens; absent: nobody does. When the engine does its work no longer, the hub recovers by itself. */
  readonly signals?: Teller<HubSignals> | undefined;
}

/** What cursors read: the windows of the selections that are watched in this process, and the log behind them. */
export class Hub {
  /** Whether other processes may have stored what has not come here yet. */
  readonly isShared: boolean;
  readonly signals: Teller<HubSignals>;
  readonly health: EngineHealth;
  readonly beginnings = new Beginnings();
  readonly finalEnds: FinalEnds;
  readonly #begins: TopicBegins | undefined;
  readonly #fanOut: FanOut;
  readonly #views: Views;
  readonly #feed: LiveFeed;
  readonly #log: LogReader;
  #restarts = 0;

  constructor(engine: Engine, options: HubOptions) {
    const { signals = NOBODY, begins } = options;
    this.isShared = engine.isShared;
    this.signals = signals;
    this.#begins = begins;
    this.health = new EngineHealth(engine, (state, error) => signals.tell('engine', { state, error }));
    this.#fanOut = new FanOut(signals);
    const views = (this.#views = new Views(options, {
      open: (view) => this.#open(view),
      leave: (topics) => this.#feed.unsubscribe(topics),
      wake: (view) => this.#fanOut.wake(view),
    }));
    this.#log = new LogReader(engine, signals);
    this.#feed = new LiveFeed(
      engine,
      {
        entry: (entry, slot) => views.give(entry, slot),
        lateEntry: (entry) => views.giveLate(entry),
        restarted: (head) => this.#restarted(head),
        interrupted: (error) => this.#interrupted(error),
        caughtUp: () => this.health.succeeded('deliver'),
        persist: (call) => this.persist(call),
      },
      options,
    );
    this.finalEnds = new FinalEnds(this, engine);
  }

  /** The view of a selection, to be given back with `release`. It may still be opening: see `View.opened`. */
  acquire(selectors: readonly string[]): View {
    return this.#views.acquire(selectors);
  }

  release(view: View): void {
    this.#views.release(view);
  }

  /** A view to be read once, which nobody watches and which is not to be given back. */
  aside(selectors: readonly string[]): View {
    return this.#views.aside(selectors);
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
    return beginningOf(begin, selectors, this.#begins, (topic) => this.finalEnds.has(topic));
  }

  /** Waits until a view is open. Resolves to the first position of it that this process has stored something at meanwhile. */
  firstSince(view: View): Promise<Position | undefined> {
    return this.beginnings.firstDuring(view.opened, (topic) => this.#views.isOf(view, topic));
  }

  /** A topic is known to have ended for good: whoever has come too late for its end is told. */
  ended(topic: string): void {
    for (const view of this.#views.named(topic)) for (const cursor of view.readers) cursor.endTopics();
  }

  /** Resolves after the next turn of the event loop, when so much waits for it that whoever publishes should let it come. */
  pressure(): Promise<void> | undefined {
    return this.#fanOut.pressure();
  }

  /** Whether anybody reads a topic by its name, or has just done so. */
  isWatched(topic: string): boolean {
    return this.#views.isNamed(topic);
  }

  /** Reads on in the log, for who is not inside the window. @param known the newest position that is known of */
  read(view: View, request: PageRequest, known = this.positionOf(view)): Promise<LogPage> {
    return this.#log.read(view, request, known);
  }

  /** The place of now in the log. Rejects when the engine cannot tell. */
  head(): Promise<Position> {
    return this.#log.head();
  }

  locate(view: View, id: string): Promise<Position | 'ambiguous' | undefined> {
    return this.#log.locate(view, id);
  }

  /** Repeats an engine call until it succeeds. `undefined` once the hub is closed. */
  persist<T>(call: () => Promise<T>): Promise<T | undefined> {
    return this.health.persist(call);
  }

  async close(): Promise<void> {
    this.health.close();
    this.finalEnds.close();
    this.#feed.close();
    this.#log.close();
    this.#fanOut.close();
    this.#views.close();
  }

  async #open(view: View): Promise<void> {
    const topics = view.patterns.length > 0 ? [...view.names, EVERY_TOPIC] : view.names;
    let head: Position | undefined;
    let restarts: number;
    do {
      restarts = this.#restarts;
      [head] = await Promise.all([this.#feed.subscribe(topics), this.finalEnds.check(view.names.filter(isUsers))]);
    } while (restarts !== this.#restarts);
    if (head !== undefined) this.#views.opened(view, head);
  }

  #restarted(head: Position): void {
    this.#restarts++;
    this.#log.forget();
    this.beginnings.newest = undefined;
    this.finalEnds.forget();
    this.#views.reopen(head);
  }

  #interrupted(error: unknown): void {
    this.#log.forgetLists();
    this.health.failed('deliver', error);
  }
}
