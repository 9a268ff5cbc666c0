import assert from 'node:assert/strict';
import type { Excerpt, LogEntry } from '../../engine/engine.js';
import type { Position } from '../../topic/position.js';
import { mulberry32 } from './random.js';
import { RETENTION, append, appendAll, read, seqsOf } from './suite.js';
import type { Bench, Case } from './suite.js';

const ALL = { last: Infinity, since: 0 };

/** Promise 21. */
export function excerptCases(test: Case): void {
  test('21 gives the newest of each topic up to a place, and all beyond it', async ({ engine }) => {
    const [a1, a2, b1, a3, c1, a4, b2] = await appendAll(engine, ['a', 'a', 'b', 'a', 'c', 'a', 'b']);
    const upTo = c1!.seq;

    const of = async (last: number): Promise<number[]> => {
      const page = await read(engine, ['a', 'b', 'c', 'never'], { excerpt: { ...ALL, upTo, last } });
      assert.deepEqual(page.holes, []);
      assert.equal(page.upTo.seq, b2!.seq);
      return seqsOf(page.entries);
    };
    assert.deepEqual(await of(0), seqsOf([a4!, b2!]));
    assert.deepEqual(await of(1), seqsOf([b1!, a3!, c1!, a4!, b2!]));
    assert.deepEqual(await of(2), seqsOf([a2!, b1!, a3!, c1!, a4!, b2!]));
    assert.deepEqual(await of(Infinity), seqsOf([a1!, a2!, b1!, a3!, c1!, a4!, b2!]));
  });

  test('21 a place before the first event, or beyond the last, is one as well', async ({ engine }) => {
    const positions = await appendAll(engine, ['a', 'a', 'a']);

    const of = async (upTo: number): Promise<number[]> =>
      seqsOf((await read(engine, ['a'], { excerpt: { ...ALL, upTo, last: 1 } })).entries);
    assert.deepEqual(await of(0), seqsOf(positions));
    assert.deepEqual(await of(Number.MAX_SAFE_INTEGER), seqsOf(positions.slice(2)));
  });

  test('21 who goes on behind a page is given nothing that he was not before', async ({ engine }) => {
    const positions = await appendAll(engine, ['a', 'b', 'a', 'b', 'a', 'b', 'a', 'b']);
    const excerpt = { ...ALL, upTo: positions[5]!.seq, last: 2 };

    const page = await read(engine, ['a', 'b'], { excerpt, after: positions[4]!.seq, verify: positions[4] });
    assert.deepEqual(seqsOf(page.entries), seqsOf(positions.slice(5)));
    assert.deepEqual(page.holes, []);
  });

  test('21 what is no longer retained is no part of it, and is a hole for who claims to have read before it', async ({
    engine,
  }) => {
    const retention = { ...RETENTION, maxEvents: 2 };
    const positions = await appendAll(engine, ['a', 'a', 'a', 'a', 'a'], retention);
    const excerpt = { ...ALL, upTo: positions[4]!.seq, last: 4 };

    const page = await read(engine, ['a'], { excerpt });
    assert.deepEqual(seqsOf(page.entries), seqsOf(positions.slice(3)));
    assert.deepEqual(page.holes, []);
    const behind = await read(engine, ['a'], { excerpt, after: positions[0]!.seq, verify: positions[0] });
    assert.deepEqual(behind.holes, [{ reason: 'trimmed', topics: ['a'] }]);
  });

  test(
    '21 gives what was stored since a time',
    async (bench) => {
      const { engine } = bench;
      const positions: Position[] = [];
      for (const topic of ['a', 'b', 'a', 'a', 'b']) {
        positions.push(await append(engine, topic));
        bench.pass(1_000);
      }
      const [, b1, a2, a3, b2] = positions as [Position, Position, Position, Position, Position];

      const of = async (since: number, upTo: number, last = Infinity): Promise<number[]> =>
        seqsOf((await read(engine, ['a', 'b'], { excerpt: { upTo, last, since } })).entries);
      assert.deepEqual(await of(a2.at, b2.seq), seqsOf([a2, a3, b2]), 'the time itself is included');
      assert.deepEqual(await of(a2.at + 1, b2.seq), seqsOf([a3, b2]));
      assert.deepEqual(await of(b2.at + 1, b2.seq), []);
      assert.deepEqual(await of(b2.at + 1, b1.seq), seqsOf([a2, a3, b2]), 'beyond the place all are');
      assert.deepEqual(await of(a2.at, b2.seq, 1), seqsOf([a3, b2]));
    },
    'clock',
  );

  test('21 an excerpt of any log, read in any pages, is what it should be', async (bench) => {
    const { engine } = bench;
    const seed = (Math.random() * 2 ** 32) >>> 0;
    const random = mulberry32(seed);
    const below = (bound: number): number => Math.floor(random() * bound);
    const appended: { readonly topic: string; readonly seq: number }[] = [];
    for (let n = 0; n < 200; n++) {
      // Some are quiet, some are busy.
      const topic = `t${Math.min(below(6), below(6))}`;
      appended.push({ topic, seq: (await append(engine, topic, 'x'.repeat(below(100)))).seq });
    }
    const head = appended[199]!.seq;

    for (let round = 0; round < 20; round++) {
      const topics = ['t0', 't1', 't2', 't3', 't4', 't5'].filter(() => random() < 0.6);
      const excerpt = { ...ALL, upTo: appended[below(200)]!.seq - below(2), last: below(12) };
      const bounds = { maxEntries: below(30), maxBytes: below(2_000) };
      const entries = await readPages(bench, topics, excerpt, bounds, head);
      const wanted = topics.flatMap((topic) => {
        const all = seqsOf(appended.filter((each) => each.topic === topic));
        const before = all.filter((seq) => seq <= excerpt.upTo);
        return [...before.slice(before.length - Math.min(before.length, excerpt.last)), ...all.slice(before.length)];
      });
      assert.deepEqual(
        seqsOf(entries),
        wanted.sort((a, b) => a - b),
        `seed ${seed}, round ${round}: ${JSON.stringify({ topics, excerpt, bounds })}`,
      );
    }
  });
}

async function readPages(
  { engine }: Bench,
  topics: readonly string[],
  excerpt: Excerpt,
  bounds: { readonly maxEntries: number; readonly maxBytes: number },
  head: number,
): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for (let after: number | undefined; ;) {
    const page = await read(engine, topics, { ...bounds, after, excerpt });
    assert.deepEqual(page.holes, []);
    entries.push(...page.entries);
    if (page.upTo.seq >= head) return entries;
    after = page.upTo.seq;
  }
}
