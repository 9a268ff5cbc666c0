import { Controller, Get, Param } from '@nestjs/common';
import { describe, expect, jest, test } from '@jest/globals';
import { Connection, EventStreamService, type SseConnection, SseStream, memoryEngine } from 'nestjs-event-stream';
import { NEVER, firstValueFrom } from 'rxjs';
import { readStream } from '../../src/testing/index.js';
import { createRandom } from '../faults/support/random.mjs';
import { SharedLog, ShakyEngine } from '../faults/support/shaky-engine.js';
import { type TestApp, adapters, startApp } from '../support/app.js';
import { engineKinds } from '../support/engines.js';
import { until } from '../support/until.js';

jest.setTimeout(60_000);

/** What handlers wait for, and which have got so far. */
const loads = new Map<string, Promise<void>>();
const subscribed = new Set<string>();

@Controller()
class BeginningsController {
  constructor(private readonly streams: EventStreamService) {}

  @Get('topics/:name')
  @SseStream()
  topic(@Param('name') name: string) {
    return this.streams.topic(name);
  }

  @Get('patterns/:name')
  @SseStream()
  pattern(@Param('name') name: string) {
    return this.streams.topics(`${name}/*`);
  }

  @Get('snapshots/:name')
  @SseStream()
  async snapshot(@Param('name') name: string, @Connection() connection: SseConnection) {
    await connection.subscribe(name);
    subscribed.add(name);
    await loads.get(name);
    connection.send({ type: 'snapshot', data: name });
    return this.streams.topic(name);
  }

  @Get('given-up/:name')
  @SseStream()
  async givenUp(@Param('name') name: string, @Connection() connection: SseConnection) {
    await connection.subscribe(`${name}-first`);
    connection.unsubscribe(`${name}-first`);
    return NEVER;
  }
}

const ROUNDS = 60;
const start = (engine: ReturnType<typeof memoryEngine>, adapter = adapters[0]!): Promise<TestApp> =>
  startApp(adapter, { controllers: [BeginningsController], options: { engine } });

describe.each(engineKinds)('with $name', ({ isShared, open }) => {
  test('what is published when a client sees `open` reaches it, also by another node, and of topics that nobody knew', async () => {
    await using log = await open();
    await using app = await start(log.engine());
    await using other = isShared ? await start(log.engine()) : undefined;
    const lost: string[] = [];
    for (let n = 0; n < ROUNDS; n++) {
      const isPattern = n % 3 === 2;
      await using stream = await readStream(app.nest, `/${isPattern ? 'patterns' : 'topics'}/fresh-${n}`);
      await (other ?? app).streams.publish(isPattern ? `fresh-${n}/x` : `fresh-${n}`, { data: n });
      const event = await stream.next().catch(() => undefined);
      if (event?.data !== `${n}`) lost.push(`fresh-${n}`);
    }
    expect(lost).toEqual([]);
  });

  test('readStream has the place when it resolves, and who comes back with it gets what follows', async () => {
    await using log = await open();
    await using app = await start(log.engine());
    await app.streams.publish('topic', { data: 'before' });
    const stream = await readStream(app.nest, '/topics/topic');
    const { lastEventId } = stream;
    stream.close();
    await app.streams.publish('topic', { data: 'after' });

    await using again = await readStream(app.nest, '/topics/topic', { lastEventId });
    expect((await again.next())?.data).toBe('after');
    expect(lastEventId).toMatch(/^[0-9a-z]{6}\./);
  });

  test('what is published while a handler loads comes after its snapshot', async () => {
    await using log = await open();
    await using app = await start(log.engine());
    for (let n = 0; n < 10; n++) {
      const name = `loading-${n}`;
      subscribed.delete(name);
      let loaded!: () => void;
      loads.set(name, new Promise((resolve) => (loaded = resolve)));
      const opening = readStream(app.nest, `/snapshots/${name}`);
      await until(() => subscribed.has(name), 'the topic to be read');
      for (const data of [1, 2, 3]) await app.streams.publish(name, { data });
      loaded();
      await using stream = await opening;
      const events = await stream.take(4);
      expect(events.map(({ type, data }) => [type, data])).toEqual([
        ['snapshot', name],
        ...[1, 2, 3].map((data) => ['message', `${data}`]),
      ]);
    }
  });

  test('who has given up all topics before the head can be given others', async () => {
    await using log = await open();
    await using app = await start(log.engine());
    await using stream = await readStream(app.nest, '/given-up/topic');
    const [connection] = app.streams.connections.list();
    await connection?.subscribe('topic');
    await app.streams.publish('topic-first', { data: 'given up' });
    await app.streams.publish('topic', { data: 'wanted' });

    expect((await stream.next())?.data).toBe('wanted');
  });

  test('an Observable of a topic has what is published from the moment of subscribing, and nothing from before', async () => {
    await using log = await open();
    await using app = await start(log.engine());
    for (let n = 0; n < ROUNDS; n++) {
      const topic = app.streams.topic<string>(`observed-${n}`);
      if (n % 2 === 1) await topic.publish({ data: 'before' });
      const first = firstValueFrom(topic.asObservable());
      const all: unknown[] = [];
      const subscription = topic.asObservable().subscribe(({ data }) => all.push(data));
      const published = [topic.publish({ data: '1' }), topic.publish({ data: '2' })];
      await Promise.all(published);
      const late: unknown[] = [];
      subscription.add(topic.asObservable().subscribe(({ data }) => late.push(data)));
      await topic.publish({ data: '3' });

      expect((await first).data).toBe('1');
      await until(() => all.length >= 3 && late.length >= 1, `events of observed-${n}`);
      expect([all, late]).toEqual([['1', '2', '3'], ['3']]);
      subscription.unsubscribe();
    }
  });
});

test.each(adapters)(
  'while the engine is away, a client has its head after a second at most, and is told that something may be missing, on $name',
  async (adapter) => {
    const engine = new ShakyEngine(new SharedLog(), createRandom(1));
    engine.isDown = true;
    await using app = await start(engine, adapter);
    const startedAt = performance.now();
    await using stream = await readStream(app.nest, '/topics/a');
    await using _loading = await readStream(app.nest, '/snapshots/b');
    // One after the other, though a handler has waited before it returned.
    expect(performance.now() - startedAt).toBeLessThan(2_900);

    engine.restore();
    const reset = await stream.next();
    expect([reset?.type, reset?.json()]).toEqual(['stream.reset', { reason: 'unknown', topics: ['a'] }]);
    await app.streams.publish('a', { data: 1 });
    expect((await stream.next())?.data).toBe('1');
  },
);

test.each(adapters)('who has left before his place was known is not told of, on $name', async (adapter) => {
  const engine = new ShakyEngine(new SharedLog(), createRandom(1));
  engine.isDown = true;
  const told: string[] = [];
  await using app = await startApp(adapter, {
    controllers: [BeginningsController],
    options: {
      engine,
      hooks: { onClosed: ({ id }) => told.push(`${id} closed`), onReset: ({ id }) => told.push(`${id} reset`) },
    },
  });
  const gone = await readStream(app.nest, '/topics/a');
  const [first] = app.streams.connections.list();
  gone.close();
  await until(() => told.length === 1, 'the client to have left');

  engine.restore();
  await using stream = await readStream(app.nest, '/topics/a');
  await app.streams.publish('a', { data: 1 });
  expect((await stream.until(({ data }) => data === '1')).length).toBeGreaterThan(0);
  expect(told.filter((each) => each.startsWith(`${first?.id} `))).toEqual([`${first?.id} closed`]);
});
