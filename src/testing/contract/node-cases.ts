import assert from 'node:assert/strict';
import { Gatherer, append, appendAll, read, resume, seqsOf, textsOf } from './suite.js';
import type { Case } from './suite.js';

/** What several nodes on one log agree on, and what a log keeps when its engine is closed. */
export function nodeCases(test: Case): void {
  test(
    '1 3 two nodes that publish to one topic number it as one',
    async (bench) => {
      const nodes = [bench.engine, await bench.another()];
      const positions = (await Promise.all(nodes.map((node) => appendAll(node, Array<string>(100).fill('a'))))).flat();

      const pages = await Promise.all(nodes.map((node) => read(node, ['a'])));
      const seqs = seqsOf(pages[0]!.entries);
      assert.deepEqual(
        seqs,
        seqsOf(positions).sort((x, y) => x - y),
      );
      assert.equal(new Set(seqs).size, 200);
      assert.deepEqual(
        pages[0]!.entries.map(({ prev }) => prev),
        [0, ...seqs.slice(0, -1)],
      );
      assert.deepEqual(seqsOf(pages[1]!.entries), seqs);
      assert.equal(new Set(positions.map(({ epoch }) => epoch)).size, 1);
    },
    'nodes',
  );

  test(
    '5 what one node has appended every node reads',
    async (bench) => {
      const other = await bench.another();
      const { seq } = await append(bench.engine, 'a', 'x', { id: 'own' });

      assert.deepEqual(seqsOf((await read(other, ['a'])).entries), [seq]);
      assert.deepEqual((await other.list('')).names, ['a']);
      assert.equal(((await other.locate(['a'], 'own')) as { seq: number }).seq, seq);
    },
    'nodes',
  );

  test(
    '6 a position of one node resumes on another',
    async (bench) => {
      const other = await bench.another();
      const [first, second] = await appendAll(bench.engine, ['a', 'a']);

      const { entries, holes } = await resume(other, ['a'], first!);
      assert.deepEqual([seqsOf(entries), holes], [[second!.seq], []]);
    },
    'nodes',
  );

  test(
    '9 what one node has appended is delivered on the other, in lane order, once',
    async (bench) => {
      const other = await bench.another();
      const gathered = await Gatherer.start(other);
      const from = await other.subscribe(['a', 'b']);
      const positions = await Promise.all([
        appendAll(
          bench.engine,
          Array.from({ length: 100 }, (_, n) => (n % 2 === 0 ? 'a' : 'b')),
        ),
        appendAll(
          other,
          Array.from({ length: 100 }, (_, n) => (n % 2 === 0 ? 'b' : 'other')),
        ),
      ]);

      const last = Math.max(...seqsOf(positions.flat().filter((_, n) => n < 100 || n % 2 === 0)));
      const delivered = await gathered.beyond(from, last);
      const { entries } = await read(bench.engine, ['a', 'b']);
      assert.deepEqual(seqsOf(delivered), seqsOf(entries));
    },
    'nodes',
  );

  test(
    '15 nodes whose clocks are an hour apart agree on what is missing',
    async (bench) => {
      const nodes = [bench.engine, await bench.another(3_600_000), await bench.another(-3_600_000)];
      const positions = [];
      for (let n = 0; n < 9; n++) positions.push(await append(nodes[n % 3]!, 'a', `${n}`));

      const times = positions.map(({ at }) => at);
      assert.deepEqual(
        times,
        [...times].sort((x, y) => x - y),
      );
      for (const [n, position] of positions.entries()) {
        const { entries, holes } = await resume(nodes[(n + 1) % 3]!, ['a'], position);
        assert.deepEqual([seqsOf(entries), holes], [seqsOf(positions.slice(n + 1)), []]);
      }
    },
    'nodes',
  );

  test(
    '1 3 8 a log goes on where it was when its engine is opened again',
    async (bench) => {
      const before = await appendAll(bench.engine, ['a', 'b', 'a']);
      await append(bench.engine, 'c', 'x', { id: 'own', retention: { maxEvents: 0, maxBytes: 0, maxAgeMs: 600_000 } });
      await bench.engine.close();
      const engine = await bench.reopen();
      const after = await append(engine, 'a', 'after');

      const { entries, holes } = await resume(engine, ['a', 'b'], before[0]!);
      assert.deepEqual(holes, []);
      assert.deepEqual(textsOf(entries), ['b #1', 'a #2', 'after']);
      assert.deepEqual(entries.at(-1)?.prev, before[2]!.seq);
      assert(after.seq > before[2]!.seq && after.at >= before[2]!.at && after.epoch === before[2]!.epoch);
      const trimmed = await resume(engine, ['c'], before[2]!);
      assert.deepEqual(trimmed.holes, [{ reason: 'trimmed', topics: ['c'] }]);
    },
    'durability',
  );

  test(
    '15 the time does not fall behind when the engine is opened again with a clock that stepped back',
    async (bench) => {
      const before = await append(bench.engine, 'a');
      await bench.engine.close();
      bench.pass(-3_600_000);
      const engine = await bench.reopen();

      assert((await append(engine, 'a')).at >= before.at);
    },
    'durability',
    'clock',
  );
}
