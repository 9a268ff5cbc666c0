import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import type { Engine } from '../../src/engine/engine.js';
import type { SqliteDriver } from '../../src/sqlite/index.js';
import type { Position } from '../../src/topic/position.js';

/** Where `scripts/provide.mjs` puts what the project itself does not install. */
const CACHE = resolve('.cache');

export interface NamedDriver {
  readonly name: 'node:sqlite' | 'better-sqlite3';
  readonly driver: SqliteDriver;
}

const BETTER_SQLITE3_12 = join(CACHE, `better-sqlite3-12-${process.versions.modules}/node_modules/better-sqlite3`);
/** What version 13 needs: without it, opening a file ends the process. */
export const HAS_NODE_API_10 = Number(process.versions.napi) >= 10;
export const BETTER_SQLITE3_13 = join(CACHE, 'better-sqlite3-13/node_modules/better-sqlite3');

/** The drivers that this process can load. */
export function loadDrivers(): NamedDriver[] {
  const drivers: NamedDriver[] = [];
  const builtIn = process.getBuiltinModule('node:sqlite') as { DatabaseSync: SqliteDriver } | undefined;
  if (builtIn !== undefined) drivers.push({ name: 'node:sqlite', driver: builtIn.DatabaseSync });
  const better = loadBetterSqlite3();
  if (better !== undefined) drivers.push({ name: 'better-sqlite3', driver: better });
  return drivers;
}

/** Version 13 has binaries for Node 22.14 and later; 12 is compiled for the Node that runs the tests. */
function loadBetterSqlite3(): SqliteDriver | undefined {
  const folder = HAS_NODE_API_10 ? BETTER_SQLITE3_13 : BETTER_SQLITE3_12;
  return existsSync(folder) ? (createRequire(join(CACHE, 'x.js'))(folder) as SqliteDriver) : undefined;
}

/** Whether the project itself has installed a package. */
export function hasPackage(name: string): boolean {
  try {
    createRequire(resolve('package.json')).resolve(name);
    return true;
  } catch {
    return false;
  }
}

/** Appends to the topic `a`, to be kept for ever. */
export function append(engine: Engine, text = 'x'): Promise<Position> {
  return engine.append({
    topic: 'a',
    data: Buffer.from(text),
    retention: { maxEvents: Infinity, maxBytes: Infinity, maxAgeMs: Infinity },
  });
}

export interface ReadEntry {
  readonly seq: number;
  readonly prev: number;
  readonly topic: string;
  readonly text: string;
}

/** All that a log has. */
export async function readAll(engine: Engine): Promise<ReadEntry[]> {
  const { names } = await engine.list('');
  const { entries } = await engine.read({ topics: names, after: 0, maxEntries: 1_000_000, maxBytes: Infinity });
  return entries.map(({ seq, prev, topic, data }) => ({ seq, prev, topic, text: Buffer.from(data).toString() }));
}

/** What is missing of `a` for who comes back with a position. */
export async function resumeFrom(engine: Engine, from: Position): Promise<unknown> {
  const { holes } = await engine.read({
    topics: ['a'],
    after: from.seq,
    verify: from,
    maxEntries: 10,
    maxBytes: 1_000,
  });
  return holes;
}

/** Starts a program in TypeScript, in a process of its own. */
export function startProgram(...program: string[]): ChildProcess {
  const hooks = pathToFileURL('test/support/typescript.mjs').href;
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--import', hooks, ...program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // Jest's choice of colours makes Node warn.
    env: { ...process.env, FORCE_COLOR: undefined, NO_COLOR: undefined },
  });
}

/** Whole lines only: what was being written when the process was killed has not been said. */
export async function* linesOf(child: ChildProcess): AsyncGenerator<string> {
  for await (const line of createInterface({ input: child.stdout! })) if (line.endsWith('}')) yield line;
}

export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'close');
  child.stdout?.resume();
  child.kill('SIGKILL');
  await ended;
}
