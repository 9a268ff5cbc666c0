import type { LogEntry } from '../engine/engine.js';
import { Fifo } from '../engine/fifo.js';
import { ENTRY_OVERHEAD_BYTES } from '../engine/memory-log.js';
import { sizeOf } from '../engine/text-entry.js';
import type { Batch } from './batch.js';

/** An entry in the windows of some views. */
export interface HeldEntry {
  entry: LogEntry;
  /** How many windows it is in. */
  windows: number;
  /** For all readers of the windows that have nothing else. */
  batch?: Batch | undefined;
}

/**
 * Bounds what the windows of one process hold together. An entry counts once, however many windows it is in; when there
 * is too much, the oldest goes first, and who still needs it reads it from the log.
 */
export class WindowBudget {
  readonly #maxBytes: number;
  readonly #evict: (held: HeldEntry) => void;
  /** In lane order; some are in no window any more. */
  readonly #entries = new Fifo<HeldEntry>();
  #bytes = 0;
  #count = 0;

  constructor(maxBytes: number, evict: (held: HeldEntry) => void) {
    this.#maxBytes = maxBytes;
    this.#evict = evict;
  }

  /** Bytes of all entries that are in a window. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts in an entry that has just been put into its windows. */
  add(held: HeldEntry): void {
    this.#entries.push(held);
    this.#bytes += bytesOf(held);
    this.#count++;
    while (this.#bytes > this.#maxBytes) {
      const oldest = this.#entries.shift();
      if (oldest === undefined) return;
      if (oldest.windows > 0) this.#evict(oldest);
    }
    // One slow reader may need an old entry while thousands behind it have come and gone.
    if (this.#entries.length > 2 * this.#count + 1_024) this.#entries.retain(({ windows }) => windows > 0);
  }

  /** One window has let go of an entry. */
  release(held: HeldEntry): void {
    if (--held.windows > 0) return;
    this.#bytes -= bytesOf(held);
    this.#count--;
    // It stays in the list until that is cleared, and must not keep its payload until then.
    held.entry = GONE;
    held.batch = undefined;
  }
}

const GONE: LogEntry = { topic: '', seq: 0, prev: 0, at: 0, data: new Uint8Array(0) };

function bytesOf({ entry }: HeldEntry): number {
  return sizeOf(entry) + ENTRY_OVERHEAD_BYTES;
}
