import { Fifo } from '../engine/fifo.js';

/**
 * So many questions are under way at once: appends go over the same connection, behind what was asked before. 0.1 ms each on
 * loopback.
 */
const MAX_AT_ONCE = 48;
/** The answers that are under way together. The server cuts a client that lets more than `max_pending` wait, by default 64 MiB. */
const MAX_BYTES = 16_777_216;
/** What the largest answer counts for after each that is smaller. */
const FORGETTING = 0.95;

interface Waiting {
  readonly bytes: number;
  readonly start: () => void;
}

/** Bounds what is asked at once, in the order in which it was to be asked. */
export class Gate {
  readonly #waiting = new Fifo<Waiting>();
  #running = 0;
  #bytes = 0;
  readonly #largest: () => number;
  /** How large an answer may well be; `undefined` while nothing is known of them. */
  #likely: number | undefined;

  /** @param largest how large an answer can be */
  constructor(largest: () => number) {
    this.#largest = largest;
  }

  /** To be called when the connection was lost: too much may have been under way. */
  forget(): void {
    this.#likely = undefined;
  }

  /** @param known how large the answer will be, where that is known */
  async run<T extends { readonly data: Uint8Array }>(
    ask: () => Promise<T | undefined>,
    known?: number,
  ): Promise<T | undefined> {
    const bytes = known ?? this.#likely ?? this.#largest();
    if (this.#waiting.length > 0 || !this.#fits(bytes)) {
      await new Promise<void>((start) => this.#waiting.push({ bytes, start }));
    } else this.#begin(bytes);
    try {
      const answer = await ask();
      this.#likely = Math.max(answer?.data.byteLength ?? 0, (this.#likely ?? this.#largest()) * FORGETTING);
      return answer;
    } finally {
      this.#running--;
      this.#bytes -= bytes;
      this.#startNext();
    }
  }

  #fits(bytes: number): boolean {
    return this.#running === 0 || (this.#running < MAX_AT_ONCE && this.#bytes + bytes <= MAX_BYTES);
  }

  #begin(bytes: number): void {
    this.#running++;
    this.#bytes += bytes;
  }

  #startNext(): void {
    for (let next = this.#waiting.first; next !== undefined && this.#fits(next.bytes); next = this.#waiting.first) {
      this.#waiting.shift();
      this.#begin(next.bytes);
      next.start();
    }
  }
}
