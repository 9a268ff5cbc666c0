import assert from 'node:assert/strict';
import { RETENTION, append, appendAll, read, resume, seqsOf } from './suite.js';
import type { Case } from './suite.js';

/** Promise 8. */
export function retentionCases(test: Case): void {
  test('8 a topic keeps the newest events by count, each topic for itself', async ({ engine }) => {
    const a = await appendAll(engine, ['a', 'a', 'a', 'a', 'a'], { ...RETENTION, maxEvents: 2 });
    const b = await appendAll(engine, ['b', 'b', 'b'], { ...RETENTION, maxEvents: 10 });

    const { entries } = await read(engine, ['a', 'b']);
    assert.deepEqual(seqsOf(entries), seqsOf([...a.slice(3), ...b]));
  });

  test('8 a topic keeps no more bytes than it may, however much is published', async ({ engine }) => {
    const retention = { ...RETENTION, maxBytes: 10_000 };
    for (let n = 0; n < 100; n++) await append(engine, 'a', new Uint8Array(1_000).fill(n), { retention });

    const { entries } = await read(engine, ['a']);
    assert(entries.length > 0 && entries.length <= 10, `${entries.length} entries of 1,000 bytes are kept`);
    assert.equal(entries.at(-1)?.data[0], 99, 'the newest is among them');
  });

  test('8 an event that is larger than what may be kept takes all before it with it', async ({ engine }) => {
    const retention = { ...RETENTION, maxBytes: 10_000 };
    await append(engine, 'a', 'small', { retention });
    await append(engine, 'a', new Uint8Array(20_000), { retention });

    assert.deepEqual((await read(engine, ['a'])).entries, []);
  });

  test('8 a topic that keeps nothing counts on, and has nothing to read', async ({ engine }) => {
    const retention = { ...RETENTION, maxEvents: 0 };
    const [first, second] = await appendAll(engine, ['a', 'a'], retention);

    assert(second!.seq > first!.seq);
    const { entries, upTo } = await read(engine, ['a']);
    assert.deepEqual([entries, upTo.seq], [[], second!.seq]);
  });

  test(
    '8 an event that is too old is not read, also when nothing was published since',
    async (bench) => {
      const { engine } = bench;
      const retention = { ...RETENTION, maxAgeMs: 1_000 };
      const old = await append(engine, 'a', 'old', { retention });
      bench.pass(600);
      const young = await append(engine, 'a', 'young', { retention });
      assert.deepEqual(seqsOf((await read(engine, ['a'])).entries), seqsOf([old, young]));

      bench.pass(600);
      assert.deepEqual(seqsOf((await read(engine, ['a'])).entries), [young.seq]);
      bench.pass(600);
      assert.deepEqual((await read(engine, ['a'])).entries, []);
    },
    'clock',
  );

  test('8 a change of the retention takes effect with the next event', async ({ engine }) => {
    await appendAll(engine, ['a', 'a', 'a', 'a']);
    const [newest] = await appendAll(engine, ['a'], { ...RETENTION, maxEvents: 1 });

    assert.deepEqual(seqsOf((await read(engine, ['a'])).entries), [newest!.seq]);
  });

  test('8 an own id goes with its event', async ({ engine }) => {
    const retention = { ...RETENTION, maxEvents: 1 };
    await append(engine, 'a', 'x', { id: 'first', retention });
    const second = await append(engine, 'a', 'x', { id: 'second', retention });

    assert.equal(await engine.locate(['a'], 'first'), undefined);
    assert.deepEqual(await engine.locate(['a'], 'second'), second);
  });

  test(
    '8 a topic that is idle for long disappears',
    async (bench) => {
      const { engine } = bench;
      await append(engine, 'idle', 'x', { retention: { ...RETENTION, maxAgeMs: 1_000 } });
      await append(engine, 'busy');
      bench.pass(3_600_000);
      await append(engine, 'busy');
      await bench.housekeep();

      assert.deepEqual((await engine.list('')).names, ['busy']);
    },
    'clock',
    'housekeeping',
  );

  test(
    '8 of a topic that has disappeared, who may have missed something is told unknown, and who has not is told nothing',
    async (bench) => {
      const { engine } = bench;
      const retention = { ...RETENTION, maxAgeMs: 1_000 };
      const [behind, upToDate] = await appendAll(engine, ['idle', 'idle'], retention);
      bench.pass(3_600_000);
      const head = await append(engine, 'busy');
      await bench.housekeep();

      assert.deepEqual((await resume(engine, ['idle'], behind!)).holes, [{ reason: 'unknown', topics: ['idle'] }]);
      assert.deepEqual((await resume(engine, ['idle'], upToDate!)).holes, []);
      assert.deepEqual((await resume(engine, ['idle', 'busy'], head)).holes, []);
    },
    'clock',
    'housekeeping',
  );

  test(
    '8 a topic that comes back after it has disappeared is never silent about what was lost',
    async (bench) => {
      const { engine } = bench;
      const retention = { ...RETENTION, maxAgeMs: 1_000 };
      const [behind, upToDate] = await appendAll(engine, ['idle', 'idle'], retention);
      bench.pass(3_600_000);
      await bench.housekeep();
      const back = await append(engine, 'idle', 'back', { retention });

      const late = await resume(engine, ['idle'], behind!);
      assert.deepEqual(
        late.holes.flatMap(({ topics }) => topics),
        ['idle'],
        'the second event is gone',
      );
      assert.deepEqual(seqsOf(late.entries), [back.seq]);
      const exact = await resume(engine, ['idle'], upToDate!);
      assert.deepEqual([exact.holes, seqsOf(exact.entries)], [[], [back.seq]]);
    },
    'clock',
    'housekeeping',
  );
}
