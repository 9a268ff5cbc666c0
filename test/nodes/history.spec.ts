import { Controller, Get } from '@nestjs/common';
import { describe, expect, jest, test } from '@jest/globals';
import { EventStreamService, SseError, SseStream, defineTopic, memoryEngine, type } from 'nestjs-event-stream';
import { readStream } from '../../src/testing/index.js';
import { createRandom } from '../faults/support/random.mjs';
import { type TestApp, adapters, alone, startApp } from '../support/app.js';
import { engineKinds } from '../support/engines.js';

jest.setTimeout(60_000);

const short = defineTopic('short/:name', { events: { message: type<number>() }, history: { maxEvents: 3 } });

@Controller()
class HistoryController {
  constructor(private readonly streams: EventStreamService) {}

  @Get('all')
  @SseStream()
  all() {
    return this.streams.topics('**');
  }
}

type Log = Awaited<ReturnType<(typeof engineKinds)[number]['open']>>;

const start = (log: Log): Promise<TestApp> =>
  startApp(adapters[0]!, { controllers: [HistoryController], options: { engine: log.engine(), topics: [short] } });

async function publish(app: TestApp, topic: string, ...data: unknown[]): Promise<string[]> {
  const ids: string[] = [];
  for (const each of data) ids.push((await app.streams.publish(topic, { data: each })).id);
  return ids;
}

/** Where an id stands in the lane, without the time. */
const seqOf = (id: string): string => id.slice(0, id.lastIndexOf('.'));

describe.each(engineKinds)('with $name', ({ isShared, open }) => {
  test('history is read from its start, behind an event, and the newest of each topic', async () => {
    await using log = await open();
    await using app = await start(log);
    await publish(app, 'b', 10);
    const ids = await publish(app, 'a', 1, 2, 3);
    await publish(app, 'c', 20);
    const dataOf = async (...given: Parameters<EventStreamService['read']>): Promise<unknown[]> =>
      (await app.streams.read(...given)).events.map(({ data }) => data);

    expect(await dataOf('a')).toEqual([1, 2, 3]);
    expect(await dataOf('a', { after: ids[0] })).toEqual([2, 3]);
    expect(await dataOf(app.streams.topics('a', 'b'), { last: 2 })).toEqual([10, 2, 3]);
    expect(await dataOf('**', { last: 1 })).toEqual([10, 3, 20]);
    expect(await dataOf(app.streams.topics('a', 'b'), { last: 1, after: ids[0] })).toEqual([3]);
    expect(await dataOf('a', { last: 0 })).toEqual([]);
    expect(await dataOf('never')).toEqual([]);
    expect(await dataOf(app.streams.topic<number>('a').filter(({ data }) => data > 1))).toEqual([2, 3]);
  });

  test('an event has its id, its topic and what it was published with', async () => {
    await using log = await open();
    await using app = await start(log);
    await app.streams.publish('a', { comment: 'a notice is no part of history' });
    await app.streams.publish('a', { id: 'own', type: 'tick', data: { price: 1 }, retry: 5, comment: 'c' });
    const { id } = await app.streams.publish('a', { data: 'text' });

    const page = await app.streams.read('a');
    expect(page).toEqual({
      events: [
        { id: 'own', type: 'tick', topic: 'a', data: { price: 1 }, retry: 5, comment: 'c' },
        { id, topic: 'a', data: 'text' },
      ],
      lastEventId: expect.stringContaining(seqOf(id)),
      hasMore: false,
      holes: [],
    });
    expect((await app.streams.read('a', { after: 'own' })).events).toEqual([{ id, topic: 'a', data: 'text' }]);
  });

  test('a page says whether there is more, and the next begins where it ends', async () => {
    await using log = await open();
    await using app = await start(log);
    for (let n = 0; n < 10; n++) await publish(app, `t${n % 3}`, n);

    const seen: unknown[] = [];
    const sizes: number[] = [];
    for (let after: string | undefined, hasMore = true; hasMore;) {
      const page = await app.streams.read(
        app.streams.topics<number>('t0', 't1', 't2').filter(({ data }) => data !== 9),
        { after, limit: 3 },
      );
      seen.push(...page.events.map(({ data }) => data));
      sizes.push(page.events.length);
      ({ lastEventId: after, hasMore } = page);
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(sizes).toEqual([3, 3, 3]);
  });

  test('what is missing behind an event is told, and what was never promised is not', async () => {
    await using log = await open();
    await using app = await start(log);
    const [first] = await publish(app, 'short/a', 1);
    await publish(app, 'other', 0);
    await publish(app, 'short/a', 2, 3, 4, 5);

    const page = await app.streams.read(app.streams.topics('short/a', 'other'), { after: first });
    expect(page.events.map(({ data }) => data)).toEqual([0, 3, 4, 5]);
    expect(page.holes).toEqual([{ reason: 'trimmed', topics: ['short/a'] }]);
    expect((await app.streams.read(app.streams.topics('short/*', 'other'), { limit: 2 })).holes).toEqual([]);
    expect((await app.streams.read('short/a', { last: 5 })).holes).toEqual([]);
    const unknown = await app.streams.read('short/a', { after: 'nobody knows' });
    expect([unknown.events.length, unknown.holes]).toEqual([3, [{ reason: 'unknown', topics: ['short/a'] }]]);
    const ahead = await app.streams.read('short/a', { after: 'zzzzzz.1.1', last: 2 });
    expect([ahead.events.length, ahead.holes]).toEqual([2, [{ reason: 'epoch', topics: ['short/a'] }]]);
  });

  test('the end of a topic is no event', async () => {
    await using log = await open();
    await using app = await start(log);
    const [after] = await publish(app, 'a', 1, 2);
    await app.streams.topic('a').complete();

    expect((await app.streams.read('a', { last: 2 })).events.map(({ data }) => data)).toEqual([1, 2]);
    expect((await app.streams.read('a', { last: 1, after })).events.map(({ data }) => data)).toEqual([2]);
  });

  test('a stream goes on exactly where a page ends, whoever publishes meanwhile', async () => {
    await using log = await open();
    await using app = await start(log);
    await using other = isShared ? await start(log) : undefined;
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = createRandom(seed);
    let count = 0;
    const some = (): Promise<unknown>[] =>
      Array.from({ length: random.int(0, 6) }, async () =>
        (random.chance(0.5) ? app : (other ?? app)).streams.publish(`t${random.int(0, 3)}`, { data: ++count }),
      );
    for (let round = 0; round < 15; round++) {
      const publishing = some();
      const page = await app.streams.read('**', { limit: 10_000 });
      publishing.push(...some());
      await using stream = await readStream(app.nest, '/all', { lastEventId: page.lastEventId });
      await Promise.all(publishing);
      const { id } = await app.streams.publish('end', { data: ++count });
      const rest = await stream.until((event) => event.id === id);
      const all = [...page.events.map(({ data }) => Number(data)), ...rest.map(({ data }) => Number(data))];
      const sorted = all.toSorted((a, b) => a - b);
      expect([`seed ${seed}, round ${round}`, sorted]).toEqual([
        `seed ${seed}, round ${round}`,
        Array.from({ length: count }, (_, n) => n + 1),
      ]);
    }
  });
});

test.each([
  [{ after: '' }, 'after must be the id of an event, got ""'],
  [{ after: 7 }, 'after must be the id of an event, got 7'],
  [{ last: -1 }, 'last must be a whole number of at least 0, got -1'],
  [{ last: 1.5 }, 'last must be'],
  [{ limit: 0 }, 'limit must be a whole number from 1 to 10000, got 0'],
  [{ limit: 10_001 }, 'limit must be'],
  [{ first: 1 }, 'there are the options after, last and limit, got "first"'],
  [null, 'the options must be an object'],
])('read() refuses %j', async (options, message) => {
  await using app = await startApp(adapters[0]!, {});
  await expect(app.streams.read('topic', options as never)).rejects.toMatchObject({
    code: 'invalid-options',
    message: expect.stringContaining(message),
  });
  await expect(app.streams.read('a//b')).rejects.toMatchObject({ code: 'invalid-topic' });
});

test('when the engine is away, reading and the place of now are refused, and do not wait', async () => {
  const engine = alone(memoryEngine());
  await using app = await startApp(adapters[0]!, { options: { engine } });
  engine.heads = () => Promise.reject(new SseError('engine-failed', 'away'));
  await expect(app.streams.read('topic')).rejects.toMatchObject({ code: 'engine-failed' });
  await expect(app.streams.position()).rejects.toMatchObject({ code: 'engine-failed' });
});

test('topics are combined as they are: where one begins would be lost', async () => {
  await using app = await startApp(adapters[0]!, {});
  const { streams } = app;
  expect(() => streams.topics('a', streams.topic('b').from('start'))).toThrow(
    expect.objectContaining({ code: 'invalid-topic', message: expect.stringContaining('from()') }),
  );
  expect(() => SseStream({ from: { last: -1 } })).toThrow(expect.objectContaining({ code: 'invalid-options' }));
});
