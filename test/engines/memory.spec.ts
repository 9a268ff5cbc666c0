import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { memoryEngine } from '../../src/engine/memory.js';
import { EVERY_TOPIC } from '../../src/engine/engine.js';
import type { LogEntry, Engine, EngineSink, Retention } from '../../src/engine/engine.js';
import { ENTRY_OVERHEAD_BYTES } from '../../src/engine/memory-log.js';
import { requestOf, sizeOf } from '../../src/engine/text-entry.js';
import type { Position } from '../../src/topic/position.js';
import { engineContract } from '../../src/testing/index.js';

const SWEEP_MS = 5_000;
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

engineContract(
  'memory',
  ({ now }) => {
    jest.useFakeTimers({ doNotFake: [...REAL_TIMERS] });
    return {
      engine: memoryEngine({ now }),
      housekeep: () => jest.advanceTimersByTime(SWEEP_MS),
      dispose: () => void jest.useRealTimers(),
    };
  },
  { lacks: ['nodes', 'durability'] },
);

describe('the memory engine', () => {
  let engine: Engine;
  let now: number;

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: [...REAL_TIMERS] });
    now = 1_767_225_600_000;
    engine = memoryEngine({ maxTotalBytes: 10_000, now: () => now });
  });

  afterEach(async () => {
    await engine.close();
    jest.useRealTimers();
  });

  const append = (topic: string, size = 1_000 - ENTRY_OVERHEAD_BYTES, retention = KEEP): Promise<Position> =>
    engine.append({ topic, data: new Uint8Array(size), retention });
  const read = (topics: string[], from?: Position) =>
    engine.read({ topics, after: from?.seq, verify: from, maxEntries: 100_000, maxBytes: Infinity });
  const holes = async (topics: string[], from: Position) => (await read(topics, from)).holes;

  it.each([
    ['as text', 'tdata: 1\n', 'tdata: 1\n'],
    ['as bytes what is not ASCII', 'tdata: é\n', undefined],
    ['as bytes what is long', `tdata: ${'x'.repeat(600)}\n`, undefined],
  ])('keeps a payload %s, and gives the same bytes', async (_, payload, text) => {
    const seen: LogEntry[] = [];
    await engine.start({ entry: (_epoch, entry) => void seen.push(entry) } as EngineSink);
    await engine.subscribe(['a']);
    await engine.append(requestOf('a', payload, 'own', KEEP, true));
    const { entries } = await read(['a']);

    for (const entry of [...entries, ...seen]) {
      expect([entry.text, new TextDecoder().decode(entry.data)]).toEqual([text, payload]);
      expect(sizeOf(entry)).toBe(new TextEncoder().encode(payload).length);
    }
    expect([entries.length, seen.length]).toEqual([1, 1]);
  });

  it('delivers what somebody wants, whether the topic was there before or not', async () => {
    const seen: string[] = [];
    await engine.start({ entry: (_epoch, { topic }) => void seen.push(topic) } as EngineSink);
    const publish = async () => {
      for (const topic of ['a', 'b', `new/${seen.length}`]) await append(topic, 1);
      return seen.splice(0);
    };
    expect(await publish()).toEqual([]);
    await engine.subscribe(['a', 'new/0']);
    expect(await publish()).toEqual(['a', 'new/0']);
    await engine.subscribe([EVERY_TOPIC]);
    expect(await publish()).toEqual(['a', 'b', 'new/0']);
    engine.unsubscribe(['a']);
    expect(await publish()).toEqual(['a', 'b', 'new/0']);
    engine.unsubscribe([EVERY_TOPIC]);
    expect(await publish()).toEqual(['new/0']);
  });

  it('answers at once, and throws at once what it rejects with', async () => {
    const opened = await memoryEngine().open!();
    const request = requestOf('a', 'tdata: 1\n', undefined, KEEP, true);
    expect(opened.appendNow!(request)).toMatchObject({ seq: 1 });
    expect(await opened.append(request)).toMatchObject({ seq: 2 });
    await opened.close();

    expect(() => opened.appendNow!(request)).toThrow(expect.objectContaining({ code: 'closed' }));
    await expect(opened.append(request)).rejects.toMatchObject({ code: 'closed' });
  });

  it('evicts the oldest events of all topics when all together take too much', async () => {
    const positions: Position[] = [];
    for (let n = 0; n < 14; n++) positions.push(await append(n % 2 === 0 ? 'even' : 'odd'));

    const { entries } = await read(['even', 'odd']);
    expect(entries.map(({ seq }) => seq)).toEqual(positions.slice(4).map(({ seq }) => seq));
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
    for (let n = 0; n < 5_000; n++) await append('busy', 10, { ...KEEP, maxEvents: 2 });
    for (let n = 0; n < 8; n++) await append('other');

    const { entries } = await read(['quiet', 'busy', 'other']);
    expect(entries.map(({ topic }) => topic)).toEqual(['quiet', 'busy', 'busy', ...Array<string>(8).fill('other')]);
    await append('other');
    const { entries: after } = await read(['quiet', 'busy', 'other']);
    expect(after.map(({ topic }) => topic)).toEqual(['busy', 'busy', ...Array<string>(9).fill('other')]);
  });

  it('does not keep a single event that is larger than the total, and delivers it', async () => {
    const delivered: number[] = [];
    const ignored = (): void => undefined;
    const entry = (_epoch: string, { seq }: LogEntry): void => void delivered.push(seq);
    await engine.start({ entry, hint: ignored, interrupted: ignored, resumed: ignored });
    await engine.subscribe(['a']);
    const before = await append('a');
    const { seq } = await append('a', 20_000);

    expect(delivered).toEqual([before.seq, seq]);
    expect((await read(['a'])).entries).toEqual([]);
    expect(await holes(['a'], before)).toEqual([{ reason: 'trimmed', topics: ['a'] }]);
  });

  it('forgets an idle topic only after the sweep, and keeps those that are not idle', async () => {
    await append('idle');
    now += 4 * KEEP.maxAgeMs;
    jest.advanceTimersByTime(SWEEP_MS);
    expect((await engine.list('')).names).toEqual(['idle']);

    await append('busy');
    now += 1;
    jest.advanceTimersByTime(SWEEP_MS);
    expect((await engine.list('')).names).toEqual(['busy']);
  });

  it('tells unknown only to those who may have missed an event of a topic that has vanished', async () => {
    const first = await append('idle');
    const last = await append('idle');
    now += 4 * KEEP.maxAgeMs + 1;
    const later = await append('busy');
    jest.advanceTimersByTime(SWEEP_MS);

    expect(await holes(['idle', 'busy'], first)).toEqual([{ reason: 'unknown', topics: ['idle'] }]);
    expect(await holes(['idle'], last)).toEqual([]);
    expect(await holes(['idle', 'never'], later)).toEqual([]);
  });

  it('finds an own id again that was used for an event long gone', async () => {
    const twice = (retention: Retention) => engine.append({ topic: 'a', data: new Uint8Array(), id: 'x', retention });
    await twice({ ...KEEP, maxEvents: 1 });
    await append('a', 1, { ...KEEP, maxEvents: 1 });
    const again = await twice({ ...KEEP, maxEvents: 1 });

    expect(await engine.locate(['a'], 'x')).toEqual(again);
  });

  it('has one timer, whatever the number of topics, and none after close', async () => {
    expect(jest.getTimerCount()).toBe(0);
    for (let n = 0; n < 100; n++) await append(`t/${n}`);
    expect(jest.getTimerCount()).toBe(1);
    await engine.close();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('stays within its total with 100,000 topics, and lets go of all of them when they are idle', async () => {
    for (let n = 0; n < 100_000; n++) await append(`t/${n}`, 10);
    const { names: topics } = await engine.list('');
    const { entries } = await read([...topics]);

    expect(topics).toHaveLength(100_000);
    const retained = entries.reduce((sum, { data }) => sum + data.byteLength + ENTRY_OVERHEAD_BYTES, 0);
    expect(retained).toBeGreaterThan(9_000);
    expect(retained).toBeLessThanOrEqual(10_000);

    now += 4 * KEEP.maxAgeMs + 1;
    jest.advanceTimersByTime(SWEEP_MS);
    expect((await engine.list('')).names).toEqual([]);
  });

  it.each([0, 1_023, -1, NaN, '1024', null])('refuses a total of %p bytes', (maxTotalBytes: any) => {
    expect(() => memoryEngine({ maxTotalBytes })).toThrow(
      expect.objectContaining({ code: 'invalid-options', message: expect.stringContaining('maxTotalBytes') }),
    );
  });
});
