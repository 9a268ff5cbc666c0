import type { Excerpt, LogEntry, Retention } from './engine.js';
import { Fifo } from './fifo.js';

/** What one entry costs beside its payload: the object, its place in the lists. Measured on Node 20, rounded up. */
export const ENTRY_OVERHEAD_BYTES = 160;

interface OwnId {
  seq: number;
  ambiguous: boolean;
}

/** The retained events of one topic. */
export class MemoryLog {
  readonly #entries = new Fifo<LogEntry>();
  readonly #onEvicted: (bytes: number) => void;
  #bytes = 0;
  #ids: Map<string, OwnId> | undefined;
  #retention: Retention;
  /** Sequence of the newest event, also when it is no longer retained. */
  head = 0;
  /** When the newest event was appended, in ms. */
  headAt = 0;
  /** Who stands before this sequence may have missed events of this topic that are no longer known of. */
  readonly unknownBefore: number;

  constructor(retention: Retention, unknownBefore: number, onEvicted: (bytes: number) => void) {
    this.#retention = retention;
    this.unknownBefore = unknownBefore;
    this.#onEvicted = onEvicted;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  get first(): LogEntry | undefined {
    return this.#entries.first();
  }

  /** After this long without an event the topic's head need not be known any more. */
  get forgetAfterMs(): number {
    return 4 * this.#retention.maxAgeMs;
  }

  append(entry: LogEntry, retention: Retention): void {
    this.#retention = retention;
    this.head = entry.seq;
    this.headAt = entry.at;
    this.#entries.push(entry);
    this.#bytes += bytesOf(entry);
    if (entry.id !== undefined) this.#remember(entry.id, entry.seq);
    this.trim(entry.at);
  }

  /** Evicts what the topic's retention no longer covers at the time `now`. */
  trim(now: number): void {
    const { maxEvents, maxBytes, maxAgeMs } = this.#retention;
    for (let first = this.first; first !== undefined; first = this.first) {
      if (this.#entries.length <= maxEvents && this.#bytes <= maxBytes && now - first.at <= maxAgeMs) return;
      this.evictFirst();
    }
  }

  evictFirst(): void {
    const entry = this.#entries.shift();
    if (entry === undefined) return;
    const bytes = bytesOf(entry);
    this.#bytes -= bytes;
    if (entry.id !== undefined && this.#ids?.get(entry.id)?.seq === entry.seq) this.#ids.delete(entry.id);
    this.#onEvicted(bytes);
  }

  /** The retained entries, oldest first. */
  at(index: number): LogEntry | undefined {
    return this.#entries.at(index);
  }

  /** The index of the first retained entry beyond `seq`. */
  indexAfter(seq: number): number {
    return this.#entries.firstIndex((entry) => entry.seq > seq);
  }

  /** The index of the first retained entry that an excerpt has. */
  indexIn({ upTo, last, since }: Excerpt): number {
    const end = this.indexAfter(upTo);
    const young = since > 0 ? this.#entries.firstIndex(({ at }) => at >= since) : 0;
    return Math.max(Math.min(young, end), end - last);
  }

  /** The newest retained entry at or before `seq`. */
  newestUpTo(seq: number): LogEntry | undefined {
    return this.at(this.indexAfter(seq) - 1);
  }

  locate(id: string): LogEntry | 'ambiguous' | undefined {
    const found = this.#ids?.get(id);
    if (found === undefined) return undefined;
    return found.ambiguous ? 'ambiguous' : this.newestUpTo(found.seq);
  }

  #remember(id: string, seq: number): void {
    this.#ids ??= new Map();
    this.#ids.set(id, { seq, ambiguous: this.#ids.has(id) });
  }
}

export function bytesOf(entry: LogEntry): number {
  return entry.data.byteLength + ENTRY_OVERHEAD_BYTES;
}
