/** Beyond this, everything is let go of: the log has it all. */
const MAX_ITEMS = 10_000;
const MAX_BYTES = 16_777_216;

/** What an engine delivers while the log is being read, to be taken up afterwards. */
export class HeldBack<T> {
  #items: T[] = [];
  #bytes = 0;

  /** `false`: it was too much, and nothing is held any more. */
  push(item: T, bytes: number): boolean {
    this.#items.push(item);
    this.#bytes += bytes;
    if (this.#items.length <= MAX_ITEMS && this.#bytes <= MAX_BYTES) return true;
    this.takeAll();
    return false;
  }

  takeAll(): T[] {
    const items = this.#items;
    this.#items = [];
    this.#bytes = 0;
    return items;
  }
}
