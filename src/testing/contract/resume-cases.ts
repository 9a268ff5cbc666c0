import assert from 'node:assert/strict';
import { RETENTION, append, appendAll, read, resume, seqsOf } from './suite.js';
import type { Case } from './suite.js';

const NOTHING = { maxEvents: 0, maxBytes: 0, maxAgeMs: 600_000 };

/** Promises 6 and 7: what a client that comes back is told. */
export function resumeCases(test: Case): void {
  test('6 every position that the engine gave resumes without a hole', async ({ engine }) => {
    const positions = await appendAll(engine, ['a', 'b', 'a', 'c', 'a']);

    for (const [n, position] of positions.entries()) {
      const { entries, holes } = await resume(engine, ['a', 'b', 'c', 'never'], position);
      assert.deepEqual(holes, []);
      assert.deepEqual(seqsOf(entries), seqsOf(positions.slice(n + 1)));
    }
  });

  test(
    "6 a page's end resumes without a hole, also when the clock has gone on",
    async (bench) => {
      const { engine } = bench;
      await append(engine, 'a');
      bench.pass(1_000);
      const { upTo } = await read(engine, ['a']);
      bench.pass(1_000);
      const next = await append(engine, 'a');

      const { entries, holes } = await resume(engine, ['a'], upTo);
      assert.deepEqual([seqsOf(entries), holes], [[next.seq], []]);
    },
    'clock',
  );

  test('6 a position before the first event misses nothing', async ({ engine }) => {
    const { upTo } = await read(engine, ['a']);
    const { seq } = await append(engine, 'a');

    const { entries, holes } = await resume(engine, ['a'], upTo);
    assert.deepEqual([seqsOf(entries), holes], [[seq], []]);
  });

  test('6 a position of another epoch is a hole, and the page starts at the first retained entry', async ({
    engine,
  }) => {
    const [first, second] = await appendAll(engine, ['a', 'a']);
    const epoch = second!.epoch === 'zzzzzz' ? 'aaaaaa' : 'zzzzzz';

    const { entries, holes } = await resume(engine, ['a', 'never'], { ...second!, epoch });
    assert.deepEqual(holes, [{ reason: 'epoch', topics: ['a', 'never'] }]);
    assert.deepEqual(seqsOf(entries), [first!.seq, second!.seq]);
  });

  test('6 a position ahead of the log is a hole, up to the largest there can be', async ({ engine }) => {
    const [first, second] = await appendAll(engine, ['a', 'b']);

    for (const seq of [second!.seq + 1, Number.MAX_SAFE_INTEGER]) {
      const { entries, holes } = await resume(engine, ['a'], { ...second!, seq });
      assert.deepEqual(holes, [{ reason: 'ahead', topics: ['a'] }]);
      assert.deepEqual(seqsOf(entries), [first!.seq]);
    }
  });

  test('6 a position that is older than the entry at its place is a hole: the number was used again', async ({
    engine,
  }) => {
    const [first, again] = await appendAll(engine, ['a', 'a']);

    const { entries, holes } = await resume(engine, ['a'], { ...again!, at: again!.at - 1 });
    assert.deepEqual(holes, [{ reason: 'diverged', topics: ['a'] }]);
    assert.deepEqual(seqsOf(entries), [first!.seq, again!.seq]);
  });

  test('6 without verify nothing is checked but what is trimmed', async ({ engine }) => {
    const { seq } = await append(engine, 'a');

    const { entries, holes } = await read(engine, ['a'], { after: seq + 5 });
    assert.deepEqual([entries, holes], [[], []]);
  });

  test('7 is exact at the boundary of what a count has trimmed', async ({ engine }) => {
    const retention = { ...RETENTION, maxEvents: 3 };
    const positions = await appendAll(engine, ['a', 'a', 'x', 'a', 'x', 'a', 'a'], retention);
    const [first, second] = positions;

    const behind = await resume(engine, ['a'], first!);
    assert.deepEqual(behind.holes, [{ reason: 'trimmed', topics: ['a'] }]);
    assert.deepEqual(seqsOf(behind.entries), seqsOf([positions[3]!, positions[5]!, positions[6]!]));
    const exact = await resume(engine, ['a'], second!);
    assert.deepEqual(exact.holes, [], 'who has read the last trimmed event misses nothing');
    assert.deepEqual(exact.entries, behind.entries);
  });

  test('7 is exact at the boundary of what bytes have trimmed', async ({ engine }) => {
    const retention = { ...RETENTION, maxBytes: 4_000 };
    const positions = [];
    for (let n = 0; n < 10; n++) positions.push(await append(engine, 'a', new Uint8Array(1_000), { retention }));

    const { entries } = await read(engine, ['a']);
    const firstKept = positions.findIndex(({ seq }) => seq === entries[0]?.seq);
    assert(firstKept >= 6, `at most 4,000 bytes are kept, not ${10 - firstKept} times 1,000`);
    const behind = await resume(engine, ['a'], positions[firstKept - 2]!);
    assert.deepEqual(behind.holes, [{ reason: 'trimmed', topics: ['a'] }]);
    const exact = await resume(engine, ['a'], positions[firstKept - 1]!);
    assert.deepEqual(exact.holes, []);
  });

  test(
    '7 is exact at the boundary of what age has trimmed',
    async (bench) => {
      const { engine } = bench;
      const positions = [];
      for (let n = 0; n < 4; n++) {
        positions.push(await append(engine, 'a', `${n}`, { retention: { ...RETENTION, maxAgeMs: 1_000 } }));
        bench.pass(400);
      }

      // The events are 1600, 1200, 800 and 400 ms old.
      const behind = await resume(engine, ['a'], positions[0]!);
      assert.deepEqual(behind.holes, [{ reason: 'trimmed', topics: ['a'] }]);
      assert.deepEqual(seqsOf(behind.entries), seqsOf(positions.slice(2)));
      const exact = await resume(engine, ['a'], positions[1]!);
      assert.deepEqual(exact.holes, []);
    },
    'clock',
  );

  test('7 a topic that keeps nothing has a hole for who is behind, and none for who is not', async ({ engine }) => {
    const [first, second] = await appendAll(engine, ['a', 'a'], NOTHING);
    await append(engine, 'b');

    const behind = await resume(engine, ['a', 'b'], first!);
    assert.deepEqual(behind.holes, [{ reason: 'trimmed', topics: ['a'] }]);
    const exact = await resume(engine, ['a', 'b'], second!);
    assert.deepEqual(exact.holes, []);
  });

  test('7 names exactly the topics that have lost something', async ({ engine }) => {
    const start = await append(engine, 'a');
    await appendAll(engine, ['b', 'b', 'c', 'c'], { ...RETENTION, maxEvents: 1 });
    await append(engine, 'd');

    const { holes } = await resume(engine, ['a', 'b', 'c', 'd', 'never'], start);
    assert.deepEqual(
      holes.map(({ reason, topics }) => [reason, ...[...topics].sort()]),
      [['trimmed', 'b', 'c']],
    );
  });

  test('7 reading from the first retained entry is never a hole', async ({ engine }) => {
    await appendAll(engine, ['a', 'a', 'b', 'b'], { ...RETENTION, maxEvents: 1 });
    await appendAll(engine, ['c'], NOTHING);

    const { holes } = await read(engine, ['a', 'b', 'c', 'never'], { after: undefined });
    assert.deepEqual(holes, []);
  });

  test('7 a hole is told once, at the page that begins behind it', async ({ engine }) => {
    const [first] = await appendAll(engine, ['a', 'a', 'a', 'a', 'a'], { ...RETENTION, maxEvents: 3 });

    const page = await read(engine, ['a'], { after: first!.seq, verify: first, maxEntries: 1 });
    const next = await read(engine, ['a'], { after: page.upTo.seq, maxEntries: 1 });
    assert.deepEqual([page.holes.length, next.holes], [1, []]);
  });
}
