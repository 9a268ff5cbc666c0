import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { createEpoch } from '../topic/position.js';
import type { SqliteDatabase, SqliteDriver } from './driver.js';
import { explain, failures, inUse, unusable } from './failure.js';
import { APPLICATION_ID, MIGRATIONS } from './schema.js';

/** A checkpoint leaves the write-ahead log as large as it ever was, unless it is told to cut it. */
const MAX_IDLE_WAL_BYTES = 16_777_216;
/** In KiB, below 0 by SQLite's convention. The drivers' own defaults differ. */
const CACHE_SIZE = -8_192;

/**
 * The files that engines of this process have open, also those of another copy of this package. SQLite's own lock cannot tell:
 * closing any descriptor of a file, which the other driver's copy of SQLite would do, gives up all locks that the process has on it
 * (https://sqlite.org/howtocorrupt.html, 2.2.1).
 */
const OPEN_FILES = Symbol.for('nestjs-event-stream.sqlite.open-files');

/** The file of a log, of which this process is the only user. */
export class LogFile {
  readonly path: string;
  readonly database: SqliteDatabase;
  readonly #identity: string;

  private constructor(path: string, database: SqliteDatabase, identity: string) {
    this.path = path;
    this.database = database;
    this.#identity = identity;
  }

  /** @throws SseError `invalid-options` when this can be no log of ours, `engine-failed` when it cannot be opened now */
  static open(path: string, driver: SqliteDriver, synchronous: 'normal' | 'full'): LogFile {
    if (!existsSync(dirname(path)))
      throw unusable(path, `there is no directory ${dirname(path)}, or it may not be entered`);
    const existing = identityOf(path);
    if (existing !== undefined && openFiles().has(existing)) throw inUse(path);
    assertWritable(path, existing === undefined ? [dirname(path)] : [dirname(path), path]);
    let database: SqliteDatabase | undefined;
    try {
      database = new driver(path);
      prepare(path, database, synchronous);
      const identity = identityOf(path) ?? '';
      openFiles().add(identity);
      return new LogFile(path, database, identity);
    } catch (error) {
      database?.close();
      throw explain(path, error);
    }
  }

  /** Whether the path still leads to the file that is open: SQLite writes on to one that was deleted. */
  get isInPlace(): boolean {
    return identityOf(this.path) === this.#identity;
  }

  close(): void {
    openFiles().delete(this.#identity);
    this.database.close();
  }
}

/** SQLite would say that the disk has failed. The directory too: the write-ahead log is made beside the file. */
function assertWritable(path: string, each: readonly string[]): void {
  try {
    for (const one of each) accessSync(one, constants.W_OK);
  } catch (cause) {
    throw failures.failed(`use ${path}`, cause, 'the file or its directory is read-only for this process');
  }
}

function prepare(path: string, database: SqliteDatabase, synchronous: 'normal' | 'full'): void {
  // better-sqlite3 would wait for 5 s, and the event loop with it.
  database.exec('PRAGMA busy_timeout = 0');
  // Before anything is read: the lock is then taken by the first access and held until the end, and there is no -shm file.
  database.exec('PRAGMA locking_mode = EXCLUSIVE');
  const version = versionOf(path, database);
  const { journal_mode: mode } = database.prepare('PRAGMA journal_mode = WAL').get() as { journal_mode: string };
  if (mode !== 'wal') throw unusable(path, 'its file system cannot hold a write-ahead log');
  database.exec(`PRAGMA synchronous = ${synchronous}`);
  database.exec(`PRAGMA cache_size = ${CACHE_SIZE}`);
  database.exec(`PRAGMA journal_size_limit = ${MAX_IDLE_WAL_BYTES}`);
  migrate(database, version);
}

/** The version of the log in the file, `0` for a new one. Changes nothing, in case that the file is somebody else's. */
function versionOf(path: string, database: SqliteDatabase): number {
  const number = (sql: string): number => Object.values(database.prepare(sql).get() as object)[0] as number;
  const version = number('PRAGMA user_version');
  if (number('PRAGMA application_id') !== APPLICATION_ID) {
    if (number('SELECT count(*) FROM sqlite_schema') === 0) return 0;
    throw unusable(path, 'it is a SQLite file of another program');
  }
  if (version <= MIGRATIONS.length) return version;
  throw unusable(
    path,
    `it has version ${version}, made by a newer nestjs-event-stream; this one knows ${MIGRATIONS.length}`,
  );
}

/** In one transaction: a file is never left without its epoch, or between two versions. */
function migrate(database: SqliteDatabase, version: number): void {
  database.exec('BEGIN IMMEDIATE');
  for (const migration of MIGRATIONS.slice(version)) database.exec(migration);
  if (version === 0) database.prepare('INSERT INTO lane VALUES (1, ?, 0, 0, 0, 0)').run(createEpoch());
  if (version < MIGRATIONS.length) {
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  }
  database.exec('COMMIT');
}

function identityOf(path: string): string | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats && `${stats.dev}:${stats.ino}`;
}

function openFiles(): Set<string> {
  const shared = globalThis as { [OPEN_FILES]?: Set<string> };
  return (shared[OPEN_FILES] ??= new Set());
}
