import { isUsers } from '../topic/own-name.js';

/** Beyond this, everything is let go of: the log has it all. */
const MAX_ITEMS = 10_000;
const MAX_BYTES = 16_777_216;

/** An event that was not delivered itself. */
export interface Hint {
  readonly topic: string;
  readonly seq: number;
}

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

/** Of a topic of the module's own only the order of its own entries matters: what its newest hint has read needs no other. */
export function withoutOlderHints<T extends { readonly item: { readonly topic: string } }>(held: readonly T[]): T[] {
  const topics = new Set<string>();
  const isNeeded = ({ item }: T): boolean =>
    'data' in item || isUsers(item.topic) || topics.size < topics.add(item.topic).size;
  return [...held].reverse().filter(isNeeded).reverse();
}
