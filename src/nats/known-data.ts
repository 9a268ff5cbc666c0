import type { StoredMessage } from './stored-message.js';

/** The data of what was loaded to learn its size, for the page that may want it; only as much as a page holds. */
export class KnownData {
  readonly #data = new Map<number, Uint8Array>();
  #room: number;

  constructor(maxBytes: number) {
    this.#room = maxBytes;
  }

  /** The client's buffers are larger than one message, and would be kept by it: what is kept is a copy. */
  add({ seq, data }: StoredMessage): void {
    if (this.#room <= 0) return;
    this.#room -= data.byteLength;
    this.#data.set(seq, data.slice());
  }

  get(seq: number): Uint8Array | undefined {
    return this.#data.get(seq);
  }
}
