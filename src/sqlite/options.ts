import { resolve } from 'node:path';
import { type Rules, anyFunction, checkOptions, number, oneOf, refuse } from '../rules.js';
import { builtInDriver, missingBuiltIn } from './driver.js';
import type { SqliteDriver } from './driver.js';

export interface SqliteEngineOptions {
  /** The file that holds the log, made when it is missing. Its directory must be there, and be on a local disk. */
  readonly path: string;
  /**
   * What gives access to SQLite: the name of a driver, or the class itself that opens a file: `DatabaseSync` of
   * `node:sqlite`, the default export of `better-sqlite3`, or one that behaves like them.
   *
   * @default 'node:sqlite' where the running Node has it (from 22.13), else 'better-sqlite3'
   */
  readonly driver?: 'node:sqlite' | 'better-sqlite3' | SqliteDriver | undefined;
  /**
   * What an acknowledged event survives: with `'normal'` the end of the process, however it ends; with `'full'` also that of
   * the operating system and of the power supply, at the cost of waiting for the disk at each commit.
   *
   * @default 'normal'
   */
  readonly synchronous?: 'normal' | 'full' | undefined;
  /**
   * How many bytes all retained events may take together, whatever each topic's own history allows. When more
   * would be kept, the oldest events of all topics go first. The file becomes about this large.
   *
   * Minimum: `1024`.
   *
   * @default 1_073_741_824
   */
  readonly maxTotalBytes?: number | undefined;
  /**
   * The clock, in ms since 1970. For tests.
   *
   * @default Date.now
   */
  readonly now?: (() => number) | undefined;
}

export interface SqliteSettings {
  readonly path: string;
  readonly driver: 'node:sqlite' | 'better-sqlite3' | SqliteDriver | undefined;
  readonly synchronous: 'normal' | 'full';
  readonly maxTotalBytes: number;
  readonly now: () => number;
}

const PATH = 'the path of a file (for a log in memory there is memoryEngine())';

const RULES: Rules<SqliteEngineOptions> = {
  path: {
    expected: PATH,
    allows: (value) => typeof value === 'string' && value !== '' && value !== ':memory:' && !value.includes('\0'),
  },
  driver: {
    expected: "'node:sqlite', 'better-sqlite3' or a class that opens a file",
    allows: (value) => value === 'node:sqlite' || value === 'better-sqlite3' || typeof value === 'function',
  },
  synchronous: oneOf('normal', 'full'),
  maxTotalBytes: number(1_024),
  now: anyFunction,
};

/** @throws SseError `invalid-options` */
export function resolveOptions(options: SqliteEngineOptions): SqliteSettings {
  checkOptions('sqliteEngine', options, RULES);
  if (options.path === undefined) refuse('sqliteEngine', `path must be ${PATH}`);
  if (options.driver === 'node:sqlite' && builtInDriver() === undefined) throw missingBuiltIn();
  const { path, driver, synchronous = 'normal', maxTotalBytes = 1_073_741_824, now = Date.now } = options;
  return { path: resolve(path), driver, synchronous, maxTotalBytes, now };
}
