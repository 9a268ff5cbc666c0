import type { LogEntry } from '../engine/engine.js';
import { Fifo } from '../engine/fifo.js';
import { sizeOf } from '../engine/text-entry.js';
import type { Position } from '../topic/position.js';
import { batchOfOne, takeBatch } from './batch.js';
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
  /** What is in it, while that is one event: in most windows there is never more, and a list would be two objects to fetch. */
  #only: HeldEntry | undefined;
  /** All of them, where there are or were more. */
  #events: Fifo<HeldEntry> | undefined;
  #bytes = 0;
  #base: Position | undefined;
  #baseSeq = Infinity;
  /** The newest event that it has let go of. */
  #released = 0;
  #lastSeq = 0;
  #shared: { from: number; maxBytes: number; batch: Batch } | undefined;

  constructor(budget: WindowBudget) {
    this.#budget = budget;
  }

  /** Whether anybody reads here, or is about to. */
  protected abstract readonly isRead: boolean;
  protected abstract readonly hasOneReader: boolean;

  get isOpen(): boolean {
    return this.#base !== undefined;
  }

  /** The lane's head when the window was opened. */
  get base(): Position {
    return this.#base as Position;
  }

  /** Every event beyond this sequence is in the window; `Infinity` before it is open. */
  get floor(): number {
    return Math.max(this.#baseSeq, this.#released);
  }

  /** Sequence of the newest event there was, `0` before the first. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** The place just before the newest event of the window. */
  get beforeLast(): Position | undefined {
    const newest = (this.#only ?? this.#events?.last)?.entry;
    return newest && { epoch: this.base.epoch, seq: newest.seq - 1, at: newest.at };
  }

  open(head: Position): void {
    this.#base = head;
    this.#baseSeq = head.seq;
    this.releaseUpTo(head.seq);
  }

  /** Goes on in another log, or in one that has lost something: readers come back when they have checked their places. */
  reopen(head: Position): void {
    this.clear();
    this.#lastSeq = 0;
    this.#released = 0;
    this.#shared = undefined;
    if (!this.isOpen) return;
    this.#base = head;
    this.#baseSeq = head.seq;
  }

  /** Takes in a live entry. A selection that matches a topic twice, by name and by pattern, gets it once. */
  push(held: HeldEntry): void {
    const { entry } = held;
    if (entry.seq <= this.#lastSeq) return;
    this.#lastSeq = entry.seq;
    this.#shared = undefined;
    if (!this.isRead) return this.#skip(entry.seq);
    held.windows++;
    this.#bytes += sizeOf(entry);
    if (this.#length === 0) this.#only = held;
    else this.#pushBehind(held);
  }

  /** Lets go of what all readers have got. */
  releaseUpTo(seq: number): void {
    for (let first = this.#first; first !== undefined && first.entry.seq <= seq; first = this.#first) this.#dropFirst();
  }

  /** Lets go of an entry that the process no longer keeps. */
  evict(held: HeldEntry): void {
    if (this.#first === held) this.#dropFirst();
  }

  /** Lets go of everything. */
  clear(): void {
    this.releaseUpTo(Infinity);
  }

  /** What follows `from` in the window. All who ask for the same within a tick get the same object. */
  batch(from: number, maxBytes: number): Batch {
    if (this.#only !== undefined) return this.#batchOf(this.#only);
    if (this.#shared?.from === from && this.#shared.maxBytes === maxBytes) return this.#shared.batch;
    const batch = takeBatch(this.base.epoch, (index) => this.#entryAt(index), this.#indexAfter(from), maxBytes);
    this.#shared = { from, maxBytes, batch };
    return batch;
  }

  /** How many events of the window follow `seq`. */
  countAfter(seq: number): number {
    return this.#length - this.#indexAfter(seq);
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

  get #length(): number {
    return this.#only === undefined ? (this.#events?.length ?? 0) : 1;
  }

  get #first(): HeldEntry | undefined {
    return this.#only ?? this.#events?.first;
  }

  #pushBehind(held: HeldEntry): void {
    const events = (this.#events ??= new Fifo());
    if (this.#only !== undefined) events.push(this.#only);
    this.#only = undefined;
    events.push(held);
    while (events.length > MAX_WINDOW_EVENTS || (this.#bytes > MAX_WINDOW_BYTES && events.length > 1))
      this.#dropFirst();
  }

  /** Whoever asks has not got it yet. Of an event in several windows all who read one of them get the same object. */
  #batchOf(held: HeldEntry): Batch {
    if (held.batch !== undefined) return held.batch;
    const isOfOne = held.windows === 1 && this.hasOneReader;
    const batch = batchOfOne(this.base.epoch, held.entry, isOfOne);
    if (!isOfOne) held.batch = batch;
    return batch;
  }

  #entryAt(index: number): LogEntry | undefined {
    return this.#events?.at(index)?.entry;
  }

  #indexAfter(seq: number): number {
    if (this.#only !== undefined) return this.#only.entry.seq > seq ? 0 : 1;
    return this.#events?.firstIndex(({ entry }) => entry.seq > seq) ?? 0;
  }

  #dropFirst(): void {
    const held = this.#only ?? this.#events?.shift();
    if (held === undefined) return;
    this.#only = undefined;
    this.#bytes -= sizeOf(held.entry);
    this.#released = held.entry.seq;
    this.#budget.release(held);
  }
}
