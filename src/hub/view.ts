import type { LogEntry } from '../engine/engine.js';
import { Fifo } from '../engine/fifo.js';
import { PatternIndex, isPattern } from '../topic/pattern.js';
import type { Position } from '../topic/position.js';
import { takeBatch } from './batch.js';
import type { Batch } from './batch.js';
import type { HeldEntry, WindowBudget } from './window-budget.js';

/** What a window holds for its slowest reader, whichever is reached first. Who is further behind reads from the log. */
const MAX_WINDOW_EVENTS = 10_000;
const MAX_WINDOW_BYTES = 8_388_608;

/** A reader may be so many events behind whose topics do not wait for slow ones (`onSlow`). */
const MAX_LAG_EVENTS = 1_000;

/** Who reads a view: a cursor. */
export interface Reader {
  /** Everything up to this sequence has been read. */
  readonly seq: number;
  readonly isClosed: boolean;
  pump(): void;
  /** The log is another one, or has lost something: the place is to be checked before anything else is read. */
  restart(): void;
  /** An event of this topic came too late to be given in its order. */
  missed(topic: string): void;
  /** Some topics have ended for good. */
  endTopics(): void;
  close(): void;
}

/**
 * One selection of topics in this process, and a window of its newest events in lane order: those that not all of its
 * readers have got. Connections that want the same topics share one view, and with it every encoded byte.
 */
export class View {
  /** Stands for the key, which may be long, in this process. */
  readonly id: number;
  readonly key: string;
  readonly selectors: readonly string[];
  readonly names: readonly string[];
  readonly patterns: readonly string[];
  readonly cursors = new Set<Reader>();
  /** How many cursors read here or are about to. */
  refs = 0;
  /** Since when nobody reads here, on the clock of `performance.now()`. */
  idleSince = 0;
  /** Settles when live delivery into this window is guaranteed. */
  opened: Promise<void> | undefined;

  readonly #budget: WindowBudget;
  readonly #window = new Fifo<HeldEntry>();
  #windowBytes = 0;
  #base: Position | undefined;
  /** The newest event that the window has let go of. */
  #released = 0;
  #lastSeq = 0;
  /** Made when a list of topics is matched for the first time. */
  #index: PatternIndex<true> | undefined;
  #shared: { from: number; maxBytes: number; batch: Batch } | undefined;

  constructor(id: number, key: string, selectors: readonly string[], budget: WindowBudget) {
    this.id = id;
    this.key = key;
    this.selectors = selectors;
    this.names = selectors.filter((selector) => !isPattern(selector));
    this.patterns = selectors.filter(isPattern);
    this.#budget = budget;
  }

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
    const newest = this.#window.last()?.entry;
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
    if (this.refs === 0) return this.#skip(entry.seq);
    held.windows++;
    this.#window.push(held);
    this.#windowBytes += entry.data.byteLength;
    while (
      this.#window.length > MAX_WINDOW_EVENTS ||
      (this.#windowBytes > MAX_WINDOW_BYTES && this.#window.length > 1)
    ) {
      this.#dropFirst();
    }
  }

  /** Lets go of what all readers have got. */
  releaseUpTo(seq: number): void {
    for (
      let first = this.#window.first();
      first !== undefined && first.entry.seq <= seq;
      first = this.#window.first()
    ) {
      this.#dropFirst();
    }
  }

  /** Lets go of an entry that the process no longer keeps. */
  evict(held: HeldEntry): void {
    if (this.#window.first() === held) this.#dropFirst();
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
    return this.#window.length - this.#indexAfter(seq);
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

  /** Tells whether a topic belongs to the selection by one of its patterns. */
  matches(name: string): boolean {
    this.#index ??= indexOf(this.patterns);
    return this.#index.hasMatch(name);
  }

  /** Nobody reads here at the moment: who comes back within the grace reads from the log, and joins behind this. */
  #skip(seq: number): void {
    this.clear();
    this.#released = seq;
  }

  readonly #entryAt = (index: number): LogEntry | undefined => this.#window.at(index)?.entry;

  #indexAfter(seq: number): number {
    return this.#window.firstIndex(({ entry }) => entry.seq > seq);
  }

  #dropFirst(): void {
    const held = this.#window.shift();
    if (held === undefined) return;
    this.#windowBytes -= held.entry.data.byteLength;
    this.#released = held.entry.seq;
    this.#budget.release(held);
  }
}

function indexOf(patterns: readonly string[]): PatternIndex<true> {
  const index = new PatternIndex<true>();
  for (const pattern of patterns) index.add(pattern, true);
  return index;
}
