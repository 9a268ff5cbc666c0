import { Socket } from 'node:net';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { Observable, Subject, concat, map, of } from 'rxjs';
import { memoryEngine } from 'nestjs-event-stream';
import { adapters, alone, startApp, transports } from '../support/app.js';
import { type HandlerContext, TopicController, streamOf } from '../support/controllers.js';
import { openRaw } from '../support/raw.js';
import { until } from '../support/until.js';

/** The memory engine with answers that wait until they are let go. */
function heldEngine() {
  const engine = alone(memoryEngine());
  const waiting: (() => void)[] = [];
  const held = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return call(...args);
    };
  };
  return Object.assign(Object.create(engine) as typeof engine, {
    waiting,
    letGo: () => {
      for (const resolve of waiting.splice(0)) resolve();
    },
    start: engine.start.bind(engine),
    append: engine.append.bind(engine),
    locate: engine.locate.bind(engine),
    heads: engine.heads.bind(engine),
    health: engine.health.bind(engine),
    list: engine.list.bind(engine),
    unsubscribe: engine.unsubscribe.bind(engine),
    close: engine.close.bind(engine),
    subscribe: held(engine.subscribe.bind(engine)),
    read: held(engine.read.bind(engine)),
  });
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe.each(adapters)('on $name', (adapter) => {
  test.each([
    [15_000, []],
    [30_000, []],
    [30_001, [[true, 30_000]]],
    [false, [[true, 30_000]]],
  ] as const)('with heartbeatMs %p the kernel is asked to look after the client: %j', async (heartbeatMs, expected) => {
    await using app = await startApp(adapter, { controllers: [TopicController], options: { heartbeatMs } });
    const setKeepAlive = jest.spyOn(Socket.prototype, 'setKeepAlive');
    await using client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x');
    await client.receive('id: ');

    expect(setKeepAlive.mock.calls).toEqual(expected);
  });

  test('a client that leaves between subscribing and the first write leaves nothing behind', async () => {
    const engine = heldEngine();
    await using app = await startApp(adapter, { controllers: [TopicController], options: { engine } });
    const client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x');
    await until(() => engine.waiting.length > 0, 'the subscription');

    client.socket.resetAndDestroy();
    await until(() => app.streams.connections.count === 0, 'the connection to be freed');
    engine.letGo();
    await app.streams.publish('topic', { data: 'to nobody' });

    expect(app.streams.connections.count).toBe(0);
  });

  test('an event that is published while the engine subscribes is not lost', async () => {
    const engine = heldEngine();
    await using app = await startApp(adapter, { controllers: [TopicController], options: { engine } });
    const { id } = await app.streams.publish('topic', { data: 'seen' });
    const stream = await app.open('/topic', { headers: { 'last-event-id': id } });
    await until(() => engine.waiting.length > 0, 'the subscription');

    await app.streams.publish('topic', { data: 'during' });
    engine.letGo();
    await until(() => engine.waiting.length > 0, 'the read');
    await app.streams.publish('topic', { data: 'during the read' });
    engine.letGo();

    expect((await stream.take(2)).map(({ data }) => data)).toEqual(['during', 'during the read']);
  });

  test('a client that leaves during its replay ends the reading', async () => {
    const engine = heldEngine();
    await using app = await startApp(adapter, { controllers: [TopicController], options: { engine } });
    const { id } = await app.streams.publish('topic', { data: 'seen' });
    for (let n = 0; n < 900; n++) await app.streams.publish('topic', { data: n });
    const stream = await app.open('/topic', { headers: { 'last-event-id': id } });
    await until(() => engine.waiting.length > 0, 'the subscription');
    engine.letGo();
    await until(() => engine.waiting.length > 0, 'the first page');
    engine.letGo();
    await stream.next();

    stream.leave();
    await until(() => app.streams.connections.count === 0, 'the connection to be freed');
    engine.letGo();
    await new Promise<void>((resolve) => setImmediate(resolve));

    expect(engine.waiting).toHaveLength(0);
  });

  test('the application closes during a replay', async () => {
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { history: { maxEvents: 10_000, maxBytes: Infinity }, drain: { deadlineMs: 300 } },
    });
    const padding = 'x'.repeat(2_000);
    const { id } = await app.streams.publish('topic', { data: 'seen' });
    for (let n = 0; n < 8_000; n++) await app.streams.publish('topic', { data: padding });
    await using client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x', `Last-Event-ID: ${id}`);
    await client.receive('data: x');
    client.socket.pause();
    const startedAt = performance.now();

    await app.nest.close();

    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(app.streams.connections.count).toBe(0);
  });

  test('clients that open and leave at once, many at a time, leave nothing behind', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });

    for (let round = 0; round < 5; round++) {
      const clients = await Promise.all(
        Array.from({ length: 40 }, () => openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x')),
      );
      await app.streams.publish('topic', { data: round });
      for (const { socket } of clients) socket.resetAndDestroy();
    }
    await using last = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x');
    await last.receive('id: ');

    await until(() => app.streams.connections.count === 1, 'all but the last to be freed');
  });
});

describe.each(transports)('on $name', (adapter) => {
  test('publishing from inside a callback of a subscriber neither loops nor reorders', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const stream = await app.open('/topic');
    await stream.receive('id: ');
    const topic = app.streams.topic<string>('topic');
    const subscription = topic.asObservable().subscribe(({ data }) => {
      if (data.length < 5) topic.next(`${data}+`);
    });

    await topic.publish({ data: 'a' });
    const events = await stream.take(5);
    subscription.unsubscribe();

    expect(events.map(({ data }) => data)).toEqual(['a', 'a+', 'a++', 'a+++', 'a++++']);
  });

  test('publishing from inside the filter and map of a stream is safe', async () => {
    const handler = ({ streams }: HandlerContext) =>
      streams.topic<number>('topic').map(({ data }) => {
        if (data < 3) streams.topic('topic').next(data + 1);
        return data;
      });
    await using app = await startApp(adapter, { controllers: [streamOf(handler)] });
    const stream = await app.open('/stream');
    await stream.receive('id: ');

    await app.streams.publish('topic', { data: 0 });

    expect((await stream.take(4)).map(({ data }) => data)).toEqual(['0', '1', '2', '3']);
  });

  test('a subscriber inside the process that throws ends for itself only', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const stream = await app.open('/topic');
    await stream.receive('id: ');
    const errors: unknown[] = [];
    app.streams
      .topic('topic')
      .asObservable()
      .pipe(map(() => fail()))
      .subscribe({ error: (error) => errors.push(error) });

    for (const data of ['a', 'b']) await app.streams.publish('topic', { data });

    expect((await stream.take(2)).map(({ data }) => data)).toEqual(['a', 'b']);
    await until(() => errors.length === 1, 'the error');
  });

  test('a serialiser that throws after the head ends that stream only, before it anything is refused', async () => {
    const bad = { data: { toJSON: () => fail() } };
    const handler = ({ streams }: HandlerContext) =>
      concat(of('first'), streams.topic('topic').asObservable(), of(bad));
    await using app = await startApp(adapter, { controllers: [streamOf(handler), TopicController] });
    const [stream, other] = [await app.open('/stream'), await app.open('/topic')];
    await Promise.all([stream.next(), other.receive('id: ')]);

    await expect(app.streams.publish('topic', bad)).rejects.toMatchObject({ code: 'invalid-event' });
    await app.streams.publish('topic', { data: 'fine' });
    void app.streams.topic('topic').complete();

    expect((await stream.rest()).map(({ type, data }) => type ?? data)).toEqual(['fine', 'stream.error']);
    expect((await other.rest()).map(({ type, data }) => type ?? data)).toEqual(['fine', 'stream.end']);
  });

  test('a peer that does not read does not keep the application from closing', async () => {
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { drain: { deadlineMs: 200 }, history: { maxBytes: Infinity } },
    });
    const silent = await app.open('/topic');
    await silent.receive('id: ');
    for (let n = 0; n < 500; n++) await app.streams.publish('topic', { data: 'x'.repeat(20_000) });
    const startedAt = performance.now();

    await app.nest.close();

    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test('a stream that is opened while the application shuts down is told to come back', async () => {
    const entered = new Subject<void>();
    let proceed: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (proceed = resolve));
    const handler = async () => {
      entered.next();
      await released;
      return new Observable(() => undefined);
    };
    await using app = await startApp(adapter, { controllers: [streamOf(handler)] });
    const isEntered = new Promise<void>((resolve) => entered.subscribe(resolve));
    const opening = app.open('/stream');
    await isEntered;

    const closing = app.nest.close();
    proceed();
    const stream = await opening;

    expect((await stream.rest()).map(({ data }) => data)).toEqual(['{"reason":"shutdown","reconnect":true}']);
    await closing;
  });
});

function fail(): never {
  throw new Error('password=hunter2');
}
