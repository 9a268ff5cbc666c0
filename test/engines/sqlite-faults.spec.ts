import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine, EngineSink } from '../../src/engine/engine.js';
import { sqliteEngine } from '../../src/sqlite/index.js';
import type { SqliteDatabase, SqliteStatement } from '../../src/sqlite/index.js';
import { append, kill, linesOf, loadDrivers, readAll, resumeFrom, startProgram } from '../support/sqlite.js';
import type { ReadEntry } from '../support/sqlite.js';

const SWEEP_MS = 5_000;

let folder: string;
let path: string;
const children = new Set<ChildProcess>();
const engines: Engine[] = [];
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'sse-sqlite-'));
  path = join(folder, 'log.db');
});
afterEach(async () => {
  for (const child of children) await kill(child);
  children.clear();
  for (const engine of engines.splice(0)) await engine.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const drivers = loadDrivers();

for (const { name, driver } of drivers) {
  describe(`the sqlite engine with ${name}`, () => {
    const open = (now?: () => number, given = driver): Engine => {
      const engine = sqliteEngine({ path, driver: given, now });
      engines.push(engine);
      return engine;
    };

    it('has everything that was acknowledged, once, each of three times that its process is killed', async () => {
      const acknowledged: Acknowledgement[] = [];
      for (let life = 1; life <= 3; life++) {
        const child = startChild(name, `${life}`);
        for await (const line of linesOf(child)) {
          acknowledged.push(JSON.parse(line) as Acknowledgement);
          // The rest of what it has said before its end is read too.
          if (acknowledged.length >= life * 3_000) child.kill('SIGKILL');
        }
        const engine = open();
        const { upTo } = await engine.heads([]);
        const entries = await readAll(engine);
        expect(new Set(acknowledged.map(({ epoch }) => epoch))).toEqual(new Set([upTo.epoch]));
        expect(missing(acknowledged, entries)).toEqual([]);
        expect(new Set(entries.map(({ text }) => text)).size).toBe(entries.length);
        expect(brokenChains(entries)).toEqual([]);
        await engine.close();
      }
    }, 30_000);

    it('refuses a second process at once, and takes over when the first was killed', async () => {
      const child = startChild(name, '1');
      await once(child.stdout!, 'data');
      const engine = open();

      const startedAt = performance.now();
      await expect(append(engine)).rejects.toMatchObject({ code: 'engine-failed', message: inUse });
      expect(performance.now() - startedAt).toBeLessThan(3_000);
      await kill(child);
      await append(engine);
    });

    it('refuses a second engine in the same process, which takes nothing from the first', async () => {
      const [first, second] = [open(), open()];
      await append(first);
      await expect(second.health()).rejects.toMatchObject({ code: 'engine-failed', message: inUse });

      const { value: line } = await linesOf(startChild(name, '1')).next();
      expect(JSON.parse(line as string)).toMatchObject({ code: 'engine-failed', message: inUse });
      await append(first);
      await first.close();
      await second.health();
    });

    // Two copies of SQLite in one process do not see each other's locks, and undo them.
    (drivers.length > 1 ? it : it.skip)('refuses an engine with the other driver in the same process', async () => {
      const [first, second] = [open(), open(undefined, drivers.find((other) => other.name !== name)?.driver)];
      await append(first);
      await expect(second.health()).rejects.toMatchObject({ code: 'engine-failed', message: inUse });

      const { value: line } = await linesOf(startChild(name, '1')).next();
      expect(JSON.parse(line as string)).toMatchObject({ code: 'engine-failed', message: inUse });
    });

    it('rejects what the disk has no room for, stores nothing of it, and goes on when there is room', async () => {
      const { observed, databases } = observe();
      const engine = open(undefined, observed);
      const before = await append(engine, 'before');
      databases[0]!.exec('PRAGMA max_page_count = 30');

      const settled = await Promise.allSettled(
        Array.from({ length: 200 }, (_, n) => append(engine, `${n}:`.padEnd(2_000, '.'))),
      );
      const failed = settled.filter((each) => each.status === 'rejected');
      expect(new Set(failed.map(({ reason }) => reason.code))).toEqual(new Set(['engine-failed']));
      expect(failed[0]!.reason.message).toMatch(/the disk is full/);
      expect(await readAll(engine)).toHaveLength(201 - failed.length);
      expect((await engine.heads([])).upTo.seq).toBe(201 - failed.length);

      databases[0]!.exec('PRAGMA max_page_count = 100000');
      const after = await append(engine, 'after');
      const entries = await readAll(engine);
      expect(brokenChains(entries)).toEqual([]);
      expect([entries[0]!.seq, entries.at(-1)!.seq]).toEqual([before.seq, after.seq]);
    });

    it('leaves open whether something was stored whose commit failed, is not healthy until it can write again, and goes on', async () => {
      const { observed, failing } = observe();
      const engine = open(undefined, observed);
      await append(engine, 'before');
      failing.add('COMMIT');
      await engine.health();
      await expect(append(engine, 'lost')).rejects.toMatchObject({ code: 'engine-uncertain' });
      await expect(engine.health()).rejects.toMatchObject({ code: 'engine-uncertain' });
      failing.clear();
      await engine.health();
      await append(engine, 'after');

      expect((await readAll(engine)).map(({ text }) => text)).toEqual(['before', 'after']);
    });

    it('rejects what is being read when it is closed', async () => {
      const engine = open();
      await append(engine);
      const asking = engine.heads(Array.from({ length: 5_000 }, (_, n) => `${n}`));
      const closing = engine.close();

      await expect(asking).rejects.toMatchObject({ code: 'closed' });
      await closing;
    });

    it('begins anew where its file was deleted, and tells who listens', async () => {
      jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate', 'setTimeout', 'performance'] });
      try {
        const engine = open();
        const told: string[] = [];
        const resumed = new Promise<void>((resolve) => {
          const sink: EngineSink = {
            entry: (epoch, { seq }) => told.push(`${epoch} ${seq}`),
            hint: () => told.push('hint'),
            interrupted: (error) => told.push(String(error)),
            resumed: () => {
              told.push('resumed');
              resolve();
            },
          };
          void engine.start(sink);
        });
        await engine.subscribe(['a']);
        const before = await append(engine);
        fs.rmSync(path);
        await expect(engine.health()).rejects.toMatchObject({ code: 'engine-failed' });
        jest.advanceTimersByTime(SWEEP_MS);
        await resumed;
        const after = await append(engine);

        expect(after.epoch).not.toBe(before.epoch);
        expect(told).toEqual([
          `${before.epoch} 1`,
          expect.stringContaining('is no longer there'),
          'resumed',
          `${after.epoch} 1`,
        ]);
        expect(await resumeFrom(engine, before)).toEqual([{ reason: 'epoch', topics: ['a'] }]);
        await engine.health();
      } finally {
        jest.useRealTimers();
      }
    });

    /** A driver that gives away its connections, and whose statements of certain texts fail as on a broken disk. */
    function observe() {
      const databases: SqliteDatabase[] = [];
      const failing = new Set<string>();
      class Observed {
        constructor(file: string) {
          const database = new driver(file);
          databases.push(database);
          return {
            exec: (sql) => database.exec(sql),
            close: () => database.close(),
            prepare: (sql) => breakable(database.prepare(sql), () => failing.has(sql)),
          } satisfies SqliteDatabase;
        }
      }
      return { databases, failing, observed: Observed as unknown as typeof driver };
    }
  });
}

interface Acknowledgement {
  readonly seq: number;
  readonly epoch: string;
  readonly topic: string;
  readonly text: string;
}

const inUse = expect.stringContaining('is in use');

function missing(acknowledged: readonly Acknowledgement[], entries: readonly ReadEntry[]): Acknowledgement[] {
  const bySeq = new Map(entries.map((entry) => [entry.seq, entry]));
  return acknowledged.filter(({ seq, topic, text }) => {
    const entry = bySeq.get(seq);
    return entry?.topic !== topic || entry.text !== text;
  });
}

/** The entries whose `prev` is not the one before in their topic. */
function brokenChains(entries: readonly ReadEntry[]): ReadEntry[] {
  const heads = new Map<string, number>();
  return entries.filter(({ topic, seq, prev }) => {
    const head = heads.get(topic) ?? 0;
    heads.set(topic, seq);
    return prev !== head;
  });
}

function breakable(statement: SqliteStatement, isBroken: () => boolean): SqliteStatement {
  return {
    get: (...values) => statement.get(...values),
    all: (...values) => statement.all(...values),
    run: (...values) => {
      if (isBroken()) throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR_FSYNC', errcode: 1_034 });
      return statement.run(...values);
    },
  };
}

function startChild(driver: string, ...args: string[]): ChildProcess {
  const child = startProgram('test/support/sqlite-child.ts', driver, path, ...args);
  children.add(child);
  return child;
}
