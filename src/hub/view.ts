import type { LogEntry } from '../engine/engine.js';
import { Fifo } from '../engine/fifo.js';
import { isPattern, matchesPattern } from '../topic/pattern.js';
import type { Position } from '../topic/position.js';
import { takeBatch } from './batch.js';
import type { Batch } from './batch.js';
import type { Cursor } from './cursor.js';

/** A slow client is behind its window after so many events or bytes, whichever comes first; the log goes on from there. */
const MAX_WINDOW_EVENTS = 1_000;
const MAX_WINDOW_BYTES = 1_048_576;

/**
 * The newest events of one selection of topics, in lane order: the window that all connections with this selection read
 * from. Two connections that want the same topics share one view, and with it every encoded byte.
 */
export class View {
  readonly key: string;
  readonly selectors: readonly string[];
  readonly names: readonly string[];
  readonly patterns: readonly string[];
  readonly cursors = new Set<Cursor>();
  /** How many cursors read here or are about to. */
  refs = 0;
  /** Since when nobody reads here, in ms. */
  idleSince = 0;
  /** Settles when live delivery into this window is guaranteed. */
  opened: Promise<void> | undefined;

  readonly #tail = new Fifo<LogEntry>();
  #tailBytes = 0;
  #base: Position | undefined;
  #floor = Infinity;
  #lastSeq = 0;
  #shared: { from: number; maxBytes: number; batch: Batch } | undefined;

  constructor(key: string, selectors: readonly string[]) {
    this.key = key;
    this.selectors = selectors;
    this.names = selectors.filter((selector) => !isPattern(selector));
    this.patterns = selectors.filter(isPattern);
  }

  get isOpen(): boolean {
    return this.#base !== undefined;
  }

  /** The lane's head when the window was opened. */
  get base(): Position {
    return this.#base as Position;
  }

  /** Every event beyond this sequence is in the window, unless the window has not been opened. */
  get floor(): number {
    return this.#floor;
  }

  /** Sequence of the newest event in the window, `0` before the first. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  get last(): LogEntry | undefined {
    return this.#tail.last();
  }

  open(head: Position): void {
    this.#base = head;
    this.#floor = head.seq;
    for (let first = this.#tail.first(); first !== undefined && first.seq <= head.seq; first = this.#tail.first())
      this.#shift();
  }

  /** Takes in a live entry. A selection that matches a topic twice, by name and by pattern, gets it once. */
  push(entry: LogEntry): boolean {
    if (entry.seq <= this.#lastSeq) return false;
    this.#lastSeq = entry.seq;
    this.#shared = undefined;
    this.#tail.push(entry);
    this.#tailBytes += entry.data.byteLength;
    while (this.#tail.length > MAX_WINDOW_EVENTS || (this.#tailBytes > MAX_WINDOW_BYTES && this.#tail.length > 1))
      this.#dropFirst();
    return true;
  }

  /** Lets go of an entry that the process no longer keeps. */
  evict(entry: LogEntry): void {
    if (this.#tail.first() === entry) this.#dropFirst();
  }

  /** What follows `from` in the window. All who ask for the same within a tick get the same object. */
  batch(from: number, maxBytes: number): Batch {
    if (this.#shared?.from === from && this.#shared.maxBytes === maxBytes) return this.#shared.batch;
    const batch = takeBatch(this.base.epoch, this.#after(from), maxBytes);
    this.#shared = { from, maxBytes, batch };
    return batch;
  }

  /** Frees the bytes that were shared in the tick that ends. */
  endTick(): void {
    this.#shared = undefined;
  }

  /** Tells which of these topics belong to the selection by one of its patterns. */
  matching(names: readonly string[]): string[] {
    return names.filter((name) => this.patterns.some((pattern) => matchesPattern(pattern, name)));
  }

  *#after(seq: number): Generator<LogEntry> {
    for (let i = this.#tail.firstIndex((entry) => entry.seq > seq); i < this.#tail.length; i++)
      yield this.#tail.at(i) as LogEntry;
  }

  #dropFirst(): void {
    const dropped = this.#shift();
    // Before the window is open the floor is unknown, and `open` will set it.
    if (dropped !== undefined && this.isOpen) this.#floor = Math.max(this.#floor, dropped.seq);
  }

  #shift(): LogEntry | undefined {
    const entry = this.#tail.shift();
    if (entry !== undefined) this.#tailBytes -= entry.data.byteLength;
    return entry;
  }
}
