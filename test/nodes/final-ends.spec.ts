import { Controller, Get, Query } from '@nestjs/common';
import { describe, expect, jest, test } from '@jest/globals';
import {
  Connection,
  EventStreamService,
  type SseConnection,
  SseStream,
  defineTopic,
  memoryEngine,
} from 'nestjs-event-stream';
import { lastValueFrom, toArray } from 'rxjs';
import { readStream } from '../../src/testing/index.js';
import { createRandom } from '../faults/support/random.mjs';
import { SharedLog, ShakyEngine } from '../faults/support/shaky-engine.js';
import { type TestApp, adapters, alone, startApp } from '../support/app.js';
import { engineKinds } from '../support/engines.js';

jest.setTimeout(60_000);

const prices = defineTopic('prices/:symbol', { begin: { last: 1 } });

let connection: SseConnection;

@Controller()
class EndsController {
  constructor(private readonly streams: EventStreamService) {}

  @Get('watched')
  @SseStream()
  watched(@Query('topic') topic: string, @Connection() opened: SseConnection) {
    connection = opened;
    return this.streams.topic(topic);
  }

  @Get('mine')
  @SseStream({ from: 'mine' })
  mine(@Query('topic') topic: string) {
    return this.streams.topic(topic);
  }

  @Get('plain')
  @SseStream()
  plain(@Query('topic') topic: string) {
    return this.streams.topics(...topic.split(','));
  }

  @Get('last')
  @SseStream({ from: { last: 1 } })
  last(@Query('topic') topic: string) {
    return this.streams.topic(topic);
  }

  @Get('now')
  @SseStream()
  now(@Query('topic') topic: string) {
    return this.streams.topic(topic).from('now');
  }
}

type Log = Awaited<ReturnType<(typeof engineKinds)[number]['open']>>;

const start = (log: Log, history?: false): Promise<TestApp> =>
  startApp(adapters[0]!, {
    controllers: [EndsController],
    options: { engine: log.engine(), history, topics: [prices] },
  });

/** All that someone gets who comes now, whose stream has to end. */
async function read(app: TestApp, path: string, lastEventId?: string): Promise<string[]> {
  await using stream = await readStream(app.nest, path, { lastEventId });
  const events = await stream.end();
  return events.map(({ type, data }) => (type === 'message' ? data : `${type} ${JSON.parse(data).reason}`));
}

describe.each(engineKinds)('with $name', ({ isShared, open }) => {
  test('whoever comes later gets what there is, and the end, also on another node and after a restart', async () => {
    await using log = await open();
    await using app = await start(log);
    await using other = isShared ? await start(log) : undefined;
    const { id } = await app.streams.publish('topic', { data: 1 });
    await app.streams.publish('topic', { data: 2 });
    await app.streams.topic('topic').complete({ final: true });

    for (const each of other === undefined ? [app] : [app, other, await start(log)]) {
      expect(await read(each, '/plain?topic=topic')).toEqual(['1', '2', 'stream.end complete']);
      expect(await read(each, '/last?topic=topic')).toEqual(['2', 'stream.end complete']);
      expect(await read(each, '/now?topic=topic')).toEqual(['stream.end complete']);
      expect(await read(each, '/plain?topic=topic', id)).toEqual(['2', 'stream.end complete']);
      const at = await each.streams.position();
      expect(await read(each, '/plain?topic=topic', at)).toEqual(['stream.end complete']);
      const observed = each.streams.topic('topic').asObservable().pipe(toArray());
      expect((await lastValueFrom(observed)).map(({ data }) => data)).toEqual([1, 2]);
      if (each !== app && each !== other) await each[Symbol.asyncDispose]();
    }
  });

  test('it is the end of one topic of several', async () => {
    await using log = await open();
    await using app = await start(log);
    await app.streams.publish('a', { data: 'a' });
    await app.streams.publish('b', { data: 'before' });
    await app.streams.topic('a').complete({ final: true });
    await using stream = await readStream(app.nest, '/plain?topic=a,b');
    await app.streams.publish('b', { data: 'b' });
    expect((await stream.take(2)).map(({ data }) => data)).toEqual(['a', 'b']);
    await app.streams.topic('b').complete();
    expect((await stream.end()).map(({ type }) => type)).toEqual(['stream.end']);
  });

  test('there is all of it beside topics whose definitions say where they begin, and nothing of what a pattern brings in', async () => {
    await using log = await open();
    await using app = await start(log);
    for (const data of [1, 2]) await app.streams.publish('prices/a', { data });
    for (const topic of ['job', 'others/job']) {
      for (const data of [3, 4]) await app.streams.publish(topic, { data });
      await app.streams.topic(topic).complete({ final: true });
    }
    for (const [path, seen] of [
      ['/plain?topic=prices/a,job,others/*', [2, 3, 4]],
      ['/plain?topic=job,others/*', [3, 4]],
    ] as const) {
      await using stream = await readStream(app.nest, path);
      await app.streams.publish('others/end', { data: 'end' });
      const events = await stream.until(({ data }) => data === 'end');
      expect(events.map(({ data }) => data)).toEqual([...seen.map(String), 'end']);
    }
  });

  test('whoever begins behind an event with an id of its publisher gets what came after it, and the end', async () => {
    await using log = await open();
    await using app = await start(log);
    await app.streams.publish('topic', { data: 1 });
    await app.streams.publish('topic', { id: 'mine', data: 2 });
    await app.streams.publish('topic', { data: 3 });
    await app.streams.topic('topic').complete({ final: true });
    expect(await read(app, '/mine?topic=topic')).toEqual(['3', 'stream.end complete']);
  });

  test('a topic that is subscribed to after its end ends at once, also when somebody has just read it', async () => {
    await using log = await open();
    await using app = await start(log);
    await app.streams.publish('topic', { data: 1 });
    await app.streams.topic('topic').complete({ final: true });
    await read(app, '/plain?topic=topic');
    await app.streams.publish('other', { data: 2 });
    await using stream = await readStream(app.nest, '/watched?topic=other');
    await app.streams.publish('other', { data: 3 });
    await connection.subscribe('topic');
    await app.streams.topic('other').complete();
    expect((await stream.end()).map(({ data }) => data)).toEqual(['3', expect.stringContaining('complete')]);
  });

  test('without history there is only the end', async () => {
    await using log = await open();
    await using app = await start(log, false);
    await app.streams.publish('topic', { data: 1 });
    await app.streams.topic('topic').complete({ final: true });
    expect(await read(app, '/plain?topic=topic')).toEqual(['stream.end complete']);
  });

  test('publishing to it is refused, also at the same moment, and by other nodes', async () => {
    await using log = await open();
    await using app = await start(log);
    await using other = isShared ? await start(log) : undefined;
    await using stream = other && (await readStream(other.nest, '/plain?topic=something'));
    const topic = app.streams.topic('topic');
    await topic.publish({ data: 1 });
    const ending = [topic.complete({ final: true }), topic.complete({ final: true })];
    await expect(topic.publish({ data: 2 })).rejects.toMatchObject({ code: 'topic-ended' });
    await Promise.all(ending);
    await topic.complete({ final: true });
    await expect(topic.publish({ data: 3 })).rejects.toMatchObject({ code: 'topic-ended' });
    await expect(topic.complete()).rejects.toMatchObject({ code: 'topic-ended' });
    await expect(topic.error(new Error('x'))).rejects.toMatchObject({ code: 'topic-ended' });
    const refused = (): Promise<unknown> =>
      (other ?? app).streams.publish('topic', { data: 4 }).then(
        () => undefined,
        ({ code }) => code,
      );
    let code: unknown;
    while (code === undefined) code = await refused();
    expect(code).toBe('topic-ended');
    expect(stream?.events ?? []).toEqual([]);
  });

  test('a plain end is none for who comes later', async () => {
    await using log = await open();
    await using app = await start(log);
    await app.streams.topic('topic').complete();
    await using stream = await readStream(app.nest, '/plain?topic=topic');
    await app.streams.publish('topic', { data: 1 });
    expect((await stream.next())?.data).toBe('1');
  });

  test('whoever comes while it ends is told, whenever that is', async () => {
    await using log = await open();
    await using app = await start(log);
    await using other = isShared ? await start(log) : undefined;
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = createRandom(seed);
    for (let round = 0; round < 40; round++) {
      const topic = `topic-${round}`;
      for (let n = 1; n <= 3; n++) await app.streams.publish(topic, { data: n });
      const readers: Promise<string[]>[] = [];
      const ending = app.streams.topic(topic).complete({ final: true });
      for (let n = random.int(1, 4); n > 0; n--) {
        for (let turns = random.int(0, 4); turns > 0; turns--) await new Promise(setImmediate);
        readers.push(read(random.chance(0.5) ? app : (other ?? app), `/plain?topic=${topic}`));
      }
      await ending;
      for (const seen of await Promise.all(readers)) {
        const message = `seed ${seed}, round ${round}`;
        // Who came before the end had begun has what came since: nothing.
        const isWhole = seen.length === 4 && seen.join() === '1,2,3,stream.end complete';
        expect([message, isWhole || seen.join() === 'stream.end complete', seen]).toEqual([message, true, seen]);
      }
    }
  });
});

test('whoever comes after the end and before its mark gets what there is, and the end', async () => {
  const engine = alone(memoryEngine());
  const append = engine.append.bind(engine);
  let release!: () => void;
  const released = new Promise<void>((resolve) => (release = resolve));
  let isEnded!: () => void;
  const ended = new Promise<void>((resolve) => (isEnded = resolve));
  engine.append = async (request) => {
    if (request.topic.startsWith('/end/')) {
      isEnded();
      await released;
    }
    return append(request);
  };
  await using app = await startApp(adapters[0]!, { controllers: [EndsController], options: { engine } });
  for (const data of [1, 2]) await app.streams.publish('topic', { data });
  const ending = app.streams.topic('topic').complete({ final: true });
  await ended;
  await using stream = await readStream(app.nest, '/plain?topic=topic');
  const waiting = stream.end();
  release();
  await ending;
  expect((await waiting).map(({ data }) => data)).toEqual(['1', '2', expect.stringContaining('complete')]);
});

test('a node that has not been told finds the mark', async () => {
  const log = new SharedLog();
  const engine = new ShakyEngine(log, createRandom(1));
  const append = engine.append.bind(engine);
  // As after 10,000 further ends, or a day.
  engine.append = (request) => append({ ...request, topic: request.topic === '/ends' ? 'elsewhere' : request.topic });
  await using app = await startApp(adapters[0]!, { controllers: [EndsController], options: { engine } });
  await app.streams.publish('topic', { data: 1 });
  await app.streams.topic('topic').complete({ final: true });
  const options = { engine: new ShakyEngine(log, createRandom(1)) };
  await using other = await startApp(adapters[0]!, { controllers: [EndsController], options });
  expect(await read(other, '/plain?topic=topic')).toEqual(['1', 'stream.end complete']);
});

test('the end of a topic that is read stays known, however many have ended since', async () => {
  await using app = await startApp(adapters[0]!, { controllers: [EndsController] });
  await app.streams.publish('topic', { data: 1 });
  await app.streams.topic('topic').complete({ final: true });
  await using first = await readStream(app.nest, '/plain?topic=topic,other');
  await first.take(1);
  for (let n = 0; n <= 10_000; n++) await app.streams.topic(`ended/${n}`).complete({ final: true });
  await using second = await readStream(app.nest, '/plain?topic=topic,other');
  await app.streams.publish('other', { data: 2 });
  expect((await second.take(2)).map(({ data }) => data)).toEqual(['1', '2']);
});

test.each([{ final: 1 }, { finally: true }])('complete() refuses %j', async (options) => {
  await using app = await startApp(adapters[0]!, {});
  expect(() => app.streams.topic('topic').complete(options as never)).toThrow(
    expect.objectContaining({ code: 'invalid-options', message: expect.stringContaining('{ final }') }),
  );
});
