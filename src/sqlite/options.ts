import { resolve } from 'node:path';
import { SseError, describe } from '../errors.js';
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

interface Rule {
  readonly expected: string;
  readonly allows: (value: unknown) => boolean;
}

const RULES: Readonly<Record<keyof SqliteEngineOptions, Rule>> = {
  path: {
    expected: 'the path of a file (for a log in memory there is memoryEngine())',
    allows: (value) => typeof value === 'string' && value !== '' && value !== ':memory:' && !value.includes('\0'),
  },
  driver: {
    expected: "'node:sqlite', 'better-sqlite3' or a class that opens a file",
    allows: (value) => value === 'node:sqlite' || value === 'better-sqlite3' || typeof value === 'function',
  },
  synchronous: { expected: "'normal' or 'full'", allows: (value) => value === 'normal' || value === 'full' },
  maxTotalBytes: {
    expected: 'a number of at least 1024',
    allows: (value) => typeof value === 'number' && value >= 1_024,
  },
  now: { expected: 'a function', allows: (value) => typeof value === 'function' },
};

/** @throws SseError `invalid-options` */
export function resolveOptions(options: SqliteEngineOptions): SqliteSettings {
  if (typeof options !== 'object' || options === null) throw invalid(`expects options, got ${describe(options)}`);
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(RULES, name)) throw invalid(`there is no option ${describe(name)}`);
    check(name as keyof SqliteEngineOptions, value);
  }
  if (options.path === undefined) throw invalid(`path must be ${RULES.path.expected}`);
  if (options.driver === 'node:sqlite' && builtInDriver() === undefined) throw missingBuiltIn();
  const { path, driver, synchronous = 'normal', maxTotalBytes = 1_073_741_824, now = Date.now } = options;
  return { path: resolve(path), driver, synchronous, maxTotalBytes, now };
}

function check(name: keyof SqliteEngineOptions, value: unknown): void {
  const { expected, allows } = RULES[name];
  if (value !== undefined && !allows(value)) throw invalid(`${name} must be ${expected}; got ${describe(value)}`);
}

function invalid(problem: string): SseError {
  return new SseError('invalid-options', `sqliteEngine: ${problem}`);
}
