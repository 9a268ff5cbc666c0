import { setImmediate as turn } from 'node:timers/promises';
import { Controller, Get, Param, Query } from '@nestjs/common';
import { describe, expect, jest, test } from '@jest/globals';
import { Connection, EventStreamService, type SseConnection, SseStream, defineTopic } from 'nestjs-event-stream';
import { firstValueFrom, take, toArray } from 'rxjs';
import { readStream } from '../../src/testing/index.js';
import { createRandom } from '../faults/support/random.mjs';
import { type TestApp, adapters, startApp } from '../support/app.js';
import { engineKinds } from '../support/engines.js';

jest.setTimeout(60_000);

const prices = defineTopic('prices/:symbol', { begin: { last: 1 } });
const chats = defineTopic('chats/:room', { begin: { last: 2 }, history: { maxEvents: 5 } });

@Controller()
class FromController {
  constructor(private readonly streams: EventStreamService) {}

  @Get('last/:n')
  @SseStream()
  last(@Param('n') n: string, @Query('topic') topic: string) {
    return this.streams.topics(...topic.split(',')).from({ last: Number(n) });
  }

  @Get('start')
  @SseStream()
  start(@Query('topic') topic: string) {
    return this.streams
      .topic<number>(topic)
      .from('start')
      .filter(({ data }) => data !== 2);
  }

  @Get('since/:ms')
  @SseStream()
  since(@Param('ms') ms: string, @Query('topic') topic: string) {
    return this.streams.topic(topic).from({ sinceMs: Number(ms) });
  }

  @Get('place/:at')
  @SseStream({ from: 'start' })
  place(@Param('at') at: string, @Query('topic') topic: string) {
    return this.streams.topic(topic).from(at);
  }

  @Get('route')
  @SseStream({ from: { last: 2 } })
  route(@Query('topic') topic: string) {
    return this.streams.topic(topic);
  }

  @Get('plain')
  @SseStream()
  plain(@Query('topic') topic: string) {
    return this.streams.topics(...topic.split(','));
  }

  @Get('now')
  @SseStream()
  now(@Query('topic') topic: string) {
    return this.streams.topics(...topic.split(',')).from('now');
  }

  @Get('snapshot')
  @SseStream()
  async snapshot(@Query('topic') topic: string, @Connection() connection: SseConnection) {
    await connection.subscribe(topic);
    connection.send({ type: 'snapshot', data: topic });
    return this.streams.topic(topic).from({ last: 2 });
  }
}

type Log = Awaited<ReturnType<(typeof engineKinds)[number]['open']>>;

const start = (log: Log): Promise<TestApp> =>
  startApp(adapters[0]!, { controllers: [FromController], options: { engine: log.engine(), topics: [prices, chats] } });

let ends = 0;

/** What one who comes now gets, up to an event of the topic `end` that is published once he has come. Earlier such events are `end`. */
async function read(app: TestApp, path: string, end: string, headers = {}): Promise<string[]> {
  await using stream = await readStream(app.nest, path, { headers });
  const last = `end ${++ends}`;
  await app.streams.publish(end, { data: last });
  const seen: string[] = [];
  for (;;) {
    const event = await stream.next();
    if (event === undefined || event.data === last) return seen;
    seen.push(event.type === 'message' ? event.data.replace(/^end.*/, 'end') : `${event.type} ${event.data}`);
  }
}

async function publish(app: TestApp, topic: string, ...data: number[]): Promise<string> {
  let id = '';
  for (const n of data) ({ id } = await app.streams.publish(topic, { data: n }));
  return id;
}

describe.each(engineKinds)('with $name', ({ isShared, open }) => {
  test('a stream begins with the newest of each topic, in the order of all, and goes on without a gap', async () => {
    await using log = await open();
    await using app = await start(log);
    await publish(app, 'quiet', 1);
    await publish(app, 'busy', 2, 3, 4, 5);
    await publish(app, 'other', 6);

    expect(await read(app, '/last/2?topic=busy,quiet', 'quiet')).toEqual(['1', '4', '5']);
    expect(await read(app, '/last/0?topic=busy', 'busy')).toEqual([]);
    expect(await read(app, '/last/1?topic=never', 'never')).toEqual([]);
    expect(await read(app, '/last/1?topic=**', 'busy')).toEqual(['6', 'end', 'end', 'end']);
  });

  test('a stream begins with all that there is, or what was published lately, or behind an event', async () => {
    await using log = await open();
    await using app = await start(log);
    const first = await publish(app, 'topic', 1);
    const at = await app.streams.position();
    await publish(app, 'topic', 2, 3);

    expect(await read(app, '/start?topic=topic', 'topic')).toEqual(['1', '3']);
    expect(await read(app, '/since/60000?topic=topic', 'topic')).toEqual(['1', '2', '3', 'end']);
    expect(await read(app, '/since/0?topic=topic', 'topic')).toEqual([]);
    expect(await read(app, `/place/${first}?topic=topic`, 'topic')).toEqual(['2', '3', 'end', 'end', 'end']);
    expect(at.split('.').slice(0, 2)).toEqual(first.split('.').slice(0, 2));
  });

  test('the id that a client brings comes first', async () => {
    await using log = await open();
    await using app = await start(log);
    await publish(app, 'topic', 1, 2, 3);
    const id = await publish(app, 'topic', 4);
    await publish(app, 'topic', 5);

    for (const path of ['/last/3?topic=topic', '/start?topic=topic', '/route?topic=topic'])
      expect((await read(app, path, 'topic', { 'Last-Event-ID': id })).filter((data) => data !== 'end')).toEqual(['5']);
  });

  test('a definition says where its topics begin, a route comes before it, and a selection before both', async () => {
    await using log = await open();
    await using app = await start(log);
    await publish(app, 'prices/a', 1, 2);
    await publish(app, 'prices/b', 3, 4);
    await publish(app, 'chats/x', 5, 6, 7);
    await publish(app, 'news', 8);

    expect(await read(app, '/plain?topic=prices/a,prices/b', 'prices/a')).toEqual(['2', '4']);
    expect(await read(app, '/plain?topic=prices/b,chats/x,news', 'news')).toEqual(['4', '6', '7']);
    expect(await read(app, '/plain?topic=prices/*', 'prices/b')).toEqual(['4', 'end']);
    expect(await read(app, '/route?topic=chats/x', 'chats/x')).toEqual(['6', '7']);
    expect(await read(app, '/now?topic=prices/a,chats/x', 'chats/x')).toEqual([]);
  });

  test('what is no longer there is not told', async () => {
    await using log = await open();
    await using app = await start(log);
    const long = Array.from({ length: 300 }, (_, n) => n);
    await publish(app, 'long', ...long);
    await publish(app, 'chats/x', 1, 2, 3, 4, 5, 6, 7);

    const seen = await read(app, '/last/1000?topic=long,chats/x', 'long');
    expect(seen).toEqual([...long, 3, 4, 5, 6, 7].map(String));
  });

  test('a client that is cut off in what comes first comes back with the place where it was', async () => {
    await using log = await open();
    await using app = await start(log);
    const ids: string[] = [];
    for (const n of [1, 2, 3]) ids.push(await publish(app, 'topic', n));
    await using stream = await readStream(app.nest, '/last/3?topic=topic');
    await stream.take(3);

    // The first place that it is told is that of the first event.
    expect(/^id: ?(.+)$/m.exec(stream.text())?.[1]).toBe(ids[0]);
  });

  test('what a handler sends comes before it', async () => {
    await using log = await open();
    await using app = await start(log);
    await publish(app, 'topic', 1, 2, 3);

    expect(await read(app, '/snapshot?topic=topic', 'topic')).toEqual(['snapshot topic', '2', '3']);
  });

  test('an Observable begins where it is told', async () => {
    await using log = await open();
    await using app = await start(log);
    const id = await publish(app, 'topic', 1, 2);
    await publish(app, 'topic', 3);
    const topic = app.streams.topic<number>('topic');
    const dataOf = async (source: ReturnType<typeof topic.asObservable>, count: number): Promise<unknown[]> =>
      (await firstValueFrom(source.pipe(take(count), toArray()))).map(({ data }) => data);

    expect(await dataOf(topic.asObservable({ from: 'start' }), 3)).toEqual([1, 2, 3]);
    expect(await dataOf(topic.from({ last: 2 }).asObservable(), 2)).toEqual([2, 3]);
    expect(await dataOf(topic.asObservable({ from: id }), 1)).toEqual([3]);
    expect(await dataOf(topic.asObservable({ from: 'start', lastEventId: id }), 1)).toEqual([3]);
  });

  test('a topic that has ended gives its newest events, and then its end', async () => {
    await using log = await open();
    await using app = await start(log);
    await publish(app, 'topic', 1, 2);
    await app.streams.topic('topic').complete();
    await using stream = await readStream(app.nest, '/last/1?topic=topic');
    expect((await stream.end()).map(({ type, data }) => `${type} ${data}`)).toEqual([
      'message 2',
      expect.stringContaining('stream.end {"reason":"complete"'),
    ]);
    await publish(app, 'topic', 3);
    expect(await read(app, '/last/2?topic=topic', 'topic')).toEqual(['2', '3']);
  });

  test('the end of a topic is none of its newest events, also when it is far behind them', async () => {
    await using log = await open();
    await using app = await start(log);
    for (let n = 0; n < 300; n++) await publish(app, `topics/${n}`, n);
    await app.streams.topic('topics/299').complete();

    const seen = await read(app, '/last/1?topic=topics/*', 'topics/0');
    expect(seen).toEqual(Array.from({ length: 300 }, (_, n) => String(n)));
  });

  test('an id of a publisher is found before anything is given', async () => {
    await using log = await open();
    await using app = await start(log);
    await app.streams.publish('topic', { id: 'mine', data: 0 });
    let count = 0;
    let isOver = false;
    const storm = (async () => {
      while (!isOver) {
        await app.streams.publish('topic', { data: ++count });
        await turn();
      }
    })();
    try {
      for (let round = 0; round < 10; round++) {
        await using stream = await readStream(app.nest, '/place/mine?topic=topic');
        const seen = (await stream.take(count + 20)).map(({ data }) => Number(data));
        expect(seen).toEqual(seen.map((_, n) => n + 1));
      }
    } finally {
      isOver = true;
      await storm;
    }
  });

  test('newcomers in a storm get exactly the newest, and then everything', async () => {
    await using log = await open();
    await using app = await start(log);
    await using other = isShared ? await start(log) : undefined;
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = createRandom(seed);
    const counts = { started: 0, stored: 0 };
    let isOver = false;
    const storm = (async () => {
      while (!isOver) {
        const burst = Array.from({ length: random.int(1, 5) }, async () => {
          const data = ++counts.started;
          await (other ?? app).streams.publish('storm', { data });
        });
        const upTo = counts.started;
        await Promise.all(burst);
        counts.stored = upTo;
        // Without readers, a log in memory never waits.
        await turn();
        if (random.chance(0.2)) await app.streams.publish('other', { data: 'x' });
      }
    })();
    try {
      for (let round = 0; round < 150; round++) {
        const last = random.int(1, 6);
        const least = counts.stored;
        await using stream = await readStream(app.nest, `/last/${last}?topic=storm`);
        const most = counts.started;
        const seen = (await stream.take(last + 5)).map(({ data }) => Number(data));
        const message = `seed ${seed}, round ${round}: last ${last} between ${least} and ${most}`;
        const from = seen[0]!;
        expect([message, seen]).toEqual([message, seen.map((_, n) => from + n)]);
        expect([message, from >= Math.max(1, least - last + 1), from <= Math.max(1, most - last + 1)]).toEqual([
          message,
          true,
          true,
        ]);
      }
    } finally {
      isOver = true;
      await storm;
    }
  });
});
