import type { AppendRequest, Heads, LogEntry, Listing, ReadPage, ReadRequest } from '../engine/engine.js';
import type { Position } from '../topic/position.js';
import { resultOf } from './driver.js';
import { evictBeyondTotal } from './evict.js';
import { explain, failures, gone } from './failure.js';
import type { LogFile } from './file.js';
import type { SqliteSettings } from './options.js';
import { listNames, locate, readHeads, readPage } from './read.js';
import { prepareStatements } from './statements.js';
import type { Lane, Statements } from './statements.js';
import { storeEntry } from './store.js';
import { sweepTopics } from './sweep.js';

/** The log in an open file. Every call but `heads` is done when it returns. */
export class SqliteLog {
  readonly #file: LogFile;
  readonly #sql: Statements;
  readonly #now: () => number;
  readonly #maxTotalBytes: number;
  /** As in the file, but for `at`, which also follows the clock between two writes. */
  #lane: Lane;
  /** Why the latest write has failed. */
  #failure: unknown;

  constructor(file: LogFile, { now, maxTotalBytes }: Pick<SqliteSettings, 'now' | 'maxTotalBytes'>) {
    this.#file = file;
    this.#now = now;
    this.#maxTotalBytes = maxTotalBytes;
    try {
      this.#sql = prepareStatements(file.database);
      const lane = this.#sql.lane.get();
      if (lane === undefined) throw new Error('it has lost its epoch');
      this.#lane = { ...lane };
    } catch (error) {
      file.close();
      throw explain(file.path, error);
    }
  }

  get isInPlace(): boolean {
    return this.#file.isInPlace;
  }

  /** The lane's head, with the time of now. */
  get head(): Position {
    return { epoch: this.#lane.epoch, seq: this.#lane.seq, at: this.#tick() };
  }

  /** Stores all of these or none. */
  append(requests: readonly AppendRequest[]): LogEntry[] {
    return this.#write((lane) => {
      const entries = requests.map((request) => storeEntry(this.#sql, lane, request));
      evictBeyondTotal(this.#sql, lane, this.#maxTotalBytes);
      return entries;
    });
  }

  /** Does some of the periodic work, and tells whether there is more. */
  sweep(): boolean {
    const now = this.#tick();
    if (this.#ask(() => this.#sql.dueTopics.get(now, 1)) === undefined) return false;
    return this.#write((lane) => sweepTopics(this.#sql, lane, now));
  }

  read(request: ReadRequest): ReadPage {
    return this.#ask(() => readPage(this.#sql, request, this.head, this.#lane.forgotten));
  }

  locate(topics: readonly string[], id: string): Position | 'ambiguous' | undefined {
    return this.#ask(() => locate(this.#sql, topics, id, this.#lane.epoch));
  }

  list(prefix: string): Listing {
    return this.#ask(() => {
      const names = listNames(this.#sql, prefix);
      return { names, upTo: this.head, forgottenUpTo: this.#lane.forgotten };
    });
  }

  /** @param assertOpen is called after each pause, and throws when the engine was closed meanwhile */
  async heads(topics: readonly string[], assertOpen: () => void): Promise<Heads> {
    try {
      return await readHeads(this.#sql, topics, this.head, assertOpen);
    } catch (error) {
      throw explain(this.#file.path, error);
    }
  }

  /** Throws when the file is gone, cannot be read, or could not be written to and still cannot. */
  check(): void {
    if (!this.isInPlace) throw gone(this.#file.path);
    this.#ask(() => this.#sql.lane.get());
    if (this.#failure !== undefined) this.#write(() => undefined);
  }

  close(): void {
    this.#file.close();
  }

  #write<T>(change: (lane: Lane) => T): T {
    const { path } = this.#file;
    const lane = { ...this.#lane, at: this.#tick() };
    let isCommitting = false;
    try {
      this.#sql.begin.run();
      const result = change(lane);
      this.#sql.updateLane.run(lane.seq, lane.at, lane.bytes, lane.forgotten);
      isCommitting = true;
      this.#sql.commit.run();
      this.#lane = lane;
      this.#failure = undefined;
      return result;
    } catch (error) {
      this.#rollBack();
      this.#failure = error;
      // A commit that was not seen to end may be found by the recovery after a crash, or not.
      throw isCommitting && resultOf(error) !== 'FULL' ? failures.uncertain(error) : explain(path, error);
    }
  }

  #rollBack(): void {
    try {
      this.#sql.rollback.run();
    } catch {
      // SQLite has rolled back by itself, as it does on some errors.
    }
  }

  #ask<T>(question: () => T): T {
    try {
      return question();
    } catch (error) {
      throw explain(this.#file.path, error);
    }
  }

  #tick(): number {
    return (this.#lane.at = Math.max(this.#lane.at, this.#now()));
  }
}
