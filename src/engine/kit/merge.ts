/** A list of entries that are in lane order. */
export interface OrderedEntries<T> {
  at(index: number): T | undefined;
}

interface Place<T> {
  readonly entries: OrderedEntries<T>;
  index: number;
  entry: T;
}

/**
 * Merges lists that are in lane order, one entry at a time: whoever wants few of many pays for these, and once for each list.
 *
 * A binary heap of the places that the lists are read at, the one with the oldest entry on top.
 */
export class LaneMerge<T extends { readonly seq: number }> {
  readonly #heap: Place<T>[] = [];

  /** @param lists each with the index of the first entry that is wanted of it */
  constructor(lists: Iterable<readonly [entries: OrderedEntries<T>, index: number]>) {
    for (const [entries, index] of lists) {
      const entry = entries.at(index);
      if (entry !== undefined) this.#heap.push({ entries, index, entry });
    }
    for (let n = (this.#heap.length >>> 1) - 1; n >= 0; n--) this.#sink(n);
  }

  /** The oldest entry that has not been taken. */
  get next(): T | undefined {
    return this.#heap[0]?.entry;
  }

  /** Goes on to the one after. */
  take(): void {
    const top = this.#heap[0];
    if (top === undefined) return;
    const entry = top.entries.at(++top.index);
    if (entry !== undefined) top.entry = entry;
    else {
      const last = this.#heap.pop() as Place<T>;
      if (last === top) return;
      this.#heap[0] = last;
    }
    this.#sink(0);
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const place = heap[from] as Place<T>;
    const { seq } = place.entry;
    let at = from;
    for (let child = 2 * at + 1; child < heap.length; child = 2 * at + 1) {
      const right = heap[child + 1];
      if (right !== undefined && right.entry.seq < (heap[child] as Place<T>).entry.seq) child++;
      const least = heap[child] as Place<T>;
      if (seq <= least.entry.seq) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = place;
  }
}
