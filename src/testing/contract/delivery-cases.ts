import assert from 'node:assert/strict';
import { EVERY_TOPIC } from '../../engine/engine.js';
import type { LogEntry } from '../../engine/engine.js';
import { Gatherer, append, appendAll, read, seqsOf } from './suite.js';
import type { Case } from './suite.js';

/** Promises 9 and 10. */
export function deliveryCases(test: Case): void {
  test('9 delivers the topics that were subscribed to, in lane order, once, and no others', async ({ engine }) => {
    const gathered = await Gatherer.start(engine);
    const from = await engine.subscribe(['a', 'b']);
    const positions = await appendAll(engine, ['a', 'other', 'b', 'a', 'b', 'other', 'a']);

    const delivered = await gathered.beyond(from, positions[6]!.seq);
    assert.deepEqual(seqsOf(delivered), seqsOf([0, 2, 3, 4, 6].map((n) => positions[n]!)));
    assert.deepEqual([...gathered.epochs], [from.epoch]);
  });

  test('9 what is delivered is what can be read', async ({ engine }) => {
    const gathered = await Gatherer.start(engine);
    const from = await engine.subscribe(['a']);
    await append(engine, 'a', Uint8Array.of(0, 255, 13, 10), { id: 'own' });
    const { seq } = await append(engine, 'a', new Uint8Array());

    const delivered = await gathered.beyond(from, seq);
    const { entries } = await read(engine, ['a']);
    assert.deepEqual(delivered.map(plain), entries.map(plain));
  });

  test('9 a large event is delivered in its place', async ({ engine }) => {
    const gathered = await Gatherer.start(engine);
    const from = await engine.subscribe(['a']);
    const sizes = [1, 1_048_576, 2, 100_000, 3];
    const positions = await Promise.all(sizes.map((size) => append(engine, 'a', new Uint8Array(size))));

    const delivered = await gathered.beyond(from, positions[4]!.seq);
    assert.deepEqual(
      delivered.map(({ data }) => data.byteLength),
      sizes,
    );
  });

  test('9 an event that keeps nothing for later is delivered all the same', async ({ engine }) => {
    const gathered = await Gatherer.start(engine);
    const from = await engine.subscribe(['a']);
    const [position] = await appendAll(engine, ['a'], { maxEvents: 0, maxBytes: 0, maxAgeMs: 600_000 });

    assert.deepEqual(seqsOf(await gathered.beyond(from, position!.seq)), [position!.seq]);
  });

  test('9 the first event ever of a topic reaches who waits for it', async ({ engine }) => {
    const gathered = await Gatherer.start(engine);
    const from = await engine.subscribe(['never']);
    const { seq, epoch } = await append(engine, 'never');

    assert.equal(from.seq, 0);
    assert.deepEqual(
      (await gathered.beyond(from, seq)).map(({ prev }) => prev),
      [0],
    );
    assert.deepEqual([...gathered.epochs], [epoch]);
  });

  test('9 what is read up to the position of subscribe, and what is delivered beyond it, is everything once', async ({
    engine,
  }) => {
    const gathered = await Gatherer.start(engine);
    const appends = Array.from({ length: 100 }, (_, n) => append(engine, 'a', `${n}`));
    const subscribing = engine.subscribe(['a']);
    appends.push(...Array.from({ length: 100 }, (_, n) => append(engine, 'a', `${n + 100}`)));
    const from = await subscribing;
    appends.push(...Array.from({ length: 100 }, (_, n) => append(engine, 'a', `${n + 200}`)));
    const positions = await Promise.all(appends);

    const delivered = await gathered.beyond(from, positions[299]!.seq);
    const before = (await read(engine, ['a'])).entries.filter(({ seq }) => seq <= from.seq);
    assert.deepEqual(seqsOf([...before, ...delivered]), seqsOf(positions));
  });

  test('9 subscribing again is harmless', async ({ engine }) => {
    const gathered = await Gatherer.start(engine);
    await engine.subscribe(['a']);
    await append(engine, 'a');
    const from = await engine.subscribe(['a', 'b', 'a']);
    const positions = await appendAll(engine, ['a', 'b']);

    assert.deepEqual(seqsOf(await gathered.beyond(from, positions[1]!.seq)), seqsOf(positions));
  });

  test('9 subscribing to every topic delivers each event once, also of topics that are subscribed to by name', async ({
    engine,
  }) => {
    const gathered = await Gatherer.start(engine);
    await engine.subscribe(['a']);
    const from = await engine.subscribe([EVERY_TOPIC]);
    await engine.subscribe(['b']);
    const positions = await appendAll(engine, ['a', 'b', 'c', 'a', 'new']);

    assert.deepEqual(seqsOf(await gathered.beyond(from, positions[4]!.seq)), seqsOf(positions));
  });

  test('9 10000 topics can be subscribed to, and each is delivered', async ({ engine }) => {
    const gathered = await Gatherer.start(engine);
    const topics = Array.from({ length: 10_000 }, (_, n) => `t/${n}`);
    const from = await engine.subscribe(topics);
    const positions = await appendAll(engine, ['t/0', 't/9999', 't/10000', 't/5000']);

    const delivered = await gathered.beyond(from, positions[3]!.seq);
    assert.deepEqual(
      delivered.map(({ topic }) => topic),
      ['t/0', 't/9999', 't/5000'],
    );
  });

  test('10 what was unsubscribed from is not delivered, and the rest goes on', async ({ engine }) => {
    const gathered = await Gatherer.start(engine);
    const from = await engine.subscribe(['a', 'b']);
    const [before] = await appendAll(engine, ['a']);
    await gathered.beyond(from, before!.seq);
    engine.unsubscribe(['a']);
    // By the time that a subscription has been confirmed, an earlier unsubscription has taken effect.
    const to = await engine.subscribe(['fence']);
    const positions = await appendAll(engine, ['a', 'b']);

    assert.deepEqual(seqsOf(await gathered.beyond(to, positions[1]!.seq)), [positions[1]!.seq]);
  });

  test('10 unsubscribing from every topic leaves those that were subscribed to by name', async ({ engine }) => {
    const gathered = await Gatherer.start(engine);
    await engine.subscribe(['a', EVERY_TOPIC]);
    engine.unsubscribe([EVERY_TOPIC]);
    const from = await engine.subscribe(['a']);
    const positions = await appendAll(engine, ['b', 'a']);

    assert.deepEqual(seqsOf(await gathered.beyond(from, positions[1]!.seq)), [positions[1]!.seq]);
  });

  test('10 the last of many quick changes holds', async ({ engine }) => {
    const gathered = await Gatherer.start(engine);
    const subscribing: Promise<unknown>[] = [];
    for (let n = 0; n < 50; n++) {
      subscribing.push(engine.subscribe(['on', 'off']));
      engine.unsubscribe(['on', 'off']);
    }
    const from = await engine.subscribe(['on']);
    await Promise.all(subscribing);
    const positions = await appendAll(engine, ['off', 'on']);

    assert.deepEqual(seqsOf(await gathered.beyond(from, positions[1]!.seq)), [positions[1]!.seq]);
  });

  test('10 unsubscribing never throws, whatever from', async ({ engine }) => {
    engine.unsubscribe(['before start']);
    await Gatherer.start(engine);
    engine.unsubscribe([]);
    engine.unsubscribe(['never subscribed', EVERY_TOPIC]);
    await engine.subscribe(['a']);
    engine.unsubscribe(['a', 'a']);
    engine.unsubscribe(['a']);
  });
}

function plain({ topic, seq, prev, at, data, id }: LogEntry): unknown {
  return { topic, seq, prev, at, id, data: Buffer.from(data).toString('hex') };
}
