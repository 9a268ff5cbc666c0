import type { LogEntry } from '../engine/engine.js';
import { Fifo } from '../engine/fifo.js';
import type { Position } from '../topic/position.js';
import { takeBatch } from './batch.js';
import type { Batch } from './batch.js';
import type { HeldEntry, WindowBudget } from './window-budget.js';

/** What a window holds for its slowest reader, whichever is reached first. Who is further behind reads from the log. */
const MAX_WINDOW_EVENTS = 10_000;
const MAX_WINDOW_BYTES = 8_388_608;

/** A reader may be so many events behind whose topics do not wait for slow ones (`onSlow`). */
const MAX_LAG_EVENTS = 1_000;

/** The newest events of a selection, in lane order: those that not all of its readers have got. */
export abstract class Window {
  readonly #budget: WindowBudget;
  readonly #events = new Fifo<HeldEntry>();
  #bytes = 0;
  #base: Position | undefined;
  /** The newest event that it has let go of. */
  #released = 0;
  #lastSeq = 0;
  #shared: { from: number; maxBytes: number; batch: Batch } | undefined;

  constructor(budget: WindowBudget) {
    this.#budget = budget;
  }

  /** Whether anybody reads here, or is about to. */
  protected abstract readonly isRead: boolean;

  get isOpen(): boolean {
    return this.#base !== undefined;
  }

  /** The lane's head when the window was opened. */
  get base(): Position {
    return this.#base as Position;
  }

  /** Every event beyond this sequence is in the window; `Infinity` before it is open. */
  get floor(): number {
    return this.#base === undefined ? Infinity : Math.max(this.#base.seq, this.#released);
  }

  /** Sequence of the newest event there was, `0` before the first. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** The place just before the newest event of the window. */
  get beforeLast(): Position | undefined {
    const newest = this.#events.last()?.entry;
    return newest && { epoch: this.base.epoch, seq: newest.seq - 1, at: newest.at };
  }

  open(head: Position): void {
    this.#base = head;
    this.releaseUpTo(head.seq);
  }

  /** Goes on in another log, or in one that has lost something: readers come back when they have checked their places. */
  reopen(head: Position): void {
    this.clear();
    this.#lastSeq = 0;
    this.#released = 0;
    this.#shared = undefined;
    if (this.isOpen) this.#base = head;
  }

  /** Takes in a live entry. A selection that matches a topic twice, by name and by pattern, gets it once. */
  push(held: HeldEntry): void {
    const { entry } = held;
    if (entry.seq <= this.#lastSeq) return;
    this.#lastSeq = entry.seq;
    this.#shared = undefined;
    if (!this.isRead) return this.#skip(entry.seq);
    held.windows++;
    this.#events.push(held);
    this.#bytes += entry.data.byteLength;
    while (this.#events.length > MAX_WINDOW_EVENTS || (this.#bytes > MAX_WINDOW_BYTES && this.#events.length > 1)) {
      this.#dropFirst();
    }
  }

  /** Lets go of what all readers have got. */
  releaseUpTo(seq: number): void {
    for (
      let first = this.#events.first();
      first !== undefined && first.entry.seq <= seq;
      first = this.#events.first()
    ) {
      this.#dropFirst();
    }
  }

  /** Lets go of an entry that the process no longer keeps. */
  evict(held: HeldEntry): void {
    if (this.#events.first() === held) this.#dropFirst();
  }

  /** Lets go of everything. */
  clear(): void {
    this.releaseUpTo(Infinity);
  }

  /** What follows `from` in the window. All who ask for the same within a tick get the same object. */
  batch(from: number, maxBytes: number): Batch {
    if (this.#shared?.from === from && this.#shared.maxBytes === maxBytes) return this.#shared.batch;
    const batch = takeBatch(this.base.epoch, this.#entryAt, this.#indexAfter(from), maxBytes);
    this.#shared = { from, maxBytes, batch };
    return batch;
  }

  /** How many events of the window follow `seq`. */
  countAfter(seq: number): number {
    return this.#events.length - this.#indexAfter(seq);
  }

  /** Whether someone who has read up to `seq` is too far behind to be waited for. */
  isFarBehind(seq: number): boolean {
    // Sequences are those of the whole lane: a cheap first look, which says no for nearly everyone.
    return this.#lastSeq - seq > MAX_LAG_EVENTS && this.countAfter(seq) > MAX_LAG_EVENTS;
  }

  /** Frees the bytes that were shared in the tick that ends, and what all readers have got. */
  endTick(slowestSeq: number): void {
    this.#shared = undefined;
    this.releaseUpTo(slowestSeq);
  }

  /** Nobody reads here at the moment: who comes back within the grace reads from the log, and joins behind this. */
  #skip(seq: number): void {
    this.clear();
    this.#released = seq;
  }

  readonly #entryAt = (index: number): LogEntry | undefined => this.#events.at(index)?.entry;

  #indexAfter(seq: number): number {
    return this.#events.firstIndex(({ entry }) => entry.seq > seq);
  }

  #dropFirst(): void {
    const held = this.#events.shift();
    if (held === undefined) return;
    this.#bytes -= held.entry.data.byteLength;
    this.#released = held.entry.seq;
    this.#budget.release(held);
  }
}
