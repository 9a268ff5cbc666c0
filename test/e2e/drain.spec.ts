import { describe, expect, test } from '@jest/globals';
import { Observable } from 'rxjs';
import { type Engine, type SseConnection, type SseModuleOptions, memoryEngine } from 'nestjs-event-stream';
import { type Adapter, type TestApp, adapters, startApp } from '../support/app.js';
import { type HandlerContext, TopicController, streamOf } from '../support/controllers.js';
import { GuardedController, as, byName } from '../support/people.js';
import { openRaw } from '../support/raw.js';
import type { Stream } from '../support/stream.js';
import { until } from '../support/until.js';

const END = '{"reason":"shutdown","reconnect":true}';
const CLIENTS = 200;

const startWith = (adapter: Adapter, options: SseModuleOptions = {}): Promise<TestApp> =>
  startApp(adapter, {
    controllers: [TopicController, GuardedController],
    options: { authenticate: byName, ...options },
  });

async function openMany(app: TestApp, count: number): Promise<Stream[]> {
  const streams = await Promise.all(Array.from({ length: count }, () => app.open('/topic')));
  await Promise.all(streams.map((stream) => stream.receive('id: ')));
  return streams;
}

/** How long the closing of an application takes, in ms. */
async function closeTimed(app: TestApp): Promise<number> {
  const startedAt = performance.now();
  await app.nest.close();
  return performance.now() - startedAt;
}

describe.each(adapters)('on $name', (adapter) => {
  test('200 streams are told to come back, each at its own time, and closing takes no longer than that', async () => {
    await using app = await startWith(adapter, { retryMs: 2_000 });
    const streams = await openMany(app, CLIENTS);
    await app.streams.publish('topic', { data: 'last' });

    const [closedMs, ...events] = await Promise.all([closeTimed(app), ...streams.map((stream) => stream.rest())]);
    const retries = streams.map((stream) => stream.retries.at(-1)!);

    expect(closedMs).toBeLessThan(3_000);
    for (const own of events) expect(own.map(({ data }) => data)).toEqual(['last', END]);
    for (const stream of streams)
      expect(stream.text).toMatch(/retry: \d+\nevent: stream\.end\ndata: \{.*\}\nid: \S+\n\n$/);
    expect(Math.min(...retries)).toBeGreaterThanOrEqual(1_000);
    expect(Math.max(...retries)).toBeLessThanOrEqual(3_000);
    expect(new Set(retries).size).toBeGreaterThan(CLIENTS / 2);
    expect(app.streams.connections.count).toBe(0);
  }, 15_000);

  test('the ends are spread over the window, in the order in which the streams were opened', async () => {
    await using app = await startWith(adapter, { drain: { windowMs: 1_000 } });
    const streams: Stream[] = [];
    for (let n = 0; n < CLIENTS; n++) {
      const stream = await app.open('/topic');
      await stream.receive('id: ');
      streams.push(stream);
    }
    const startedAt = performance.now();
    const endedAt: number[] = [];

    const ends = streams.map(async (stream, n) => {
      await stream.rest();
      endedAt[n] = performance.now() - startedAt;
    });
    const [closedMs] = await Promise.all([closeTimed(app), ...ends]);

    const perQuarter = [0, 250, 500, 750].map((from) => endedAt.filter((at) => at >= from && at < from + 250).length);
    expect(closedMs).toBeGreaterThan(900);
    expect(closedMs).toBeLessThan(3_000);
    for (const count of perQuarter) expect(count).toBeGreaterThan(CLIENTS / 20);
    expect(endedAt[0]).toBeLessThan(endedAt[CLIENTS - 1]!);
    const inOrder = endedAt.filter((at, n) => n === 0 || at >= endedAt[n - 1]! - 50);
    expect(inOrder).toHaveLength(CLIENTS);
  }, 20_000);

  test('whoever has not been ended yet hears what is published during the window', async () => {
    await using app = await startWith(adapter, { drain: { windowMs: 600 } });
    const streams = await openMany(app, 20);
    const closing = app.nest.close();
    await streams[0]!.rest();

    await app.streams.publish('topic', { data: 'during' });
    const heard = await Promise.all(streams.slice(1).map((stream) => stream.rest()));
    await closing;

    expect(heard.at(-1)?.map(({ data }) => data)).toEqual(['during', END]);
    for (const own of heard) expect(own.at(-1)?.data).toBe(END);
  });

  test('who comes during the window is told to come back, and no handler is called', async () => {
    await using app = await startWith(adapter, { drain: { windowMs: 800 }, retryMs: 1_000 });
    const streams = await openMany(app, 4);
    const closing = app.nest.close();
    await streams[0]!.rest();

    const newcomers = await Promise.all([
      app.open('/source', as('ann')),
      app.open('/read?topic=a', as('ann', 'aaaaaa.0.0')),
    ]);
    const bodies = await Promise.all(newcomers.map((newcomer) => newcomer.rest()));
    await closing;

    for (const newcomer of newcomers) {
      expect(newcomer.status).toBe(200);
      expect(newcomer.headers.get('content-type')).toMatch(/^text\/event-stream/);
      expect(newcomer.retries).toHaveLength(1);
      expect(newcomer.retries[0]).toBeGreaterThanOrEqual(1_000);
      expect(newcomer.retries[0]).toBeLessThanOrEqual(3_000);
    }
    expect(bodies.map((body) => body.map(({ data }) => data))).toEqual([[END], [END]]);
    expect(app.nest.get(GuardedController).calls).toBe(0);
    expect(app.streams.connections.refused).toEqual({ shutdown: 2 });
  });

  test('a newcomer during the window is not kept on its socket', async () => {
    await using app = await startWith(adapter, { drain: { windowMs: 800 } });
    const streams = await openMany(app, 4);
    const closing = app.nest.close();
    await streams[0]!.rest();
    await using client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x', 'Connection: keep-alive');

    await client.receive('stream.end');
    await client.closed();
    await closing;
  });

  test('what newcomers may not have is refused during the window as before it', async () => {
    await using app = await startWith(adapter, { drain: { windowMs: 800 } });
    const streams = await openMany(app, 4);
    await app.streams.revoke({ principalId: 'eve' });
    const closing = app.nest.close();
    await streams[0]!.rest();

    const statuses = [(await app.open('/source')).status, (await app.open('/source', as('eve'))).status];
    await closing;

    expect(statuses).toEqual([401, 403]);
  });

  test('a client that does not read is cut at the deadline, and app.close() returns', async () => {
    const flood = 'x'.repeat(32 * 1_048_576);
    const source = () => new Observable((observer) => observer.next(flood));
    await using app = await startApp(adapter, {
      controllers: [streamOf(source)],
      options: { drain: { deadlineMs: 300 } },
    });
    await using silent = await openRaw(app.port);
    silent.socket.pause();
    silent.socket.write('GET /stream HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => app.streams.connections.count === 1, 'the stream to open');

    const closedMs = await closeTimed(app);

    expect(closedMs).toBeGreaterThanOrEqual(290);
    expect(closedMs).toBeLessThan(1_500);
    expect(app.streams.connections.count).toBe(0);
  });

  test('those who read are gone long before the deadline of those who do not', async () => {
    const flood = 'x'.repeat(32 * 1_048_576);
    const source = () => new Observable((observer) => observer.next(flood));
    await using app = await startApp(adapter, {
      controllers: [streamOf(source), TopicController],
      options: { drain: { deadlineMs: 2_000 } },
    });
    await using silent = await openRaw(app.port);
    silent.socket.pause();
    silent.socket.write('GET /stream HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => app.streams.connections.count === 1, 'the stream to open');
    const streams = await openMany(app, 20);
    const startedAt = performance.now();

    const closing = closeTimed(app);
    await Promise.all(streams.map((stream) => stream.rest()));
    const readersMs = performance.now() - startedAt;
    const closedMs = await closing;

    expect(readersMs).toBeLessThan(1_000);
    expect(closedMs).toBeLessThan(3_000);
  });

  test('an open keep-alive connection, and one on which nothing was asked yet, do not hold app.close() up', async () => {
    await using app = await startWith(adapter);
    await using _silent = await openRaw(app.port);
    await using idle = await openRaw(app.port, 'GET /none HTTP/1.1', 'Host: x', 'Connection: keep-alive');
    await using half = await openRaw(app.port);
    half.socket.write('GET /topic HTTP/1.1\r\nHo');
    await idle.receive('404');

    expect(await closeTimed(app)).toBeLessThan(1_500);
  });

  test('a client that was ended resumes on another application of the same engine, and misses nothing', async () => {
    const engine = memoryEngine();
    // Each application would have a log of its own, and the first would close its.
    const shared: Engine = new Proxy(engine, {
      get: (target, name) => {
        if (name === 'open') return undefined;
        if (name === 'close') return async () => undefined;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const first = await startWith(adapter, { engine: shared });
    await using owned = first;
    const streams = await openMany(owned, 50);
    await owned.streams.publish('topic', { data: 'one' });
    const before = await Promise.all([owned.nest.close(), ...streams.map((stream) => stream.rest())]);
    await using second = await startWith(adapter, { engine: shared });
    await second.streams.publish('topic', { data: 'two' });

    const resumed = await Promise.all(
      streams.map((stream) => second.open('/topic', { headers: { 'last-event-id': String(stream.lastEventId) } })),
    );
    const after = await Promise.all(resumed.map((stream) => stream.next()));

    for (const own of before.slice(1)) expect(own?.map(({ data }) => data)).toEqual(['one', END]);
    for (const event of after) expect(event).toMatchObject({ data: 'two' });
  });

  test('app.close() during replays ends them in the middle, each at a place to resume from', async () => {
    await using app = await startWith(adapter, { history: { maxEvents: 5_000, maxBytes: Infinity } });
    const ids: string[] = [];
    for (let n = 0; n < 5_000; n++)
      ids.push((await app.streams.publish('topic', { data: `${n} ${'x'.repeat(2_000)}` })).id);
    const clients = await Promise.all(
      Array.from({ length: 10 }, () =>
        openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x', `Last-Event-ID: ${ids[0]!}`),
      ),
    );
    for (const client of clients) client.socket.pause();
    await until(() => app.streams.connections.count === 10, 'the replays to begin');

    const closing = closeTimed(app);
    for (const client of clients) client.socket.resume();
    const closedMs = await closing;
    await Promise.all(clients.map((client) => client.closed()));

    expect(closedMs).toBeLessThan(7_000);
    for (const { text } of clients) {
      const numbers = [...text.matchAll(/^data: (\d+) x/gm)].map(([, n]) => Number(n));
      expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, n) => n + 1));
      expect(text).toContain(END);
    }
  }, 20_000);

  test('app.close() in a storm of 200 connects returns, and leaves nobody without an answer or an end', async () => {
    await using app = await startWith(adapter, { drain: { windowMs: 200, deadlineMs: 1_000 } });
    await openMany(app, 10);
    const opening = Array.from({ length: CLIENTS }, async () => {
      const stream = await app.open('/topic');
      const events = await stream.rest();
      return { status: stream.status, last: events.at(-1)?.data, error: stream.error };
    });
    await until(() => app.streams.connections.count > 30, 'the storm to begin');
    const ofTheStorm = app.streams.connections.count - 10;

    const closedMs = await closeTimed(app);
    const settled = await Promise.allSettled(opening);

    expect(closedMs).toBeLessThan(2_500);
    expect(app.streams.connections.count).toBe(0);
    const answered = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(answered.length).toBeGreaterThanOrEqual(ofTheStorm);
    for (const one of answered) expect(one).toEqual({ status: 200, last: END, error: undefined });
  }, 15_000);

  test('a stream whose handler still runs when the app closes is told to come back, and its source is let go', async () => {
    let proceed: () => void = () => undefined;
    let isEntered = false;
    let wasCancelled = false;
    const handler = async (_: HandlerContext) => {
      isEntered = true;
      await new Promise<void>((resolve) => (proceed = resolve));
      return new ReadableStream({ cancel: () => void (wasCancelled = true) });
    };
    await using app = await startApp(adapter, { controllers: [streamOf(handler)] });
    const opening = app.open('/stream');
    await until(() => isEntered, 'the handler to be called');

    const closing = app.nest.close();
    await new Promise<void>((resolve) => setImmediate(resolve));
    proceed();
    const stream = await opening;
    const events = await stream.rest();
    await closing;

    expect(events.map(({ data }) => data)).toEqual([END]);
    await until(() => wasCancelled, 'the source to be told');
  });

  test('a handler that waits for its connection to end does not keep app.close() waiting', async () => {
    let isEntered = false;
    const handler = async ({ connection }: HandlerContext) => {
      isEntered = true;
      await new Promise((resolve) => connection.signal.addEventListener('abort', resolve));
      return [];
    };
    await using app = await startApp(adapter, {
      controllers: [streamOf(handler)],
      options: { drain: { deadlineMs: 500 } },
    });
    const opening = app.open('/stream').catch(() => undefined);
    await until(() => isEntered, 'the handler to be called');

    const closedMs = await Promise.race([
      closeTimed(app),
      new Promise<number>((resolve) => setTimeout(() => resolve(Infinity), 2_500).unref()),
    ]);
    if (closedMs === Infinity) (app.nest.getHttpServer() as { closeAllConnections(): void }).closeAllConnections();
    await opening;

    expect(closedMs).toBeLessThan(2_000);
  });

  test('a second app.close() during the window waits for the first, and nothing is told twice', async () => {
    await using app = await startWith(adapter, { drain: { windowMs: 200 } });
    const streams = await openMany(app, 10);

    const [events] = await Promise.all([
      Promise.all(streams.map((stream) => stream.rest())),
      app.nest.close(),
      app.nest.close(),
    ]);

    for (const own of events) expect(own.map(({ data }) => data)).toEqual([END]);
  });

  test('lifetimes end after 80 to 100 % of what was set, not all at once', async () => {
    // On the server's clock: opening 40 streams takes a busy machine a while. The upper bound is the timekeeper's own test.
    const openedAt = new Map<string, number>();
    const lived: number[] = [];
    const hooks = {
      onOpened: ({ id }: SseConnection) => void openedAt.set(id, performance.now()),
      onClosed: ({ id }: SseConnection) => void lived.push(performance.now() - openedAt.get(id)!),
    };
    await using app = await startWith(adapter, { maxLifetimeMs: 1_500, hooks });
    const streams = await openMany(app, 40);

    const ends = await Promise.all(streams.map(async (stream) => (await stream.rest()).at(-1)?.data));
    await until(() => lived.length === 40, 'all to be closed');

    for (const data of ends) expect(data).toBe('{"reason":"lifetime","reconnect":true}');
    // A busy machine tells of the opening late.
    expect(Math.min(...lived)).toBeGreaterThan(900);
    expect(Math.max(...lived) - Math.min(...lived)).toBeGreaterThan(100);
  });
});
