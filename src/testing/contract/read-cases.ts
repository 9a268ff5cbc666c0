import assert from 'node:assert/strict';
import { mulberry32 } from './random.js';
import { append, appendAll, read, readAll, seqsOf, textsOf } from './suite.js';
import type { Case } from './suite.js';

const UNBOUNDED = { maxEntries: 1_000, maxBytes: 16_777_216 };

/** Promise 4. */
export function readCases(test: Case): void {
  test('4 reads from the first retained entry, from before it, from the middle, and from the head', async ({
    engine,
  }) => {
    const seqs = seqsOf(await appendAll(engine, ['a', 'a', 'a']));
    const [first = 0, second = 0, third = 0] = seqs;

    const from = async (after: number | undefined): Promise<number[]> =>
      seqsOf((await read(engine, ['a'], { after })).entries);
    assert.deepEqual(await from(undefined), seqs);
    assert.deepEqual(await from(0), seqs);
    assert.deepEqual(await from(first), [second, third], 'the bound itself is not read again');
    assert.deepEqual(await from(third), []);
  });

  test('4 the last page goes up to the head of the lane, also when the topic is not the newest', async ({ engine }) => {
    await append(engine, 'a');
    const head = await append(engine, 'b');

    const { entries, upTo, holes } = await read(engine, ['a']);
    assert.equal(entries.length, 1);
    assert.deepEqual({ epoch: upTo.epoch, seq: upTo.seq }, { epoch: head.epoch, seq: head.seq });
    assert(upTo.at >= head.at);
    assert.deepEqual(holes, []);
  });

  test('4 an entry tells its topic, its place, its time and the id of its publisher', async ({ engine }) => {
    const first = await append(engine, 'a', 'one', { id: 'own:1' });
    const second = await append(engine, 'a', 'two');

    const { entries } = await read(engine, ['a']);
    assert.deepEqual(
      entries.map(({ topic, seq, prev, at, id }) => ({ topic, seq, prev, at, id })),
      [
        { topic: 'a', seq: first.seq, prev: 0, at: first.at, id: 'own:1' },
        { topic: 'a', seq: second.seq, prev: first.seq, at: second.at, id: undefined },
      ],
    );
  });

  test('4 several topics are read in lane order, a topic that is named twice once', async ({ engine }) => {
    const positions = await appendAll(engine, ['b', 'a', 'other', 'c', 'a', 'b']);

    const { entries } = await read(engine, ['a', 'b', 'c', 'a']);
    assert.deepEqual(seqsOf(entries), seqsOf(positions.filter((_, n) => n !== 2)));
    assert.deepEqual(
      entries.map(({ topic }) => topic),
      ['b', 'a', 'c', 'a', 'b'],
    );
  });

  test('4 a topic that nobody has published to is empty, and so is no topic at all', async ({ engine }) => {
    const head = await append(engine, 'a');

    for (const topics of [['never'], []]) {
      const page = await read(engine, topics, { after: 0 });
      assert.deepEqual({ ...page, upTo: page.upTo.seq }, { entries: [], upTo: head.seq, holes: [] });
    }
  });

  test('4 a log that nobody has published to can be read', async ({ engine }) => {
    const { entries, upTo, holes } = await read(engine, ['a']);

    assert.deepEqual({ entries, holes, seq: upTo.seq }, { entries: [], holes: [], seq: 0 });
  });

  test('4 pages bounded by count go on without loss or repetition', async ({ engine }) => {
    const positions = await appendAll(
      engine,
      Array.from({ length: 20 }, (_, n) => `t${n % 3}`),
    );
    const head = positions[19]!;

    const topics = ['t0', 't1', 't2'];
    const page = await read(engine, topics, { maxEntries: 7 });
    assert.equal(page.entries.length, 7);
    assert.deepEqual(page.upTo, positions[6]);
    for (const maxEntries of [1, 2, 7, 19, 20, 21]) {
      const entries = await readAll(engine, topics, head, { ...UNBOUNDED, maxEntries });
      assert.deepEqual(seqsOf(entries), seqsOf(positions), `with pages of ${maxEntries}`);
    }
  });

  test('4 a page gives at least one entry when there is any, however small the bounds', async ({ engine }) => {
    const sizes = [0, 10_000, 1, 10_000, 5];
    const positions = [];
    for (const size of sizes) positions.push(await append(engine, 'a', new Uint8Array(size)));
    const head = positions[4]!;

    for (const bounds of [
      { maxEntries: 0, maxBytes: 0 },
      { maxEntries: 1, maxBytes: 1 },
      { maxEntries: 100, maxBytes: 0 },
    ]) {
      const entries = await readAll(engine, ['a'], head, bounds);
      assert.deepEqual(seqsOf(entries), seqsOf(positions), JSON.stringify(bounds));
    }
  });

  test('4 a page holds no more bytes than asked for, but for a single larger entry', async ({ engine }) => {
    for (const size of [100, 100, 100, 5_000, 100]) await append(engine, 'a', new Uint8Array(size));

    const sizesFrom = async (after: number | undefined): Promise<number[]> => {
      const page = await read(engine, ['a'], { after, maxBytes: 250 });
      return page.entries.map(({ data }) => data.byteLength);
    };
    const { entries } = await read(engine, ['a']);
    assert.deepEqual(await sizesFrom(undefined), [100, 100]);
    assert.deepEqual(await sizesFrom(entries[1]?.seq), [100]);
    assert.deepEqual(await sizesFrom(entries[2]?.seq), [5_000]);
  });

  test('4 any log read in any pages is what was appended', async ({ engine }) => {
    const seed = (Math.random() * 2 ** 32) >>> 0;
    const random = mulberry32(seed);
    const below = (bound: number): number => Math.floor(random() * bound);
    const appended: { topic: string; text: string; seq: number }[] = [];
    for (let n = 0; n < 300; n++) {
      const topic = `t${below(5)}`;
      const text = 'x'.repeat(below(200)) + n;
      appended.push({ topic, text, seq: (await append(engine, topic, text)).seq });
    }
    const head = await append(engine, 'head');

    for (let round = 0; round < 30; round++) {
      const topics = ['t0', 't1', 't2', 't3', 't4'].filter(() => random() < 0.6);
      const after = appended[below(300)]!.seq - below(2);
      const bounds = { maxEntries: below(40), maxBytes: below(2_000) };
      const entries = await readAll(engine, topics, head, bounds, after);
      const wanted = appended.filter(({ topic, seq }) => topics.includes(topic) && seq > after);
      const message = `seed ${seed}, round ${round}`;
      assert.deepEqual(seqsOf(entries), seqsOf(wanted), message);
      assert.deepEqual(
        textsOf(entries),
        wanted.map(({ text }) => text),
        message,
      );
    }
  });
}
