/** A first-in-first-out list with indexed access; `push` and `shift` cost amortised O(1). */
export class Fifo<T> {
  #items: T[] = [];
  #start = 0;

  get length(): number {
    return this.#items.length - this.#start;
  }

  at(index: number): T | undefined {
    return this.#items[this.#start + index];
  }

  get first(): T | undefined {
    return this.#items[this.#start];
  }

  get last(): T | undefined {
    return this.length === 0 ? undefined : this.#items[this.#items.length - 1];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#start];
    // Let go of the item at once; the slot itself goes when half of the array is empty.
    this.#items[this.#start++] = undefined as T;
    if (this.#start > 32 && this.#start * 2 >= this.#items.length) {
      this.#items.splice(0, this.#start);
      this.#start = 0;
    }
    return item;
  }

  /** Keeps only what passes, in order. */
  retain(keep: (item: T) => boolean): void {
    this.#items = this.#items.slice(this.#start).filter(keep);
    this.#start = 0;
  }

  clear(): void {
    this.#items = [];
    this.#start = 0;
  }

  /** Index of the first item for which `isAfter` holds; items must be ordered so that it holds for a tail of them. */
  firstIndex(isAfter: (item: T) => boolean): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isAfter(this.#items[this.#start + middle] as T)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
