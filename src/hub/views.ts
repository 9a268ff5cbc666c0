import { apart } from '../engine/apart.js';
import { EVERY_TOPIC } from '../engine/engine.js';
import type { LogEntry, TopicSlot } from '../engine/engine.js';
import { isUsers } from '../topic/own-name.js';
import { PatternIndex } from '../topic/pattern.js';
import type { Position } from '../topic/position.js';
import { View } from './view.js';
import { NamedViews } from './named-views.js';
import { WindowBudget } from './window-budget.js';
import type { HeldEntry } from './window-budget.js';

export interface ViewsOptions {
  /** How many bytes of recent events all windows of this process keep together. */
  readonly windowBytes: number;
  /** How long a selection that nobody watches any more stays warm for clients that come back. */
  readonly graceMs: number;
}

/** What views need of whoever has them. */
export interface ViewsOwner {
  /** Has events come to a new view. Settles when that is guaranteed. */
  open(view: View): Promise<void>;
  /** Nobody watches these any more. */
  leave(topics: readonly string[]): void;
  /** A view has news. */
  wake(view: View): void;
}

/** Selections that nobody reads any more stay warm with so many names and patterns together, about 500 bytes each. The oldest go first. */
const MAX_IDLE_SELECTORS = 10_000;

/** The selections that are read in this process, and which of them want an event. */
export class Views {
  readonly #owner: ViewsOwner;
  readonly #graceMs: number;
  readonly #budget: WindowBudget;
  readonly #byKey = new Map<string, View>();
  readonly #byName = new Map<string, NamedViews>();
  readonly #byPattern = new PatternIndex<View>();
  readonly #idle = new Set<View>();
  #idleSelectors = 0;
  #sweeper: NodeJS.Timeout | undefined;
  #count = 0;
  #isClosed = false;

  constructor({ windowBytes, graceMs }: ViewsOptions, owner: ViewsOwner) {
    this.#owner = owner;
    this.#graceMs = graceMs;
    this.#budget = new WindowBudget(windowBytes, (held) => this.#evict(held));
  }

  /** The view of a selection, to be given back with `release`. It may still be opening: see `View.opened`. */
  acquire(selectors: readonly string[]): View {
    const sorted = [...new Set(selectors)].sort();
    const key = sorted.join('\n');
    const view = this.#byKey.get(key) ?? this.#create(key, sorted);
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
    this.#sweeper ??= apart(() => setInterval(() => this.#sweep(), this.#graceMs / 2 + 1).unref());
  }

  /** A view to be read once, which nobody watches and which is not to be given back. */
  aside(selectors: readonly string[]): View {
    return new View(++this.#count, '', [...new Set(selectors)], this.#budget);
  }

  /** Opens a view at a place, unless nobody reads it any more. */
  opened(view: View, head: Position): void {
    if (this.#byKey.get(view.key) === view) view.open(head);
    else this.#leave(view);
  }

  /** Whether a view wants a topic. */
  isOf(view: View, topic: string): boolean {
    const isNamed = this.#byName.get(topic)?.has(view) === true;
    return isNamed || (view.patterns.length > 0 && isUsers(topic) && view.matches(topic));
  }

  /** Whether anybody reads a topic by its name, or has just done so. */
  isNamed(topic: string): boolean {
    return this.#byName.has(topic);
  }

  /** The views that read a topic by its name. */
  named(topic: string): Iterable<View> {
    return this.#byName.get(topic) ?? [];
  }

  /**
   * Puts an event into the windows of all that want it.
   *
   * @param slot of its topic
   */
  give(entry: LogEntry, slot?: TopicSlot): void {
    const held: HeldEntry = { entry, windows: 0, batch: undefined };
    const named = this.#namedOf(entry.topic, slot);
    if (named?.only !== undefined) this.#push(named.only, held);
    else if (named !== undefined) for (const view of named) this.#push(view, held);
    if (this.#byPattern.size > 0 && isUsers(entry.topic)) {
      for (const view of this.#byPattern.match(entry.topic)) this.#push(view, held);
    }
    if (held.windows > 0) this.#budget.add(held);
  }

  /** Puts an event into those windows that have nothing behind it yet; the readers of the others are told that they miss it. */
  giveLate(entry: LogEntry): void {
    const held: HeldEntry = { entry, windows: 0, batch: undefined };
    for (const view of this.#watching(entry.topic)) {
      if (entry.seq > view.lastSeq) this.#push(view, held);
      else for (const cursor of view.readers) cursor.missed(entry.topic);
    }
    if (held.windows > 0) this.#budget.add(held);
  }

  /** The log is another one, or has lost something: all go on in it, once their readers have checked their places. */
  reopen(head: Position): void {
    for (const view of this.#byKey.values()) {
      view.reopen(head);
      for (const cursor of view.readers) cursor.restart();
      this.#owner.wake(view);
    }
  }

  /** Closes everyone who reads. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#sweeper);
    for (const view of this.#byKey.values()) for (const cursor of [...view.readers]) cursor.close();
    this.#byKey.clear();
    this.#byName.clear();
  }

  #create(key: string, selectors: readonly string[]): View {
    const view = new View(++this.#count, key, selectors, this.#budget);
    this.#byKey.set(key, view);
    for (const name of view.names) {
      const named = this.#byName.get(name) ?? new NamedViews();
      this.#byName.set(name, named);
      named.add(view);
    }
    for (const pattern of view.patterns) this.#byPattern.add(pattern, view);
    view.opened = apart(() => this.#owner.open(view));
    return view;
  }

  #push(view: View, held: HeldEntry): void {
    view.push(held);
    this.#owner.wake(view);
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

  /** They stay the same for as long as there are any. */
  #namedOf(topic: string, slot: TopicSlot | undefined): NamedViews | undefined {
    const kept = slot?.kept as NamedViews | undefined;
    if (kept?.isGone === false) return kept;
    const named = this.#byName.get(topic);
    if (slot !== undefined) slot.kept = named;
    return named;
  }

  #sweep(): void {
    const before = performance.now() - this.#graceMs;
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
    this.#byKey.delete(view.key);
    view.clear();
    for (const pattern of view.patterns) this.#byPattern.delete(pattern, view);
    for (const name of view.names) {
      const named = this.#byName.get(name);
      named?.delete(view);
      if (named?.isGone === true) this.#byName.delete(name);
    }
    this.#leave(view);
  }

  /** Gives up the topics of a view that nobody else watches. */
  #leave(view: View): void {
    const left = view.names.filter((name) => !this.#byName.has(name));
    if (view.patterns.length > 0 && this.#byPattern.size === 0) left.push(EVERY_TOPIC);
    if (left.length > 0) this.#owner.leave(left);
  }
}
