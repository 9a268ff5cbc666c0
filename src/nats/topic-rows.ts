import type { Excerpt, Retention } from '../engine/engine.js';

/** A message of a topic. */
export interface Place {
  readonly seq: number;
  readonly at: number;
}

/** What is known of one stored event without its data. */
export interface Row {
  readonly seq: number;
  readonly prev: number;
  readonly at: number;
  readonly bytes: number;
  readonly id: string | undefined;
}

/**
 * The stored events of one topic beyond a sequence, up to another: all that there were, and how many of them its
 * retention has evicted. What one append has evicted stays so, also when later ones would allow more.
 */
export class TopicRows {
  /** Every event beyond this sequence is a row, or has been evicted. */
  readonly from: number;
  /** Every event beyond this one is a row: those between the two are known to be evicted, and no more. */
  readonly #wholeFrom: number;
  /** The newest message at or before `wholeFrom`. */
  readonly #before: Place | undefined;
  readonly #rows: Row[];
  #completeUpTo = 0;
  #evicted = 0;
  #retainedBytes = 0;
  #retention: Retention = { maxEvents: 0, maxBytes: 0, maxAgeMs: 0 };

  constructor(from: number, wholeFrom = from, before: Place | undefined = undefined, rows: Row[] = []) {
    this.from = from;
    this.#wholeFrom = wholeFrom;
    this.#before = before;
    this.#rows = rows;
  }

  get count(): number {
    return this.#rows.length;
  }

  /** Up to here nothing is missing: what is not loaded yet is beyond. */
  get upTo(): number {
    return Math.max(this.#completeUpTo, this.#rows.at(-1)?.seq ?? this.#wholeFrom);
  }

  /** The newest message that is known: the predecessor of the next row. */
  get last(): Place | undefined {
    return this.#rows.at(-1) ?? this.#before;
  }

  /** To be added to while others read this one. */
  copy(): TopicRows {
    const copy = new TopicRows(this.from, this.#wholeFrom, this.#before, this.#rows.slice());
    copy.#completeUpTo = this.#completeUpTo;
    copy.#evicted = this.#evicted;
    copy.#retainedBytes = this.#retainedBytes;
    copy.#retention = this.#retention;
    return copy;
  }

  add(row: Row, retention: Retention): void {
    this.#rows.push(row);
    this.#retainedBytes += row.bytes;
    this.#retention = retention;
    this.trim(row.at);
  }

  /** There is nothing more up to a sequence. */
  complete(upTo: number): void {
    this.#completeUpTo = Math.max(this.#completeUpTo, upTo);
  }

  /** Evicts what the newest retention does not cover at the time `now`. */
  trim(now: number): void {
    const { maxEvents, maxBytes, maxAgeMs } = this.#retention;
    for (let first = this.#first; first !== undefined; first = this.#first) {
      const count = this.#rows.length - this.#evicted;
      if (count <= maxEvents && this.#retainedBytes <= maxBytes && now - first.at <= maxAgeMs) return;
      this.#evicted++;
      this.#retainedBytes -= first.bytes;
    }
  }

  /** Whether there is nothing before these rows that an excerpt has. */
  has({ upTo, last }: Excerpt): boolean {
    // What comes before something that is evicted is so as well.
    return this.#evicted > 0 || (upTo >= this.from && firstBeyond(this.#rows, upTo) >= last);
  }

  /** Whether there was something beyond a sequence that is not known. */
  leavesOut(after: number): boolean {
    if (this.from <= after || this.#evicted > 0) return false;
    const before = this.newestUpTo(this.from);
    return before === 'unknown' || (before !== undefined && before.seq > after);
  }

  /** The first so many of those that are retained, beyond one sequence and up to another. */
  retained(after: number, upTo: number, maxRows: number, excerpt?: Excerpt): readonly Row[] {
    const wanted = excerpt === undefined ? 0 : firstIn(this.#rows, excerpt);
    const begin = Math.max(firstBeyond(this.#rows, after), this.#evicted, wanted);
    return this.#rows.slice(begin, Math.min(firstBeyond(this.#rows, upTo), begin + maxRows));
  }

  /** The newest event beyond one sequence, up to another, whether retained or not; `0` when there is none. */
  headOf(after: number, upTo: number): number {
    const newest = this.#rows[firstBeyond(this.#rows, upTo) - 1]?.seq ?? 0;
    return newest > after ? newest : 0;
  }

  /** The newest message at or before a sequence; `'unknown'` where that is not known. */
  newestUpTo(seq: number): Place | undefined | 'unknown' {
    if (seq < this.#wholeFrom) return 'unknown';
    return this.#rows[firstBeyond(this.#rows, seq) - 1] ?? this.#before;
  }

  get #first(): Row | undefined {
    return this.#rows[this.#evicted];
  }
}

/** Index of the first row that an excerpt has. */
function firstIn(rows: readonly Row[], { upTo, last, since }: Excerpt): number {
  const end = firstBeyond(rows, upTo);
  const young = since > 0 ? firstIndex(rows, ({ at }) => at >= since) : 0;
  return Math.max(Math.min(young, end), end - last);
}

/** Index of the first row beyond a sequence; their number when there is none. */
function firstBeyond(rows: readonly Row[], seq: number): number {
  return firstIndex(rows, (row) => row.seq > seq);
}

/** Index of the first row that is, where all behind it are as well; their number when none is. */
function firstIndex(rows: readonly Row[], is: (row: Row) => boolean): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (is(rows[middle] as Row)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The rows of the topics that were asked about last, bounded by their number. */
export class RowCache {
  readonly #maxRows: number;
  readonly #topics = new Map<string, TopicRows>();
  #epoch = '';
  #count = 0;

  constructor(maxRows: number) {
    this.#maxRows = maxRows;
  }

  get(epoch: string, topic: string): TopicRows | undefined {
    if (epoch !== this.#epoch) this.clear(epoch);
    const known = this.#topics.get(topic);
    if (known === undefined) return undefined;
    this.#topics.delete(topic);
    this.#topics.set(topic, known);
    return known;
  }

  set(epoch: string, topic: string, rows: TopicRows): void {
    if (epoch !== this.#epoch) this.clear(epoch);
    this.delete(topic);
    this.#topics.set(topic, rows);
    this.#count += rows.count + 1;
    for (const oldest of this.#topics.keys()) {
      if (this.#count <= this.#maxRows || oldest === topic) return;
      this.delete(oldest);
    }
  }

  delete(topic: string): void {
    this.#count -= (this.#topics.get(topic)?.count ?? -1) + 1;
    this.#topics.delete(topic);
  }

  clear(epoch = ''): void {
    this.#epoch = epoch;
    this.#topics.clear();
    this.#count = 0;
  }
}
