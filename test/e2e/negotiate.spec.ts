import { describe, expect, test } from '@jest/globals';
import {
  BadGatewayException,
  ConflictException,
  Controller,
  Get,
  Header,
  HttpCode,
  Query,
  RequestMethod,
  UseGuards,
} from '@nestjs/common';
import { NEVER, Subject, map, of, throwError, timeout } from 'rxjs';
import {
  EventStreamService,
  type SseConnection,
  type SseEvent,
  SseStream,
  type SseStreamOptions,
  StreamGuard,
} from 'nestjs-event-stream';
import { type Adapter, type AppOptions, type TestApp, adapters, startApp, transports } from '../support/app.js';
import { type HandlerContext, streamOf } from '../support/controllers.js';
import { as, byName, byToken } from '../support/people.js';
import { openRaw } from '../support/raw.js';
import type { Stream } from '../support/stream.js';
import { until } from '../support/until.js';

const SECRET = 'sk-secret at 10.0.0.7';
const JSON_ONLY = { headers: { accept: 'application/json' } };
const EVENTS_ONLY = { headers: { accept: 'text/event-stream' } };

const post = (body: unknown, accept?: string): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...(accept !== undefined && { accept }) },
  body: JSON.stringify(body),
});

async function* failing(error: Error): AsyncGenerator<unknown> {
  yield 1;
  yield await Promise.reject(error);
}

/** With the route `/stream`, which negotiates. */
function startWith(
  adapter: Adapter,
  handler: (context: HandlerContext) => unknown,
  options: SseStreamOptions = {},
  given: AppOptions = {},
): Promise<TestApp> {
  const controllers = [streamOf(handler, { respond: 'negotiate', ...options }), ...(given.controllers ?? [])];
  return startApp(adapter, { ...given, controllers });
}

const formOf = ({ headers }: Stream): string | undefined => headers.get('content-type')?.split(';')[0];
const documentOf = async (stream: Stream): Promise<unknown> => JSON.parse(await stream.body());

@Controller()
class PlainController {
  @Get('free')
  free(): string {
    return 'here';
  }
}

describe.each(transports)('on $name', (adapter) => {
  test('a client gets a stream, or one document of the data of all events', async () => {
    const events = () => of({ type: 'a', id: '1', data: { n: 1 } }, { comment: 'none' }, 'text', new Uint8Array([1]));
    await using app = await startWith(adapter, events);

    const [stream, document] = [await app.open('/stream', EVENTS_ONLY), await app.open('/stream', JSON_ONLY)];

    expect([stream, document].map((answer) => [answer.status, formOf(answer), answer.headers.get('vary')])).toEqual([
      [200, 'text/event-stream', 'Accept'],
      [200, 'application/json', 'Accept'],
    ]);
    expect((await stream.rest()).map(({ data }) => data).slice(0, 3)).toEqual(['{"n":1}', 'text', 'AQ==']);
    expect(await documentOf(document)).toEqual([{ n: 1 }, 'text', 'AQ==']);
  });

  test('a body says which with stream, and without it is answered with a document', async () => {
    await using app = await startWith(adapter, () => [1], { method: RequestMethod.POST });
    const json = 'application/json';

    const answers = await Promise.all(
      [post({ stream: true }, json), post({ stream: false }), post({ model: 'a' }), post({}, 'text/event-stream')].map(
        (init) => app.open('/stream', init),
      ),
    );

    expect(answers.map(formOf)).toEqual(['text/event-stream', json, json, 'text/event-stream']);
  });

  test('who takes neither is answered 406, and no handler is called', async () => {
    let calls = 0;
    await using app = await startWith(adapter, () => (calls++, of(1)));

    const answer = await app.open('/stream', { headers: { accept: 'text/html' } });

    expect([answer.status, answer.headers.get('vary')]).toEqual([406, 'Accept']);
    expect(await documentOf(answer)).toMatchObject({ statusCode: 406 });
    expect([calls, app.streams.connections.count]).toEqual([0, 0]);
  });

  test.each<[what: string, source: () => unknown]>([
    ['an iterable', () => [1, 2]],
    ['an Observable', () => of(1, 2)],
    [
      'a generator',
      async function* () {
        yield 1;
        yield 2;
      },
    ],
    ['a ReadableStream', () => new ReadableStream({ start: (of) => (of.enqueue(1), of.enqueue(2), of.close()) })],
    ['a promise of one', async () => [1, 2]],
    ['one without values', () => []],
  ])('%s is collected', async (what, source) => {
    await using app = await startWith(adapter, source);

    expect(await documentOf(await app.open('/stream', JSON_ONLY))).toEqual(what.includes('without') ? [] : [1, 2]);
  });

  test('a wire makes its own document, and its headers are those of streams', async () => {
    const wire = {
      name: 'own',
      headers: { 'X-Wire': 'own' },
      encode: (event: SseEvent) => ({ data: `encoded ${String(event.data)}` }),
      reduce: (events: readonly SseEvent[]) => ({
        text: events.map(({ data }) => data).join(''),
        count: events.length,
      }),
    };
    const options = { wire, headers: { 'X-Route': 'yes', 'Content-Type': 'text/plain', Vary: 'Cookie' } };
    await using app = await startWith(adapter, () => ['a', 'b'], options);

    const [stream, document] = [await app.open('/stream', EVENTS_ONLY), await app.open('/stream', JSON_ONLY)];

    expect(await documentOf(document)).toEqual({ text: 'ab', count: 2 });
    const headers = ['x-wire', 'x-route', 'vary'];
    expect(headers.map((name) => stream.headers.get(name))).toEqual(['own', 'yes', 'Cookie, Accept']);
    expect(headers.map((name) => document.headers.get(name))).toEqual([null, 'yes', 'Cookie, Accept']);
    expect(formOf(document)).toBe('application/json');
  });

  test.each<[reduced: unknown, text: string]>([
    ['text', '"text"'],
    [7, '7'],
    [null, 'null'],
    [undefined, 'null'],
    [Promise.resolve([1]), '[1]'],
  ])('a document may be any JSON value: %p', async (reduced, text) => {
    await using app = await startWith(adapter, () => [1], { wire: { name: 'own', reduce: () => reduced } });

    const document = await app.open('/stream', JSON_ONLY);

    expect([formOf(document), await document.body()]).toEqual(['application/json', text]);
  });

  test('a source that fails is answered with its status, and what was collected is not', async () => {
    const errors = [
      new BadGatewayException('away'),
      Object.assign(new Error(SECRET), { status: 429, headers: { 'retry-after': '3' } }),
      new Error(SECRET),
    ];
    await using app = await startWith(adapter, () => failing(errors.shift() as Error));

    const answers = [];
    for (let n = 0; n < 3; n++) {
      const answer = await app.open('/stream', JSON_ONLY);
      answers.push([answer.status, answer.headers.get('retry-after'), await answer.body()]);
    }

    expect(answers.map(([status, retryAfter]) => [status, retryAfter])).toEqual([
      [502, null],
      [429, '3'],
      [500, null],
    ]);
    expect(JSON.stringify(answers)).not.toContain('secret');
    await until(() => app.streams.connections.count === 0, 'the requests to be freed');
  });

  test('a client that leaves while its document is made cancels the source at once', async () => {
    let signal: AbortSignal | undefined;
    let isCancelled = false;
    await using app = await startWith(adapter, ({ connection }) => {
      signal = connection.signal;
      return new ReadableStream({ cancel: () => void (isCancelled = true) });
    });
    const leaving = new AbortController();
    const asked = app.open('/stream', { ...JSON_ONLY, signal: leaving.signal }).catch(() => undefined);
    await until(() => app.streams.connections.count === 1, 'the wait');

    leaving.abort();
    await asked;

    await until(() => isCancelled && signal?.aborted === true, 'the source to be cancelled');
    await until(() => app.streams.connections.count === 0, 'the request to be freed');
  });

  test('one that leaves before the handler has returned has its source cancelled as it comes', async () => {
    let handle = (): void => undefined;
    let isCancelled = false;
    const source = new ReadableStream({ cancel: () => void (isCancelled = true) });
    let signal: AbortSignal | undefined;
    await using app = await startWith(adapter, ({ connection }) => {
      signal = connection.signal;
      return new Promise((resolve) => (handle = () => resolve(source)));
    });
    const leaving = new AbortController();
    const asked = app.open('/stream', { ...JSON_ONLY, signal: leaving.signal }).catch(() => undefined);
    await until(() => signal !== undefined, 'the handler');
    leaving.abort();
    await asked;
    await until(() => signal?.aborted === true, 'the signal');

    handle();

    await until(() => isCancelled, 'the source to be cancelled');
    expect(app.streams.connections.count).toBe(0);
  });

  test('one that leaves as the source ends leaves nothing behind', async () => {
    const source = new Subject();
    await using app = await startWith(adapter, () => source);
    const leaving = new AbortController();
    const asked = app.open('/stream', { ...JSON_ONLY, signal: leaving.signal }).catch(() => undefined);
    await until(() => source.observed, 'the wait');

    leaving.abort();
    source.complete();
    await asked;

    await until(() => app.streams.connections.count === 0, 'the request to be freed');
    expect(source.observed).toBe(false);
  });

  test('closing the application ends the wait with 503', async () => {
    let isCancelled = false;
    const source = new ReadableStream({ cancel: () => void (isCancelled = true) });
    await using app = await startWith(adapter, () => source);
    const asked = app.open('/stream', JSON_ONLY);
    await until(() => app.streams.connections.count === 1, 'the wait');

    const closing = app.nest.close();
    const answer = await asked;

    expect([answer.status, await documentOf(answer)]).toMatchObject([503, { statusCode: 503 }]);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    await closing;
    expect(isCancelled).toBe(true);
  });

  test('HEAD has the headers of the form that GET would have, and begins nothing', async () => {
    let asked = 0;
    let left = 0;
    const next = (): Promise<never> => (asked++, new Promise(() => undefined));
    const source = { [Symbol.asyncIterator]: () => ({ next, return: () => left++ }) } as object;
    await using app = await startWith(adapter, () => source);

    const answers = [JSON_ONLY, EVENTS_ONLY].map((init) => app.open('/stream', { ...init, method: 'HEAD' }));

    expect((await Promise.all(answers)).map((answer) => [answer.status, formOf(answer)])).toEqual([
      [200, 'application/json'],
      [200, 'text/event-stream'],
    ]);
    await until(() => left === 2, 'the sources to be left');
    expect(asked).toBe(0);
    await until(() => app.streams.connections.count === 0, 'the requests to be freed');
  });
});

@Controller()
@UseGuards(StreamGuard)
class GuardedController {
  constructor(private readonly streams: EventStreamService) {}

  @SseStream('wait', { respond: 'negotiate' })
  wait() {
    return NEVER;
  }

  @SseStream('topic', { respond: 'negotiate', from: 'start' })
  topic(@Query('name') name = 'a') {
    return this.streams.topic(name);
  }
}

const startGuarded = (adapter: Adapter, options: AppOptions['options'] = {}): Promise<TestApp> =>
  startApp(adapter, { controllers: [GuardedController], options: { authenticate: byName, ...options } });

const asJson = (name: string): RequestInit => ({ headers: { ...as(name).headers, ...JSON_ONLY.headers } });

describe.each(adapters)('on $name', (adapter) => {
  test('topics are collected from their beginning until they complete', async () => {
    await using app = await startGuarded(adapter);
    await app.streams.publish('a', { data: { n: 1 } });
    const asked = app.open('/topic', asJson('ann'));
    await until(() => app.streams.connections.count === 1, 'the wait');

    await app.streams.publish('a', { data: { n: 2 } });
    await app.streams.topic('a').complete({ final: true });

    expect(await documentOf(await asked)).toEqual([{ n: 1 }, { n: 2 }]);
    expect(await documentOf(await app.open('/topic', asJson('ann')))).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test('a topic that fails is answered 500', async () => {
    await using app = await startGuarded(adapter);
    const asked = app.open('/topic', asJson('ann'));
    await until(() => app.streams.connections.count === 1, 'the wait');

    await app.streams.topic('a').error(new Error(SECRET));
    const answer = await asked;

    expect([answer.status, await answer.body()]).toEqual([500, expect.not.stringContaining('secret')]);
  });

  test('a document of which events are missing is none', async () => {
    await using app = await startGuarded(adapter);
    const init = { headers: { ...as('ann', 'aaaaaa.1.1').headers, ...JSON_ONLY.headers } };

    expect((await app.open('/topic', init)).status).toBe(500);
  });

  test('a topic is authorized as for a stream', async () => {
    await using app = await startGuarded(adapter, { authorize: (principal) => principal?.id === 'ann' });

    expect((await app.open('/topic', asJson('bob'))).status).toBe(403);
    expect((await app.open('/topic?name=a//b', asJson('ann'))).status).toBe(400);
    expect((await app.open('/topic', { headers: JSON_ONLY.headers })).status).toBe(401);
  });

  test.each<[limit: string, status: number]>([
    ['connections', 429],
    ['connectionsPerPrincipal', 429],
    ['connectionsPerAddress', 429],
  ])('beyond the limit %s a document is refused with %i, and counted', async (limit, status) => {
    await using app = await startGuarded(adapter, { limits: { [limit]: 1 } });
    const open = await app.open('/wait', as('ann'));

    const refused = await app.open('/wait', asJson('ann'));

    expect([open.status, refused.status]).toEqual([200, status]);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(app.streams.connections.refused).toEqual({ [limit]: 1 });
  });

  test('one document counts as one connection while it is made', async () => {
    await using app = await startGuarded(adapter, { limits: { connections: 1 } });
    void app.open('/wait', asJson('ann')).catch(() => undefined);
    await until(() => app.streams.connections.count === 1, 'the wait');

    expect((await app.open('/wait', asJson('ann'))).status).toBe(429);
    await app.streams.connections.close({ principalId: 'ann' });
    await until(() => app.streams.connections.count === 0, 'the first to be freed');
    expect((await app.open('/wait', as('ann'))).status).toBe(200);
  });

  test.each<[how: string, end: (app: TestApp) => unknown, status: number]>([
    ['the service', (app) => app.streams.connections.close({ principalId: 'ann' }), 503],
    ['a revocation', (app) => app.streams.revoke({ principalId: 'ann' }), 403],
  ])('%s ends the wait for a document', async (_, end, status) => {
    await using app = await startGuarded(adapter);
    const asked = app.open('/wait', asJson('ann'));
    await until(() => app.streams.connections.count === 1, 'the wait');

    await end(app);

    expect((await asked).status).toBe(status);
  });

  test('a principal is waited for until its time is over', async () => {
    const tokens = new Map([['short', { id: 'ann', expiresAt: Date.now() + 300 }]]);
    await using app = await startGuarded(adapter, { authenticate: byToken(tokens) });

    expect((await app.open('/wait', asJson('short'))).status).toBe(401);
  });

  test('a document takes no longer than a stream may last', async () => {
    await using app = await startGuarded(adapter, { maxLifetimeMs: 100 });

    expect((await app.open('/wait', asJson('ann'))).status).toBe(503);
  });

  test('a ticket is used up by one document', async () => {
    await using app = await startGuarded(adapter);
    await app.streams.topic('a').complete({ final: true });
    const ticket = app.streams.tickets.issue({ id: 'ann' });

    const answers = [];
    for (let n = 0; n < 2; n++) answers.push((await app.open(`/topic?ticket=${ticket}`, JSON_ONLY)).status);

    expect(answers).toEqual([200, 401]);
  });
});

describe.each(adapters)('on $name', (adapter) => {
  test('more than 16 MiB of events are no document', async () => {
    let isOver = false;
    const source = function* () {
      try {
        for (;;) yield 'x'.repeat(100_000);
      } finally {
        isOver = true;
      }
    };
    await using app = await startWith(adapter, source);

    const answer = await app.open('/stream', JSON_ONLY);

    expect([answer.status, isOver]).toEqual([500, true]);
  });

  test('a handler that completes its connection has said all', async () => {
    let connection: SseConnection | undefined;
    const source = new Subject();
    await using app = await startWith(adapter, (context) => ((connection = context.connection), source));
    const asked = app.open('/stream', JSON_ONLY);
    await until(() => source.observed, 'the wait');

    source.next(1);
    connection?.send({ data: 'only in a stream' });
    connection?.close({ reason: 'complete' });

    expect(await documentOf(await asked)).toEqual([1]);
    expect(source.observed).toBe(false);
  });

  test('the status and the headers of the framework are those of the document', async () => {
    @Controller()
    class OwnController {
      @SseStream('own', { respond: 'negotiate', method: RequestMethod.POST })
      @HttpCode(202)
      @Header('X-Own', 'yes')
      own() {
        return [1];
      }
    }
    await using app = await startApp(adapter, { controllers: [OwnController] });

    const [document, stream] = [await app.open('/own', post({})), await app.open('/own', post({ stream: true }))];

    expect([document.status, document.headers.get('x-own')]).toEqual([202, 'yes']);
    expect([stream.status, stream.headers.get('x-own')]).toEqual([200, 'yes']);
  });

  test('what the framework cannot serialize is answered 500', async () => {
    await using app = await startWith(adapter, () => [1], { wire: { name: 'own', reduce: () => ({ big: 1n }) } });

    expect((await app.open('/stream', JSON_ONLY)).status).toBe(500);
  });

  test('a timeout of an interceptor ends the wait and cancels the source', async () => {
    let isCancelled = false;
    const source = new ReadableStream({ cancel: () => void (isCancelled = true) });
    const within = timeout({ first: 50, with: () => throwError(() => new ConflictException('late')) });
    await using app = await startWith(
      adapter,
      () => source,
      {},
      {
        configure: (nest) => nest.useGlobalInterceptors({ intercept: (_, next) => next.handle().pipe(within) }),
      },
    );

    expect((await app.open('/stream', JSON_ONLY)).status).toBe(409);
    await until(() => isCancelled, 'the source to be cancelled');
    expect(app.streams.connections.count).toBe(0);
  });

  test('an envelope of an interceptor is not around the document, which is what the wire makes', async () => {
    await using app = await startWith(
      adapter,
      () => [1],
      {},
      {
        configure: (nest) =>
          nest.useGlobalInterceptors({
            intercept: (_, next) => next.handle().pipe(map((value: unknown) => ({ wrapped: value }))),
          }),
      },
    );

    expect(await documentOf(await app.open('/stream', JSON_ONLY))).toEqual([1]);
  });

  test('what depends on the origin depends on that, too', async () => {
    await using app = await startWith(
      adapter,
      () => [1],
      {},
      { configure: (nest) => nest.enableCors({ origin: ['https://a.example'] }) },
    );
    const init = (accept: string) => ({ headers: { accept, origin: 'https://a.example' } });

    const answers = await Promise.all(
      ['application/json', 'text/event-stream', 'text/html'].map((accept) => app.open('/stream', init(accept))),
    );

    for (const { headers } of answers) {
      expect(headers.get('vary')?.split(', ').sort()).toEqual(['Accept', 'Origin']);
      expect(headers.get('access-control-allow-origin')).toBe('https://a.example');
    }
  });

  test('nothing is answered in its own way in both forms', async () => {
    await using app = await startWith(adapter, () => undefined, { none: 204 });

    expect((await app.open('/stream', JSON_ONLY)).status).toBe(204);
    expect((await app.open('/stream', EVENTS_ONLY)).status).toBe(204);
  });

  test('with commit the stream waits for its first event, and the document for the last', async () => {
    const commit = { waitMs: 60_000 };
    const error = (): Error => Object.assign(new Error(SECRET), { status: 429 });
    const sources: unknown[] = [[1], [1], throwError(error), throwError(error)];
    await using app = await startWith(adapter, () => sources.shift(), { commit });

    const answers = [];
    for (const init of [EVENTS_ONLY, JSON_ONLY, EVENTS_ONLY, JSON_ONLY]) {
      const answer = await app.open('/stream', init);
      answers.push([answer.status, formOf(answer)]);
    }

    expect(answers).toEqual([
      [200, 'text/event-stream'],
      [200, 'application/json'],
      [429, 'application/json'],
      [429, 'application/json'],
    ]);
  });

  test('a client of a document that is slow to come holds up nobody on its connection but itself', async () => {
    const source = new Subject();
    await using app = await startWith(adapter, () => source, {}, { controllers: [PlainController] });
    const request = ['GET /stream HTTP/1.1', 'Host: localhost', 'Accept: application/json', '', 'GET /free HTTP/1.1'];
    await using client = await openRaw(app.port, ...request, 'Host: localhost');
    await until(() => source.observed, 'the wait');

    source.next(1);
    source.complete();

    await client.receive('here');
    expect(client.text.indexOf('[1]')).toBeLessThan(client.text.indexOf('here'));
  });

  test('a route that does not say so streams, whatever a client asks for', async () => {
    await using app = await startApp(adapter, { controllers: [streamOf(() => of(1))] });

    const answer = await app.open('/stream', JSON_ONLY);

    expect([formOf(answer), answer.headers.has('vary')]).toEqual(['text/event-stream', false]);
  });
});

test.each(['json', true, null])('respond: %j is refused when it is decorated', (respond) => {
  expect(() => SseStream({ respond: respond as 'stream' })).toThrow(
    expect.objectContaining({ message: expect.stringContaining("respond must be 'stream' or 'negotiate'") }),
  );
});
