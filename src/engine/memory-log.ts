import type { Excerpt, LogEntry, Retention, TopicSlot } from './engine.js';
import { Fifo } from './fifo.js';
import { sizeOf } from './text-entry.js';

/** What one entry costs beside its payload: the object, its place in the lists. Measured on Node 20, rounded up. */
export const ENTRY_OVERHEAD_BYTES = 160;

interface OwnId {
  seq: number;
  ambiguous: boolean;
}

/** The retained events of one topic, oldest first. The list itself, for one beside it would be an object more to fetch. */
export class MemoryLog extends Fifo<LogEntry> implements TopicSlot {
  readonly #onEvicted: (bytes: number) => void;
  #bytes = 0;
  /** When the oldest was appended, which to ask itself would fetch it. */
  #firstAt = 0;
  #ids: Map<string, OwnId> | undefined;
  #retention: Retention;
  /** Whether the engine's owner wants to hear of it. */
  isWanted: boolean;
  kept: unknown;
  /** Sequence of the newest event, also when it is no longer retained. */
  head = 0;
  /** When the newest event was appended, in ms. */
  headAt = 0;
  /** Who stands before this sequence may have missed events of this topic that are no longer known of. */
  readonly unknownBefore: number;

  constructor(retention: Retention, unknownBefore: number, isWanted: boolean, onEvicted: (bytes: number) => void) {
    super();
    this.isWanted = isWanted;
    this.#retention = retention;
    this.unknownBefore = unknownBefore;
    this.#onEvicted = onEvicted;
  }

  get isEmpty(): boolean {
    return this.length === 0;
  }

  /** After this long without an event the topic's head need not be known any more. */
  get forgetAfterMs(): number {
    return 4 * this.#retention.maxAgeMs;
  }

  append(entry: LogEntry, retention: Retention): void {
    this.#retention = retention;
    this.head = entry.seq;
    this.headAt = entry.at;
    if (this.isEmpty) this.#firstAt = entry.at;
    this.push(entry);
    this.#bytes += bytesOf(entry);
    if (entry.id !== undefined) this.#remember(entry.id, entry.seq);
    this.trim(entry.at);
  }

  /** Evicts what the topic's retention no longer covers at the time `now`. */
  trim(now: number): void {
    const { maxEvents, maxBytes, maxAgeMs } = this.#retention;
    while (this.length > 0) {
      if (this.length <= maxEvents && this.#bytes <= maxBytes && now - this.#firstAt <= maxAgeMs) return;
      this.evictFirst();
    }
  }

  evictFirst(): void {
    const entry = this.shift();
    if (entry === undefined) return;
    this.#firstAt = this.first?.at ?? 0;
    const bytes = bytesOf(entry);
    this.#bytes -= bytes;
    if (entry.id !== undefined && this.#ids?.get(entry.id)?.seq === entry.seq) this.#ids.delete(entry.id);
    this.#onEvicted(bytes);
  }

  /** The index of the first retained entry beyond `seq`. */
  indexAfter(seq: number): number {
    return this.firstIndex((entry) => entry.seq > seq);
  }

  /** The index of the first retained entry that an excerpt has. */
  indexIn({ upTo, last, since }: Excerpt): number {
    const end = this.indexAfter(upTo);
    const young = since > 0 ? this.firstIndex(({ at }) => at >= since) : 0;
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
  return sizeOf(entry) + ENTRY_OVERHEAD_BYTES;
}
