import assert from 'node:assert/strict';
import { Gatherer, append, read, rejectsAsClosed, textsOf } from './suite.js';
import type { Case } from './suite.js';

/** Promises 14 and 20, and that `start` is only for those who listen. */
export function closeCases(test: Case): void {
  test('14 after close every call rejects with closed, but for close and unsubscribe', async ({ engine }) => {
    const sink = await Gatherer.start(engine);
    await engine.subscribe(['a']);
    await append(engine, 'a');
    await engine.close();

    await rejectsAsClosed(() => append(engine, 'a'));
    await rejectsAsClosed(() => read(engine, ['a']));
    await rejectsAsClosed(() => engine.locate(['a'], 'id'));
    await rejectsAsClosed(() => engine.list(''));
    await rejectsAsClosed(() => engine.heads(['a']));
    await rejectsAsClosed(() => engine.health());
    await rejectsAsClosed(() => engine.subscribe(['b']));
    await rejectsAsClosed(() => engine.start(sink));
    engine.unsubscribe(['a']);
    await engine.close();
  });

  test('14 two calls of close at once both resolve', async ({ engine }) => {
    await append(engine, 'a');

    await Promise.all([engine.close(), engine.close()]);
  });

  test('14 an engine that was never used can be closed', async ({ engine }) => {
    await engine.close();
  });

  test('14 what was appended before close is stored or rejected, never left open', async ({ engine }) => {
    const appending = Array.from({ length: 20 }, () => append(engine, 'a'));
    await engine.close();

    const settled = await Promise.allSettled(appending);
    assert.equal(settled.length, 20);
  });

  test('14 nothing is delivered once close has resolved', async ({ engine }) => {
    const sink = await Gatherer.start(engine);
    await engine.subscribe(['a']);
    const appending = Array.from({ length: 20 }, () => append(engine, 'a').catch(() => undefined));
    await engine.close();
    const delivered = sink.count;
    await Promise.all(appending);
    await new Promise(setImmediate);

    assert.equal(sink.count, delivered);
  });

  test('14 a process that only publishes and reads never starts the engine', async ({ engine }) => {
    await append(engine, 'a', 'x', { id: 'own' });

    assert.equal((await read(engine, ['a'])).entries.length, 1);
    assert.deepEqual((await engine.list('')).names, ['a']);
    assert.equal(typeof (await engine.locate(['a'], 'own')), 'object');
  });

  test(
    '20 it works for one application after another',
    async (bench) => {
      for (const topic of ['a', 'b', 'c']) {
        const engine = await bench.open();
        const sink = await Gatherer.start(engine);
        const from = await engine.subscribe([topic]);
        const { seq } = await append(engine, topic);

        assert.deepEqual(textsOf(await sink.beyond(from, seq)), [topic]);
        assert.deepEqual(textsOf((await read(engine, [topic])).entries), [topic]);
        await engine.close();
        await rejectsAsClosed(() => read(engine, [topic]));
      }
    },
    'opening',
  );
}
