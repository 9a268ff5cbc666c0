import { setImmediate as turn } from 'node:timers/promises';
import type {
  AppendRequest,
  Engine,
  EngineSink,
  Heads,
  Listing,
  LogEntry,
  ReadPage,
  ReadRequest,
} from '../engine/engine.js';
import { reopenable } from '../engine/kit/reopenable.js';
import { MAX_WAITING_BYTES } from '../engine/kit/failure.js';
import { Interest } from '../engine/kit/interest.js';
import { Fifo } from '../engine/fifo.js';
import type { Position } from '../topic/position.js';
import { loadDriver } from './driver.js';
import { failures, gone } from './failure.js';
import { LogFile } from './file.js';
import { SqliteLog } from './log.js';
import { resolveOptions } from './options.js';
import type { SqliteSettings, SqliteEngineOptions } from './options.js';
import { sizeOf } from './append.js';

const SWEEP_MS = 5_000;
/** Nothing else happens in this process while an event is written: about 10 ms for each MiB, 0.15 to 0.19 s for this one, with either driver. */
const MAX_EVENT_BYTES = 16_777_216;
/** What one transaction takes in, so that the event loop goes round in between. */
const MAX_BATCH_ENTRIES = 128;
const MAX_BATCH_BYTES = 1_048_576;

interface Waiting {
  readonly request: AppendRequest;
  readonly size: number;
  readonly resolve: (position: Position) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Keeps the log in a SQLite file that this process alone uses: it survives the process, and needs no server.
 * The file is opened with the first call, and each call tries again while that fails.
 *
 * @throws SseError `invalid-options`
 */
export function sqliteEngine(options: SqliteEngineOptions): Engine {
  const resolved = resolveOptions(options);
  return reopenable(
    () => new SqliteEngine(resolved),
    () => loadDriver(resolved.driver),
  );
}

class SqliteEngine implements Engine {
  readonly name = 'sqlite';
  readonly isShared = false;
  readonly maxEventBytes = MAX_EVENT_BYTES;
  readonly #options: SqliteSettings;
  readonly #interest = new Interest();
  readonly #waiting = new Fifo<Waiting>();
  #waitingBytes = 0;
  #sink: EngineSink | undefined;
  #opening: Promise<SqliteLog> | undefined;
  #storing: Promise<void> | undefined;
  #sweeping: Promise<void> | undefined;
  #sweeper: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  #isInterrupted = false;

  constructor(options: SqliteSettings) {
    this.#options = options;
  }

  async start(sink: EngineSink): Promise<void> {
    this.#assertOpen();
    this.#sink = sink;
    await this.#log();
  }

  async append(request: AppendRequest): Promise<Position> {
    this.#assertOpen();
    failures.checkSize(request, this.maxEventBytes);
    const size = sizeOf(request);
    if (this.#waitingBytes > 0 && this.#waitingBytes + size > MAX_WAITING_BYTES) {
      throw failures.tooMuchWaits();
    }
    const position = new Promise<Position>((resolve, reject) => {
      this.#waiting.push({ request, size, resolve, reject });
    });
    this.#waitingBytes += size;
    this.#storing ??= this.#store();
    return position;
  }

  async read(request: ReadRequest): Promise<ReadPage> {
    return (await this.#log()).read(request);
  }

  async locate(topics: readonly string[], id: string): Promise<Position | 'ambiguous' | undefined> {
    return (await this.#log()).locate(topics, id);
  }

  async list(prefix: string): Promise<Listing> {
    return (await this.#log()).list(prefix);
  }

  async heads(topics: readonly string[]): Promise<Heads> {
    return (await this.#log()).heads(topics, () => this.#assertOpen());
  }

  async subscribe(topics: readonly string[]): Promise<Position> {
    this.#assertOpen();
    this.#interest.add(topics);
    return (await this.#log()).head;
  }

  unsubscribe(topics: readonly string[]): void {
    this.#interest.delete(topics);
  }

  async health(): Promise<void> {
    (await this.#log()).check();
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    // What was appended before is stored.
    await this.#storing;
    await this.#opening?.catch(() => undefined);
    clearInterval(this.#sweeper);
    await this.#sweeping;
    const log = await this.#opening?.catch(() => undefined);
    log?.close();
    this.#interest.clear();
    this.#sink = undefined;
  }

  async #log(): Promise<SqliteLog> {
    this.#assertOpen();
    const log = await this.#open();
    this.#assertOpen();
    return log;
  }

  #open(): Promise<SqliteLog> {
    return (this.#opening ??= this.#openLog().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    }));
  }

  async #openLog(): Promise<SqliteLog> {
    const { path, driver, synchronous } = this.#options;
    const log = new SqliteLog(LogFile.open(path, await loadDriver(driver), synchronous), this.#options);
    this.#sweeper ??= setInterval(() => void (this.#sweeping ??= this.#sweep()), SWEEP_MS).unref();
    if (this.#isInterrupted) this.#sink?.resumed();
    this.#isInterrupted = false;
    return log;
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
    for (let next = this.#waiting.first(); next !== undefined; next = this.#waiting.first()) {
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

  #deliver(epoch: string, entry: LogEntry): void {
    if (this.#interest.has(entry.topic)) this.#sink?.entry(epoch, entry);
  }

  async #sweep(): Promise<void> {
    try {
      let log = await this.#open();
      if (!log.isInPlace) log = await this.#openAnew(log);
      while (log.sweep() && this.#closing === undefined) await turn();
    } catch {
      // The next sweep tries again, and the next call of somebody is told.
    } finally {
      this.#sweeping = undefined;
    }
  }

  /** The file was deleted or replaced: what is written to it any longer would be gone with this process. */
  async #openAnew(log: SqliteLog): Promise<SqliteLog> {
    this.#isInterrupted = true;
    this.#sink?.interrupted(gone(this.#options.path));
    this.#opening = undefined;
    log.close();
    return this.#open();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw failures.closed();
  }
}
