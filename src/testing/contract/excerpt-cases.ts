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

  test('21 whatever is asked in turn, a part of a log or all of it, each has what it should have', async (bench) => {
    const seed = (Math.random() * 2 ** 32) >>> 0;
    const random = mulberry32(seed);
    const below = (bound: number): number => Math.floor(random() * bound);
    const model = new Model();
    const keptOf = (topic: number): number => 3 * (topic + 1);

    for (let step = 0; step < 150; step++) {
      if (step < 20 || random() < 0.6) {
        const topic = Math.min(below(6), below(6));
        const retention = { ...RETENTION, maxEvents: keptOf(topic) };
        const id = random() < 0.5 ? { id: `id-${below(100)}` } : {};
        const position = await append(bench.engine, `t${topic}`, 'x'.repeat(below(100)), { retention, ...id });
        model.append(`t${topic}`, position, keptOf(topic));
        continue;
      }
      const any = (): Position => model.appended[below(model.appended.length)] as Position;
      const topics = Array.from({ length: 1 + below(8) }, () => `t${below(8)}`);
      const verify = random() < 0.5 ? any() : undefined;
      const last = random() < 0.7 ? below(12) : Infinity;
      const upTo = random() < 0.3 ? Number.MAX_SAFE_INTEGER : any().seq;
      const excerpt = random() < 0.6 ? { upTo, last, since: random() < 0.4 ? any().at : 0 } : undefined;
      const bounds = { maxEntries: 1 + below(30), maxBytes: below(2_000) };
      const story = `seed ${seed}, step ${step}: ${JSON.stringify({ topics, verify, excerpt, bounds })}`;

      const first = await read(bench.engine, topics, { ...bounds, after: verify?.seq, verify, excerpt });
      assert.deepEqual(
        first.holes.flatMap(({ reason, topics }) => topics.map((topic) => `${reason} ${topic}`)).sort(),
        verify === undefined ? [] : model.trimmed(topics, verify.seq),
        story,
      );
      const entries = [...first.entries];
      if (first.upTo.seq < model.head) {
        entries.push(...(await readPages(bench, topics, excerpt, bounds, model.head, first.upTo.seq)));
      }
      assert.deepEqual(seqsOf(entries), model.wanted(topics, verify?.seq ?? 0, excerpt), story);
    }
  });
}

/** What a log is known to have. */
class Model {
  readonly appended: Position[] = [];
  readonly #topics = new Map<string, { all: Position[]; evicted: number }>();

  get head(): number {
    return this.appended.at(-1)?.seq ?? 0;
  }

  append(topic: string, position: Position, maxEvents: number): void {
    const log = this.#topics.get(topic) ?? { all: [], evicted: 0 };
    this.#topics.set(topic, log);
    this.appended.push(position);
    log.all.push(position);
    log.evicted = Math.max(log.evicted, log.all.length - maxEvents);
  }

  trimmed(topics: readonly string[], after: number): string[] {
    const lost = (topic: string): boolean => {
      const { all, evicted } = this.#topics.get(topic) ?? { all: [], evicted: 0 };
      return (all[evicted - 1]?.seq ?? 0) > after;
    };
    const trimmed = [...new Set(topics)].filter(lost).sort();
    return trimmed.map((topic) => `trimmed ${topic}`);
  }

  wanted(topics: readonly string[], after: number, { upTo, last, since }: Excerpt = { ...ALL, upTo: 0 }): number[] {
    const wanted = [...new Set(topics)].flatMap((topic) => {
      const { all, evicted } = this.#topics.get(topic) ?? { all: [], evicted: 0 };
      const before = all.slice(evicted).filter(({ seq }) => seq <= upTo);
      const newest = before.slice(before.length - Math.min(last, before.length)).filter(({ at }) => at >= since);
      return seqsOf([...newest, ...all.slice(evicted).filter(({ seq }) => seq > upTo)]);
    });
    return wanted.filter((seq) => seq > after).sort((a, b) => a - b);
  }
}

async function readPages(
  { engine }: Bench,
  topics: readonly string[],
  excerpt: Excerpt | undefined,
  bounds: { readonly maxEntries: number; readonly maxBytes: number },
  head: number,
  from?: number,
): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for (let after = from; ;) {
    const page = await read(engine, topics, { ...bounds, after, excerpt });
    // Who begins elsewhere has heard what is missing there.
    if (from === undefined) assert.deepEqual(page.holes, []);
    entries.push(...page.entries);
    if (page.upTo.seq >= head) return entries;
    after = page.upTo.seq;
  }
}
