import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { SseError } from '../errors.js';

export type SqliteValue = string | number | Uint8Array | null;

/** What is used of a prepared statement, of either driver. */
export interface SqliteStatement {
  run(...values: SqliteValue[]): unknown;
  get(...values: SqliteValue[]): unknown;
  all(...values: SqliteValue[]): unknown[];
}

/** What is used of a connection, of either driver. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): unknown;
}

/** Opens a file: `DatabaseSync` of `node:sqlite`, the default export of `better-sqlite3`, or what behaves like them. */
export type SqliteDriver = new (path: string) => SqliteDatabase;

/** Not a literal in `import()`, so that neither the compiler nor a bundler looks for it. */
const BETTER_SQLITE3: string = 'better-sqlite3';

/** From version 13 on, `better-sqlite3` is built for this version of Node-API, which Node has from 22.14 on. */
const NODE_API = 10;
const LAST_WITHOUT = 12;

const WAYS_OUT =
  'run on Node 22.13 or later, which has node:sqlite, or install the npm package better-sqlite3 ' +
  `(for Node before 22.14: better-sqlite3@${LAST_WITHOUT})`;

/** `node:sqlite`, where the running Node has it without a flag. */
export function builtInDriver(): SqliteDriver | undefined {
  const sqlite = process.getBuiltinModule('node:sqlite') as { readonly DatabaseSync?: SqliteDriver } | undefined;
  return sqlite?.DatabaseSync;
}

/**
 * Loads the driver that was asked for, or the best that there is.
 *
 * @throws SseError `invalid-options` when it is not there, or does not load
 */
export async function loadDriver(
  wanted: 'node:sqlite' | 'better-sqlite3' | SqliteDriver | undefined,
): Promise<SqliteDriver> {
  if (typeof wanted === 'function') return wanted;
  const builtIn = wanted === 'better-sqlite3' ? undefined : builtInDriver();
  if (builtIn !== undefined) return builtIn;
  if (wanted === 'node:sqlite') throw missingBuiltIn();
  assertOpens(BETTER_SQLITE3);
  try {
    const { default: driver } = (await import(BETTER_SQLITE3)) as { readonly default: SqliteDriver };
    // It loads what it was compiled for, which may be another Node, with its first connection.
    new driver(':memory:').close();
    return driver;
  } catch (cause) {
    throw new SseError('invalid-options', `sqliteEngine: there is no SQLite for it: ${WAYS_OUT}`, { cause });
  }
}

/**
 * Refuses a `better-sqlite3` that is too new for the running Node: its first connection would end the process with a segmentation fault,
 * without a word (https://github.com/WiseLibs/better-sqlite3/issues/1514), and `npm install` takes it.
 */
function assertOpens(name: string): void {
  if (Number(process.versions.napi) >= NODE_API) return;
  const version = versionOf(name);
  if (version === undefined || Number.parseInt(version) <= LAST_WITHOUT) return;
  const problem = `better-sqlite3 ${version} does not run on Node ${process.versions.node}`;
  throw new SseError('invalid-options', `sqliteEngine: ${problem}: ${WAYS_OUT}`);
}

/** Looked up from the program, as a path from here is not to be had in both module formats. */
function versionOf(name: string): string | undefined {
  try {
    const { version } = createRequire(resolve(process.argv[1] ?? 'index.js'))(`${name}/package.json`) as {
      version: string;
    };
    return version;
  } catch {
    // Not there, or out of sight: then the import tells.
    return undefined;
  }
}

export function missingBuiltIn(): SseError {
  return new SseError('invalid-options', `sqliteEngine: Node ${process.versions.node} has no node:sqlite: ${WAYS_OUT}`);
}

/** https://sqlite.org/rescode.html */
const RESULT_NAMES: Readonly<Record<number, string>> = {
  5: 'BUSY',
  8: 'READONLY',
  10: 'IOERR',
  11: 'CORRUPT',
  13: 'FULL',
  14: 'CANTOPEN',
  26: 'NOTADB',
};

/** The primary result code of SQLite behind a driver's error, as in `SQLITE_FULL`; `undefined` for any other error. */
export function resultOf(error: unknown): string | undefined {
  const { code, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown };
  // node:sqlite gives the number, with the extended code in its upper bytes; better-sqlite3 gives the name.
  if (typeof errcode === 'number') return RESULT_NAMES[errcode & 0xff];
  return typeof code === 'string' ? /^SQLITE_([A-Z]+)/.exec(code)?.[1] : undefined;
}
