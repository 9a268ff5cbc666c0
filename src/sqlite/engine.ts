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
import { Interest } from '../engine/kit/interest.js';
import { reopenable } from '../engine/kit/reopenable.js';
import type { Position } from '../topic/position.js';
import { SqliteAppender } from './append.js';
import { loadDriver } from './driver.js';
import { failures, gone } from './failure.js';
import { LogFile } from './file.js';
import { SqliteLog } from './log.js';
import { resolveOptions } from './options.js';
import type { SqliteSettings, SqliteEngineOptions } from './options.js';

const SWEEP_MS = 5_000;
/** Nothing else happens in this process while an event is written: about 10 ms for each MiB, 0.15 to 0.19 s for this one, with either driver. */
const MAX_EVENT_BYTES = 16_777_216;
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
  readonly #appender: SqliteAppender;
  #sink: EngineSink | undefined;
  #opening: Promise<SqliteLog> | undefined;
  #sweeping: Promise<void> | undefined;
  #sweeper: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  #isInterrupted = false;

  constructor(options: SqliteSettings) {
    this.#options = options;
    this.#appender = new SqliteAppender(
      () => this.#open(),
      (epoch, entry) => this.#deliver(epoch, entry),
    );
  }

  async start(sink: EngineSink): Promise<void> {
    this.#assertOpen();
    this.#sink = sink;
    await this.#log();
  }

  async append(request: AppendRequest): Promise<Position> {
    this.#assertOpen();
    failures.checkSize(request, this.maxEventBytes);
    return this.#appender.append(request);
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
    await this.#appender.drain();
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
