import { setImmediate as turn } from 'node:timers/promises';
import type { AppendRequest, LogEntry } from '../engine/engine.js';
import { Fifo } from '../engine/fifo.js';
import { MAX_WAITING_BYTES } from '../engine/kit/failure.js';
import type { Position } from '../topic/position.js';
import { failures } from './failure.js';
import type { SqliteLog } from './log.js';
import { sizeOf } from './store.js';

/** What one transaction takes in, so that the event loop goes round in between. */
const MAX_BATCH_ENTRIES = 128;
const MAX_BATCH_BYTES = 1_048_576;

interface Waiting {
  readonly request: AppendRequest;
  readonly size: number;
  readonly resolve: (position: Position) => void;
  readonly reject: (error: unknown) => void;
}

/** Appends in batches, in the order of the calls: what is appended in one turn of the event loop shares a transaction. */
export class SqliteAppender {
  readonly #open: () => Promise<SqliteLog>;
  readonly #deliver: (epoch: string, entry: LogEntry) => void;
  readonly #waiting = new Fifo<Waiting>();
  #waitingBytes = 0;
  #storing: Promise<void> | undefined;

  /** @param deliver is called with each event once it is stored, before its caller is told */
  constructor(open: () => Promise<SqliteLog>, deliver: (epoch: string, entry: LogEntry) => void) {
    this.#open = open;
    this.#deliver = deliver;
  }

  append(request: AppendRequest): Promise<Position> {
    const size = sizeOf(request);
    if (this.#waitingBytes > 0 && this.#waitingBytes + size > MAX_WAITING_BYTES) throw failures.tooMuchWaits();
    const position = new Promise<Position>((resolve, reject) => {
      this.#waiting.push({ request, size, resolve, reject });
    });
    this.#waitingBytes += size;
    this.#storing ??= this.#store();
    return position;
  }

  /** Resolves once everything that was appended before has been stored or refused. */
  async drain(): Promise<void> {
    await this.#storing;
  }

  /** Stores what waits: all appends of one turn of the event loop together, and what is beyond a batch in the next. */
  async #store(): Promise<void> {
    while (this.#waiting.length > 0) {
      await turn();
      const log = await this.#open().catch((error: unknown) => this.#refuse(error));
      if (log !== undefined) this.#storeBatch(log, this.#nextBatch(MAX_BATCH_ENTRIES, MAX_BATCH_BYTES));
    }
    // At once, not when the promise settles: who is called back by then may append again.
    this.#storing = undefined;
  }

  #storeBatch(log: SqliteLog, batch: readonly Waiting[]): void {
    let entries: LogEntry[];
    try {
      entries = log.append(batch.map(({ request }) => request));
    } catch (error) {
      for (const { reject } of batch) reject(error);
      return;
    }
    const { epoch } = log.head;
    for (const entry of entries) this.#deliver(epoch, entry);
    for (const [n, { seq, at }] of entries.entries()) batch[n]?.resolve({ epoch, seq, at });
  }

  #nextBatch(maxEntries: number, maxBytes: number): Waiting[] {
    const batch: Waiting[] = [];
    let bytes = 0;
    for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
      bytes += next.size;
      if (batch.length > 0 && (batch.length >= maxEntries || bytes > maxBytes)) break;
      this.#waiting.shift();
      this.#waitingBytes -= next.size;
      batch.push(next);
    }
    return batch;
  }

  /** The log cannot be opened: nothing of what waits was stored. */
  #refuse(error: unknown): undefined {
    for (const { reject } of this.#nextBatch(Infinity, Infinity)) reject(error);
  }
}
