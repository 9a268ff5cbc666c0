import { describe, expect, test } from '@jest/globals';
import { ConflictException, Controller, RequestMethod, UseGuards } from '@nestjs/common';
import { NEVER, Observable, Subject, map, of, throwError, timeout } from 'rxjs';
import {
  EventStreamService,
  type SseConnection,
  SseStream,
  type SseStreamOptions,
  StreamGuard,
} from 'nestjs-event-stream';
import { type Adapter, type AppOptions, type TestApp, adapters, startApp, transports } from '../support/app.js';
import { type HandlerContext, streamOf } from '../support/controllers.js';
import { as, byName, byToken } from '../support/people.js';
import { openRaw } from '../support/raw.js';
import { until } from '../support/until.js';

const LONG = 60_000;
const SECRET = 'sk-secret at 10.0.0.7';
const upstream = (fields: object): Error => Object.assign(new Error(SECRET), fields);

/** What the handler is waited for with. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

function startWith(
  adapter: Adapter,
  handler: (context: HandlerContext) => unknown,
  options: SseStreamOptions = {},
  given: AppOptions = {},
): Promise<TestApp> {
  const controllers = [streamOf(handler, { commit: { waitMs: LONG }, ...options }), ...(given.controllers ?? [])];
  return startApp(adapter, { ...given, controllers });
}

async function* failing(error: Error): AsyncGenerator<unknown> {
  yield await Promise.reject(error);
}

const failures: readonly [how: string, handler: (error: Error) => unknown][] = [
  ['a generator', failing],
  ['an Observable', (error) => throwError(() => error)],
  ['a ReadableStream', (error) => new ReadableStream({ pull: (controller) => controller.error(error) })],
  ['a value that is a promise', (error) => [Promise.reject(error)]],
  ['a handler that rejects', (error) => Promise.reject(error)],
  [
    'a source that throws as it begins',
    (error) => ({
      [Symbol.asyncIterator]: () => {
        throw error;
      },
    }),
  ],
];

describe.each(transports)('on $name', (adapter) => {
  test.each(failures)('what %s fails with before the first event has its status', async (_, handler) => {
    const thrown = [
      new ConflictException('busy'),
      upstream({ status: 429, headers: { 'Retry-After': '7' } }),
      upstream({ statusCode: 503, headers: new Headers({ 'retry-after': '9' }) }),
      upstream({}),
    ];
    await using app = await startWith(adapter, () => handler(thrown.shift() as Error));

    const answers = [];
    for (let n = 0; n < 4; n++) {
      const answer = await app.open('/stream');
      answers.push([answer.status, answer.headers.get('retry-after'), JSON.parse(await answer.body())]);
    }

    expect(answers).toEqual([
      [409, null, expect.objectContaining({ message: 'busy' })],
      [429, '7', { statusCode: 429, message: 'Too Many Requests' }],
      [503, '9', { statusCode: 503, message: 'Service Unavailable' }],
      [500, null, { statusCode: 500, message: 'Internal server error' }],
    ]);
    expect(JSON.stringify(answers)).not.toContain('secret');
    await until(() => app.streams.connections.count === 0, 'the requests to be freed');
  });

  test('the head waits for the first event, and everything comes once and in order', async () => {
    const source = new Subject<string>();
    let isSubscribed = false;
    await using app = await startWith(adapter, ({ connection }) => {
      connection.send({ data: 'early' });
      return new Observable((observer) => {
        isSubscribed = true;
        return source.subscribe(observer);
      });
    });
    let hasHead = false;
    const opening = app.open('/stream').then((stream) => ((hasHead = true), stream));
    await until(() => isSubscribed, 'the source to begin');
    await app.open('/none');
    expect(hasHead).toBe(false);

    for (const value of ['a', 'b', 'c']) source.next(value);
    const stream = await opening;
    for (const value of ['d', 'e']) source.next(value);
    source.complete();

    expect((await stream.rest()).map(({ data }) => data).slice(0, -1)).toEqual(['early', 'a', 'b', 'c', 'd', 'e']);
    expect(stream.text.startsWith('retry: ')).toBe(true);
  });

  test('after the wait the stream opens, its heartbeats begin, and a failure is in the stream', async () => {
    const { opened: failed, open: fail } = gate();
    const handler = async function* () {
      await failed;
      yield await Promise.reject(upstream({ status: 429 }));
    };
    await using app = await startWith(adapter, handler, { commit: { waitMs: 30 }, heartbeatMs: 30 });

    const stream = await app.open('/stream');
    await stream.receive(/\n:\n/);
    fail();

    expect(stream.status).toBe(200);
    expect(await stream.rest()).toMatchObject([{ type: 'stream.error' }]);
    expect(stream.text).not.toContain('secret');
  });

  test('a source that fails in the turn of its first event has a stream with that event, which fails', async () => {
    const source = new Observable((observer) => {
      observer.next('a');
      observer.error(upstream({ status: 429 }));
    });
    await using app = await startWith(adapter, () => source);

    const stream = await app.open('/stream');

    expect(stream.status).toBe(200);
    expect(await stream.rest()).toMatchObject([{ data: 'a' }, { type: 'stream.error' }]);
  });

  test.each([
    ['an iterable', []],
    ['an Observable', of()],
  ])('%s that ends without an event is a stream that ends', async (_, source) => {
    await using app = await startWith(adapter, () => source);

    const stream = await app.open('/stream');

    expect([stream.status, await stream.rest()]).toMatchObject([200, [{ type: 'stream.end' }]]);
  });

  test('a client that leaves before the handler has returned, or while the first event is awaited, cancels its source at once', async () => {
    const handled = gate();
    let aborted = 0;
    let cancelled = 0;
    let asked = 0;
    await using app = await startWith(adapter, async ({ connection }) => {
      connection.signal.addEventListener('abort', () => aborted++);
      if (asked++ === 0) await handled.opened;
      return new ReadableStream({ cancel: () => void cancelled++ });
    });
    const request = ['GET /stream HTTP/1.1', 'Host: localhost'];
    if (adapter.isHttp2) {
      const leaving = new AbortController();
      const early = app.open('/stream', { signal: leaving.signal }).catch(() => undefined);
      await until(() => asked === 1, 'the handler');
      leaving.abort();
      await early;
    } else {
      await using early = await openRaw(app.port, ...request);
      await until(() => asked === 1, 'the handler');
      early.socket.destroy();
    }
    await until(() => aborted === 1, 'the first signal');
    handled.open();
    await until(() => cancelled === 1, 'the first source to be cancelled');

    const leaving = new AbortController();
    const late = app.open('/stream', { signal: leaving.signal }).catch(() => undefined);
    await until(() => app.streams.connections.count === 1, 'the wait');
    leaving.abort();
    await late;

    await until(() => cancelled === 2 && aborted === 2, 'the second source to be cancelled');
    await until(() => app.streams.connections.count === 0, 'the requests to be freed');
  });

  test('a client that leaves as the first event comes leaves nothing behind', async () => {
    let emit = (): void => undefined;
    let isOver = false;
    let signal: AbortSignal | undefined;
    await using app = await startWith(adapter, ({ connection }) => {
      signal = connection.signal;
      return new Observable((observer) => {
        emit = () => observer.next('a');
        return () => (isOver = true);
      });
    });
    const leaving = new AbortController();
    const opening = app.open('/stream', { signal: leaving.signal }).then(
      (stream) => stream.leave(),
      () => undefined,
    );
    await until(() => signal !== undefined && app.streams.connections.count === 1, 'the wait');

    emit();
    leaving.abort();
    await opening;

    await until(() => isOver && signal?.aborted === true, 'the source to be left');
    await until(() => app.streams.connections.count === 0, 'the request to be freed');
  });

  test('closing the application ends the wait, and the client is told to come back', async () => {
    let isCancelled = false;
    const source = new ReadableStream({ cancel: () => void (isCancelled = true) });
    await using app = await startWith(adapter, () => source);
    const opening = app.open('/stream');
    await until(() => app.streams.connections.count === 1, 'the wait');

    const closing = app.nest.close();
    const stream = await opening;

    expect((await stream.rest()).map(({ data }) => data)).toEqual(['{"reason":"shutdown","reconnect":true}']);
    await closing;
    expect(isCancelled).toBe(true);
  });

  test('HEAD does not wait, and nothing is begun', async () => {
    let asked = 0;
    const source = { [Symbol.asyncIterator]: () => ({ next: () => (asked++, new Promise<never>(() => undefined)) }) };
    await using app = await startWith(adapter, () => source);

    expect((await app.open('/stream', { method: 'HEAD' })).status).toBe(200);
    expect(asked).toBe(0);
  });
});

describe.each(adapters)('on $name', (adapter) => {
  test('a source is not read ahead beyond its first value', async () => {
    let given = 0;
    let hasHead = false;
    const atHead: number[] = [];
    const handler = function* () {
      for (; given < 3; given++) {
        if (hasHead) atHead.push(given);
        yield given;
      }
    };
    await using app = await startWith(
      adapter,
      handler,
      {},
      {
        configure: (nest) => {
          const write = (raw: { writeHead: (...args: never[]) => unknown }): void => {
            const { writeHead } = raw;
            raw.writeHead = (...args) => {
              hasHead = true;
              atHead.push(given);
              return writeHead.apply(raw, args);
            };
          };
          nest.use((_: unknown, response: { writeHead: () => unknown }, next: () => void) => (write(response), next()));
        },
      },
    );

    const events = await (await app.open('/stream')).rest();

    expect(events.map(({ data }) => data).slice(0, 3)).toEqual(['0', '1', '2']);
    expect(atHead[0]).toBe(0);
  });

  test('what a foreign wire says of it is in that wire, and the head has its status', async () => {
    const wire = {
      name: 'own',
      encode: ({ data }: { data: unknown }) => ({ data: { own: data } }),
      end: () => [{ data: 'DONE' }],
      error: () => [{ data: 'ERROR' }],
    };
    const sources: unknown[] = [failing(upstream({ status: 402 })), ['a'], of('a', undefined)];
    await using app = await startWith(adapter, () => sources.shift(), { wire });

    expect((await app.open('/stream')).status).toBe(402);
    for (const last of ['DONE', 'ERROR']) {
      const events = await (await app.open('/stream')).rest();
      expect(events.map(({ data }) => data)).toEqual(['{"own":"a"}', last]);
    }
  });

  test('a wire that cannot encode the first event is answered 500', async () => {
    const encode = (): never => {
      throw new Error(SECRET);
    };
    await using app = await startWith(adapter, () => ['a'], { wire: { name: 'own', encode } });

    const answer = await app.open('/stream');

    expect([answer.status, await answer.body()]).toEqual([500, expect.not.stringContaining('secret')]);
  });

  test('a timeout of an interceptor ends the wait and cancels the source', async () => {
    let isCancelled = false;
    const source = new ReadableStream({ cancel: () => void (isCancelled = true) });
    await using app = await startWith(
      adapter,
      () => source,
      {},
      {
        configure: (nest) =>
          nest.useGlobalInterceptors({
            intercept: (_, next) =>
              next.handle().pipe(timeout({ first: 50, with: () => throwError(() => new ConflictException('late')) })),
          }),
      },
    );

    expect((await app.open('/stream')).status).toBe(409);
    await until(() => isCancelled, 'the source to be cancelled');
    expect(app.streams.connections.count).toBe(0);
  });

  test('an envelope of an interceptor touches neither the stream nor its status', async () => {
    const sources: unknown[] = [['a'], failing(upstream({ status: 429 }))];
    await using app = await startWith(
      adapter,
      () => sources.shift(),
      {},
      {
        configure: (nest) =>
          nest.useGlobalInterceptors({
            intercept: (_, next) => next.handle().pipe(map((value: unknown) => ({ wrapped: value }))),
          }),
      },
    );

    expect(await (await app.open('/stream')).next()).toEqual({ data: 'a' });
    expect((await app.open('/stream')).status).toBe(429);
  });

  test.each<[how: string, end: (app: TestApp) => unknown, reason: string]>([
    ['the service', (app) => app.streams.connections.close({ principalId: 'ann' }), 'closed'],
    ['a revocation', (app) => app.streams.revoke({ principalId: 'ann' }), 'revoked'],
  ])('%s ends a stream whose head waits', async (_, end, reason) => {
    await using app = await startGuarded(adapter);
    const opening = app.open('/wait', as('ann'));
    await until(() => app.streams.connections.count === 1, 'the wait');

    await end(app);

    expect((await (await opening).rest()).map(({ data }) => data)).toEqual([expect.stringContaining(`"${reason}"`)]);
  });

  test('a principal whose time is over while the head waits is told so', async () => {
    const tokens = new Map([['short', { id: 'ann', expiresAt: Date.now() + 300 }]]);
    await using app = await startGuarded(adapter, byToken(tokens));

    const stream = await app.open('/wait', as('short'));

    expect((await stream.rest()).map(({ data }) => data)).toEqual([expect.stringContaining('"expired"')]);
  });

  test('the connection of a handler ends its stream while the head waits', async () => {
    let connection: SseConnection | undefined;
    await using app = await startWith(adapter, (context) => ((connection = context.connection), NEVER));
    const opening = app.open('/stream');
    await until(() => app.streams.connections.count === 1, 'the wait');

    connection?.send({ data: 'last' });
    connection?.close({ reason: 'complete' });

    expect((await (await opening).rest()).map(({ data }) => data)).toEqual([
      'last',
      expect.stringContaining('complete'),
    ]);
  });

  test('what comes at once and does not fit fails the stream', async () => {
    const values = Array.from({ length: 200 }, (_, n) => `${n} ${'x'.repeat(100)}`);
    await using app = await startWith(adapter, () => of(...values), { maxPendingBytes: 1_024 });

    const events = await (await app.open('/stream')).rest();

    expect(events.at(-1)).toMatchObject({ type: 'stream.error', data: expect.stringContaining('too-large') });
    expect(events.slice(0, -1).map(({ data }) => data)).toEqual(values.slice(0, events.length - 1));
  });

  test('a POST that asks a model answers with what the model has answered', async () => {
    const options = { method: RequestMethod.POST };
    await using app = await startWith(adapter, () => failing(upstream({ status: 401 })), options);

    expect((await app.open('/stream', { method: 'POST' })).status).toBe(401);
  });

  test('without it a source that fails at once has a stream, and the error of a handler is not looked at', async () => {
    const handlers = [() => failing(upstream({ status: 429 })), () => Promise.reject(upstream({ status: 429 }))];
    await using app = await startApp(adapter, { controllers: [streamOf(() => handlers.shift()?.())] });

    expect((await app.open('/stream')).status).toBe(200);
    expect((await app.open('/stream')).status).toBe(500);
  });
});

@Controller()
class TopicsController {
  constructor(private readonly streams: EventStreamService) {}

  @SseStream('from-now', { commit: { waitMs: LONG } })
  fromNow() {
    return this.streams.topic('a');
  }

  @SseStream('from-start', { commit: { waitMs: LONG }, from: 'start' })
  fromStart() {
    return this.streams.topic('a').filter(({ data }) => data !== 'left out');
  }
}

describe.each(adapters)('topics on $name', (adapter) => {
  const dataOf = (events: readonly { data: string }[]): string[] => events.map(({ data }) => data);

  test('are waited for, and nothing of them is lost or comes twice', async () => {
    await using app = await startApp(adapter, { controllers: [TopicsController] });
    const opening = app.open('/from-now');
    await until(() => app.streams.connections.count === 1, 'the wait');

    for (const data of ['1', '2']) await app.streams.publish('a', { data });
    const stream = await opening;
    await app.streams.publish('a', { data: '3' });
    await app.streams.topic('a').complete();

    expect(dataOf(await stream.rest()).slice(0, -1)).toEqual(['1', '2', '3']);
  });

  test('that have something already open at once, behind what the client has', async () => {
    await using app = await startApp(adapter, { controllers: [TopicsController] });
    for (const data of ['left out', '1', '2']) await app.streams.publish('a', { data });

    const stream = await app.open('/from-start');
    const [first] = await stream.take(1);
    stream.leave();
    const again = await app.open('/from-start', { headers: { 'last-event-id': first?.id ?? '' } });

    expect(first?.data).toBe('1');
    expect(await again.next()).toMatchObject({ data: '2' });
  });

  test('that complete without an event are a stream that ends', async () => {
    await using app = await startApp(adapter, { controllers: [TopicsController] });
    const opening = app.open('/from-now');
    await until(() => app.streams.connections.count === 1, 'the wait');

    await app.streams.topic('a').complete();

    expect(await (await opening).rest()).toMatchObject([{ type: 'stream.end' }]);
  });

  test('that fail before an event are answered 500', async () => {
    await using app = await startApp(adapter, { controllers: [TopicsController] });
    const opening = app.open('/from-now');
    await until(() => app.streams.connections.count === 1, 'the wait');

    await app.streams.topic('a').error(new Error(SECRET));

    expect((await opening).status).toBe(500);
    await until(() => app.streams.connections.count === 0, 'the request to be freed');
  });
});

@Controller()
@UseGuards(StreamGuard)
class GuardedController {
  @SseStream('wait', { commit: { waitMs: LONG } })
  wait() {
    return NEVER;
  }
}

function startGuarded(adapter: Adapter, authenticate = byName): Promise<TestApp> {
  return startApp(adapter, { controllers: [GuardedController], options: { authenticate } });
}

test.each([
  [{}, 'commit.waitMs must be a number from 1'],
  [{ waitMs: 0 }, 'commit.waitMs must be a number from 1'],
  [{ waitMs: Infinity }, 'commit.waitMs must be'],
  [{ waitMs: '1' }, 'commit.waitMs must be'],
  [{ waitMs: 1, wait: 1 }, 'there is no option "commit.wait"'],
  [2_000, 'commit must be an object'],
])('commit: %j is refused when it is decorated', (commit, message) => {
  expect(() => SseStream({ commit: commit as { waitMs: number } })).toThrow(
    expect.objectContaining({ code: 'invalid-options', message: expect.stringContaining(message) }),
  );
});
