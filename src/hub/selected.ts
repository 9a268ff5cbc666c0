import { formatPosition } from '../topic/position.js';
import type { Position } from '../topic/position.js';
import { START } from './batch.js';
import type { CursorSink } from './cursor-sink.js';
import type { Hub } from './hub.js';
import type { Reader, View } from './view.js';

/** A view to move to, because the topics have changed. */
interface Join {
  readonly view: View;
  /** Up to here without the new topics, from here on with them. */
  readonly at: Position;
}

const NO_JOINS: readonly Join[] = [];

/**
 * The topics that a cursor reads, which may change on the way. A part of the cursor's own object, and not one beside it: with thousands of
 * them none is in the processor's cache.
 */
export abstract class Selected implements Reader {
  protected readonly hub: Hub;
  protected readonly sink: CursorSink;
  protected view: View;
  /** The views to move to, each once its place has been read up to. */
  protected joins: readonly Join[] = NO_JOINS;
  #selecting: Promise<void> | undefined;

  constructor(hub: Hub, selectors: Iterable<string>, sink: CursorSink) {
    this.hub = hub;
    this.sink = sink;
    this.view = hub.acquire([...selectors]);
    this.view.add(this);
  }

  abstract readonly seq: number;
  abstract readonly isClosed: boolean;
  abstract pump(): void;
  abstract restart(): void;
  abstract missed(topic: string): void;
  abstract endTopics(): void;

  /**
   * Changes what is read from now on. When the promise resolves, every later event of a new topic will be given, and
   * none that was there before.
   */
  select(selectors: Iterable<string>): Promise<void> {
    const selected = new Set(selectors);
    return (this.#selecting = (this.#selecting ?? Promise.resolve()).then(() => this.#plan(selected)));
  }

  close(): void {
    for (const view of [this.view, ...this.joins.map((join) => join.view)]) {
      view.remove(this);
      this.hub.release(view);
    }
    this.joins = NO_JOINS;
  }

  /** Reads the next of the views from now on. */
  protected joinNext(): void {
    const [next, ...others] = this.joins;
    if (next === undefined) return;
    const left = this.view;
    this.joins = others;
    this.view = next.view;
    this.#detach(left);
  }

  /** What leads up to a place is read of fewer topics at once, and of more from that place on. */
  protected joinFewer(): void {
    while (this.joins[0]?.at === START) this.joinNext();
  }

  /** Where the next new topics join whoever stands at a sequence. */
  protected joinAfter(seq: number): Position | undefined {
    return this.joins.find(({ at }) => at !== START && at.seq >= seq)?.at;
  }

  /** Reads the last of the views from now on, wherever its topics were to join. */
  protected joinAll(): void {
    while (this.joins.length > 0) this.joinNext();
  }

  /** Tells of the topics that have ended for good up to here. */
  protected tellEnds(place: Position): void {
    for (const topic of this.hub.finalEnds.upTo(this.seq, this.view.names))
      if (!this.isClosed) this.sink.ended?.(topic, 'complete', formatPosition(place), '');
  }

  /** Whether a sink that is not waited for is too far behind. */
  protected isTooSlow(): boolean {
    return this.view.isFarBehind(this.seq) && this.sink.onSlow !== 'resume';
  }

  /** The engine's answer, or `undefined` when nobody waits for it any more. */
  protected persist<T>(call: () => Promise<T>): Promise<T | undefined> {
    return this.hub.persist(async () => (this.isClosed ? undefined : await call()));
  }

  /** Queues a change of the selection behind those before it, so that each topic joins where it was asked for. */
  async #plan(selectors: ReadonlySet<string>): Promise<void> {
    const last = this.joins[this.joins.length - 1]?.view ?? this.view;
    await last.opened;
    const before = new Set(last.selectors);
    const added = [...selectors].filter((selector) => !before.has(selector));
    if (this.isClosed || (added.length === 0 && selectors.size === before.size)) return;
    const view = this.hub.acquire([...selectors]);
    await view.opened;
    if (this.isClosed || !view.isOpen) return this.hub.release(view);
    // Not before: while it waited, this cursor may have left just this view. What it keeps from now on is all that is to be given.
    view.add(this);
    // A selection with fewer topics can be moved to from any place.
    this.joins = [...this.joins, { view, at: added.length > 0 ? this.hub.positionOf(view) : START }];
    this.pump();
  }

  #detach(view: View): void {
    // After a change there and back it is still read, or about to be.
    const isStillRead = view === this.view || this.joins.some((join) => join.view === view);
    if (!isStillRead) view.remove(this);
    this.hub.release(view);
  }
}
