import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { engineContract } from '../../src/testing/index.js';
import type { EngineNeeds } from '../../src/testing/index.js';
import type { AppendRequest, Engine, EngineSink, LogEntry, Retention } from '../../src/engine/engine.js';
import { sqliteEngine } from '../../src/sqlite/index.js';
import { ENTRY_OVERHEAD_BYTES } from '../../src/sqlite/store.js';
import type { Position } from '../../src/topic/position.js';
import { hasPackage, loadDrivers } from '../support/sqlite.js';

const SWEEP_MS = 5_000;
const START = 1_767_225_600_000;
const KEEP: Retention = { maxEvents: 1_000, maxBytes: Infinity, maxAgeMs: 600_000 };

/** Only the sweep's timer is of interest. */
const REAL_TIMERS = [
  'Date',
  'hrtime',
  'nextTick',
  'performance',
  'queueMicrotask',
  'setImmediate',
  'clearImmediate',
  'setTimeout',
  'clearTimeout',
] as const;

let folder: string;
let path: string;
beforeEach(() => {
  jest.useFakeTimers({ doNotFake: [...REAL_TIMERS] });
  folder = mkdtempSync(join(tmpdir(), 'sse-sqlite-'));
  path = join(folder, 'log.db');
});
afterEach(() => {
  jest.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

const drivers = loadDrivers();

for (const { name, driver } of drivers) {
  engineContract(
    `sqlite with ${name}`,
    ({ now }) => ({
      engine: sqliteEngine({ path, driver, now }),
      reopen: async (needs: EngineNeeds) => sqliteEngine({ path, driver, now: needs.now }),
      housekeep: sweep,
    }),
    { lacks: ['nodes'] },
  );

  describe(`the sqlite engine with ${name}`, () => {
    let engine: Engine;
    let now: number;

    const open = (maxTotalBytes = 10_000): Engine => sqliteEngine({ path, driver, maxTotalBytes, now: () => now });
    const append = (topic: string, size = 1_000, more: Partial<AppendRequest> = {}): Promise<Position> =>
      engine.append({ topic, data: new Uint8Array(size - ENTRY_OVERHEAD_BYTES), retention: KEEP, ...more });
    const read = (topics: readonly string[], from?: Position) =>
      engine.read({ topics, after: from?.seq, verify: from, maxEntries: 100_000, maxBytes: Infinity });
    const topicsIn = async (topics: readonly string[]) => (await read(topics)).entries.map(({ topic }) => topic);
    const holes = async (topics: readonly string[], from: Position) => (await read(topics, from)).holes;

    beforeEach(() => {
      now = START;
      engine = open();
    });
    afterEach(() => engine.close());

    it('evicts the oldest events of all topics when all together take too much', async () => {
      const positions: Position[] = [];
      for (let n = 0; n < 14; n++) positions.push(await append(n % 2 === 0 ? 'even' : 'odd'));

      const { entries } = await read(['even', 'odd']);
      expect(entries.map(({ seq }) => seq)).toEqual(positions.slice(4).map(({ seq }) => seq));
      expect(await ask('SELECT sum(bytes) FROM topic', 'SELECT sum(count) FROM topic')).toEqual([10_000, 10]);
    });

    it('evicts the same when the events are stored together', async () => {
      await Promise.all(Array.from({ length: 14 }, (_, n) => append(`${n}`)));

      const names = Array.from({ length: 14 }, (_, n) => `${n}`);
      expect(await topicsIn(names)).toEqual(names.slice(4));
    });

    it('keeps to a total that became smaller while it was closed', async () => {
      for (let n = 0; n < 10; n++) await append(`${n}`);
      await engine.close();
      engine = open(3_000);
      await append('last');

      expect(await topicsIn(['7', '8', '9', 'last'])).toEqual(['8', '9', 'last']);
    });

    it('tells exactly who has missed something of what the total has evicted', async () => {
      const quiet = await append('quiet');
      const positions: Position[] = [];
      for (let n = 0; n < 11; n++) positions.push(await append('busy'));

      expect(await holes(['quiet', 'busy'], { ...quiet, seq: 0 })).toEqual([
        { reason: 'trimmed', topics: ['quiet', 'busy'] },
      ]);
      expect(await holes(['quiet', 'busy'], quiet)).toEqual([{ reason: 'trimmed', topics: ['busy'] }]);
      expect(await holes(['quiet', 'busy'], positions[0]!)).toEqual([]);
    });

    it('goes on evicting in order when topics have trimmed events of their own', async () => {
      await append('quiet');
      await Promise.all(
        Array.from({ length: 500 }, () => append('busy', 100, { retention: { ...KEEP, maxEvents: 2 } })),
      );
      for (let n = 0; n < 8; n++) await append('other');

      expect(await topicsIn(['quiet', 'busy', 'other'])).toEqual([
        'quiet',
        'busy',
        'busy',
        ...Array<string>(8).fill('other'),
      ]);
      await append('other');
      expect(await topicsIn(['quiet', 'busy', 'other'])).toEqual(['busy', 'busy', ...Array<string>(9).fill('other')]);
    });

    it('does not keep a single event that is larger than the total, and delivers it', async () => {
      const delivered = await gather(engine, ['a']);
      const before = await append('a');
      const { seq } = await append('a', 20_000);

      expect(delivered.map((entry) => entry.seq)).toEqual([before.seq, seq]);
      expect(await topicsIn(['a'])).toEqual([]);
      expect(await holes(['a'], before)).toEqual([{ reason: 'trimmed', topics: ['a'] }]);
    });

    it('has delivered an event by the time that its append resolves', async () => {
      const delivered = await gather(engine, ['a', 'b']);
      const seen: number[] = [];
      await Promise.all(
        Array.from({ length: 300 }, async (_, n) => {
          const { seq } = await append(n % 2 === 0 ? 'a' : 'b', 100);
          seen.push(delivered.filter((entry) => entry.seq === seq).length);
        }),
      );

      expect(seen).toEqual(Array<number>(300).fill(1));
    });

    it('takes in more of a burst than one transaction holds, and lets the event loop go round in between', async () => {
      let turns = 0;
      let isDone = false;
      const counting = (async () => {
        for (; !isDone; turns++) await turn();
      })();
      await Promise.all(Array.from({ length: 1_280 }, () => append('a', 100)));
      isDone = true;
      await counting;

      expect(turns).toBeGreaterThanOrEqual(10);
    });

    it('stores what is appended while the caller before is told of its own', async () => {
      const chain = async (): Promise<void> => {
        for (let n = 0; n < 20; n++) await append('a', 100);
      };
      await Promise.all([chain(), chain()]);

      expect((await read(['a'])).entries).toHaveLength(40);
    });

    it('refuses more than 64 MiB that wait, and stores those', async () => {
      const settled = await Promise.allSettled(Array.from({ length: 70 }, () => append('a', 1_048_576)));

      expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(64);
      expect(settled.at(-1)).toMatchObject({ reason: { code: 'engine-failed' } });
      await append('a');
    });

    it('finds an own id again that was used for an event long gone, and is ambiguous as long as one may be meant', async () => {
      const retention = { ...KEEP, maxEvents: 2 };
      const twice = () => append('a', 100, { id: 'x', retention });
      await twice();
      await twice();
      await append('a', 100, { retention });
      expect(await engine.locate(['a'], 'x')).toBe('ambiguous');
      await append('a', 100, { retention });

      expect(await engine.locate(['a'], 'x')).toBeUndefined();
      const again = await twice();
      expect(await engine.locate(['a'], 'x')).toEqual(again);
    });

    it('lists by prefix up to the last code point there is', async () => {
      const names = [
        'a\u{d7ff}',
        'a\u{d7ff}b',
        'a\ue000',
        'b\u{10ffff}',
        'b\u{10ffff}c',
        'c',
        '\u{10ffff}',
        '\u{10ffff}a',
      ];
      for (const name of names) await append(name, 100);

      const listed = async (prefix: string) => [...(await engine.list(prefix)).names].sort();
      expect(await listed('a\u{d7ff}')).toEqual(['a\u{d7ff}', 'a\u{d7ff}b']);
      expect(await listed('b\u{10ffff}')).toEqual(['b\u{10ffff}', 'b\u{10ffff}c']);
      expect(await listed('\u{10ffff}')).toEqual(['\u{10ffff}', '\u{10ffff}a']);
    });

    it('removes from the file what is too old, and topics that were idle for long, in many slices', async () => {
      await engine.close();
      engine = open(1_000_000);
      await Promise.all(Array.from({ length: 1_000 }, (_, n) => append(`t/${n % 100}`, 100)));
      expect((await engine.list('')).names).toHaveLength(100);

      now += 4 * KEEP.maxAgeMs + 1;
      await sweep();
      const { names, forgottenUpTo, upTo } = await engine.list('');
      expect([names, forgottenUpTo]).toEqual([[], upTo.seq]);
      expect(await ask('SELECT count(*) FROM entry')).toEqual([0]);
    });

    it('makes room in the total with what the sweep removes', async () => {
      for (let n = 0; n < 9; n++) await append('old', 1_000, { retention: { ...KEEP, maxAgeMs: 1_000 } });
      const kept = await append('kept');
      now += 1_001;
      await sweep();
      for (let n = 0; n < 9; n++) await append('new');

      expect((await read(['kept'])).entries.map(({ seq }) => seq)).toEqual([kept.seq]);
      const sums = ['SELECT bytes FROM lane', 'SELECT sum(size) FROM entry', 'SELECT sum(bytes) FROM topic'];
      expect(await ask(...sums)).toEqual([10_000, 10_000, 10_000]);
    });

    it('follows a change of the age that a topic keeps', async () => {
      await append('a', 100, { retention: { ...KEEP, maxAgeMs: Infinity } });
      now += 10 * KEEP.maxAgeMs;
      await sweep();
      expect(await topicsIn(['a'])).toEqual(['a']);

      await append('a', 100, { retention: { ...KEEP, maxAgeMs: 1_000 } });
      now += 4_001;
      await sweep();
      expect((await engine.list('')).names).toEqual([]);
    });

    it('opens no file and has no timer before it is asked for something, one timer then, and none after close', async () => {
      expect([readdirSync(folder), jest.getTimerCount()]).toEqual([[], 0]);
      for (let n = 0; n < 10; n++) await append(`t/${n}`);
      expect(jest.getTimerCount()).toBe(1);
      await engine.close();
      expect(jest.getTimerCount()).toBe(0);
    });

    it('stores what was appended before close, checkpoints it, and leaves one file', async () => {
      const appending = Promise.all(Array.from({ length: 300 }, () => append('a', 100)));
      await engine.close();
      await appending;

      expect(readdirSync(folder)).toEqual(['log.db']);
      engine = open();
      expect((await engine.heads(['a'])).topics).toEqual([{ seq: 300, at: START }]);
    });

    /** Closes the engine and asks the file itself, for one value each. */
    async function ask(...questions: string[]): Promise<unknown[]> {
      await engine.close();
      const database = new driver(path);
      try {
        return questions.map((sql) => Object.values(database.prepare(sql).get() as object)[0]);
      } finally {
        database.close();
      }
    }
  });
}

describe('the options of the sqlite engine', () => {
  it.each([
    [undefined, 'options'],
    [{}, 'path'],
    [{ path: '' }, 'path'],
    [{ path: ':memory:' }, 'memoryEngine'],
    [{ path: 'a\0b' }, 'path'],
    [{ path: 1 }, 'path'],
    [{ path: 'x', driver: 'sqlite3' }, 'driver'],
    [{ path: 'x', synchronous: 'off' }, 'synchronous'],
    [{ path: 'x', maxTotalBytes: 1_023 }, 'maxTotalBytes'],
    [{ path: 'x', maxTotalBytes: NaN }, 'maxTotalBytes'],
    [{ path: 'x', now: 1 }, 'now'],
    [{ path: 'x', file: 'y' }, 'file'],
  ])('refuses %j', (options: any, named) => {
    expect(() => sqliteEngine(options)).toThrow(
      expect.objectContaining({ code: 'invalid-options', message: expect.stringContaining(named) }),
    );
  });

  it('takes an option that is undefined for one that is absent', () => {
    sqliteEngine({ path: 'x', driver: undefined, synchronous: undefined, maxTotalBytes: undefined, now: undefined });
  });

  it('says both ways out when there is no driver', async () => {
    const missing = { code: 'invalid-options', message: expect.stringMatching(/Node 22\.13.*better-sqlite3/) };
    if (!drivers.some(({ name }) => name === 'node:sqlite')) {
      expect(() => sqliteEngine({ path, driver: 'node:sqlite' })).toThrow(expect.objectContaining(missing));
    }
    if (hasPackage('better-sqlite3')) return;
    await expect(sqliteEngine({ path, driver: 'better-sqlite3' }).health()).rejects.toMatchObject(missing);
  });
});

/** Lets the timer strike, and what it causes be done: it goes slice by slice. */
async function sweep(): Promise<void> {
  jest.advanceTimersByTime(SWEEP_MS);
  for (let n = 0; n < 50; n++) await turn();
}

/** Starts an engine, and gives the list that its deliveries are added to. */
async function gather(engine: Engine, topics: readonly string[]): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  const sink: Pick<EngineSink, 'entry'> = { entry: (_epoch, entry) => void entries.push(entry) };
  await engine.start(sink as EngineSink);
  await engine.subscribe(topics);
  return entries;
}
