import type { Retention } from '../engine/engine.js';

/** What is known of one stored event without its payload. */
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
  /** Rows begin beyond this sequence. */
  readonly from: number;
  readonly #rows: Row[];
  #evicted = 0;
  #retainedBytes = 0;
  #retention: Retention = { maxEvents: 0, maxBytes: 0, maxAgeMs: 0 };

  constructor(from: number, rows: Row[] = []) {
    this.from = from;
    this.#rows = rows;
  }

  get count(): number {
    return this.#rows.length;
  }

  get last(): Row | undefined {
    return this.#rows.at(-1);
  }

  /** To be added to while others read this one. */
  copy(): TopicRows {
    const copy = new TopicRows(this.from, this.#rows.slice());
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

  /** Those beyond one sequence, up to another. */
  between(after: number, upTo: number): { readonly rows: readonly Row[]; readonly retained: readonly Row[] } {
    const begin = firstBeyond(this.#rows, after);
    const end = firstBeyond(this.#rows, upTo);
    return { rows: this.#rows.slice(begin, end), retained: this.#rows.slice(Math.max(begin, this.#evicted), end) };
  }

  get #first(): Row | undefined {
    return this.#rows[this.#evicted];
  }
}

/** Index of the first row beyond a sequence; their number when there is none. */
function firstBeyond(rows: readonly Row[], seq: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rows[middle] as Row).seq > seq) high = middle;
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
