import { describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import type { ClientHttp2Stream, Http2Server } from 'node:http2';
import { request as requestOverTls } from 'node:https';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Observable } from 'rxjs';
import {
  type CloseReason,
  type Principal,
  type SseConnection,
  type SseModuleOptions,
  type StreamRequest,
} from 'nestjs-event-stream';
import { type Adapter, type TestApp, adapters, startApp, transports } from '../support/app.js';
import { type Certificate, createCertificate } from '../support/certificate.js';
import { TopicController, streamOf } from '../support/controllers.js';
import { GuardedController, byName } from '../support/people.js';
import { openRaw } from '../support/raw.js';
import { type Session, openSession } from '../support/session.js';
import type { Stream } from '../support/stream.js';
import { until } from '../support/until.js';

const http2 = transports.find(({ isHttp2 }) => isHttp2)!;
const [ann, bob] = [{ authorization: 'ann' }, { authorization: 'bob' }];
const SHUTDOWN = '{"reason":"shutdown","reconnect":true}';
/** More than fits into the window of a stream, which is 64 KiB unless a client says otherwise. */
const FLOOD = 'x'.repeat(2 * 1_048_576);

const startGuarded = (options: SseModuleOptions = {}): Promise<TestApp> =>
  startApp(http2, {
    controllers: [GuardedController, TopicController],
    options: { authenticate: byName, ...options },
  });

async function read(session: Session, topic: string, headers: Record<string, string> = {}): Promise<Stream> {
  const stream = await session.open(`/read?topic=${topic}`, headers);
  if (stream.status === 200) await stream.receive(/^id: |event: |: too many/m);
  return stream;
}

/** Whether what is published reaches a stream, on whose session something else has just happened. */
async function expectToGoOn(app: TestApp, stream: Stream, topic: string): Promise<void> {
  await app.streams.publish(topic, { data: 'still here' });
  expect(await stream.next()).toMatchObject({ data: 'still here' });
}

const connectionOf = (app: TestApp, id: string): SseConnection =>
  app.streams.connections.list().find(({ principal }) => principal?.id === id)!;

describe('who may listen over HTTP/2', () => {
  test('StreamGuard answers 401 before any stream, and the other streams of the session go on', async () => {
    await using app = await startGuarded();
    await using session = await openSession(app.url);
    const stream = await read(session, 'a', ann);

    const refused = await session.open('/read?topic=a');

    expect(refused.status).toBe(401);
    expect(refused.headers.get('content-type')).toMatch(/^application\/json/);
    expect(await refused.body()).not.toContain('retry');
    expect(app.nest.get(GuardedController).calls).toBe(1);
    await expectToGoOn(app, stream, 'a');
  });

  test('two principals on one session are two, each with the streams that it may read', async () => {
    const authorize = (principal: Principal | null, topic: string) => topic.startsWith(`${String(principal?.id)}/`);
    await using app = await startGuarded({ authorize });
    await using session = await openSession(app.url);

    const [hers, his] = await Promise.all([read(session, 'ann/a', ann), read(session, 'bob/a', bob)]);
    const [refused, alsoRefused] = [await read(session, 'bob/a', ann), await read(session, '**', bob)];
    for (const topic of ['ann/a', 'bob/a']) await app.streams.publish(topic, { data: `of ${topic}` });

    expect([hers.status, his.status, refused.status, alsoRefused.status]).toEqual([200, 200, 403, 403]);
    expect(await hers.next()).toMatchObject({ data: 'of ann/a' });
    expect(await his.next()).toMatchObject({ data: 'of bob/a' });
    expect(app.streams.connections.count).toBe(2);
  });

  test('a ticket in the query opens one stream, once, and only for its topics', async () => {
    await using app = await startGuarded();
    await using session = await openSession(app.url);
    const { tickets } = app.streams;
    const ticket = tickets.issue({ id: 'ann' }, { topics: ['a'] });
    const other = tickets.issue({ id: 'ann' }, { topics: ['a'] });

    const answers = [
      await read(session, `a&ticket=${ticket}`),
      await read(session, `a&ticket=${ticket}`),
      await read(session, `b&ticket=${other}`),
      await read(session, 'a&ticket=made-up', ann),
    ];

    expect(answers.map(({ status }) => status)).toEqual([200, 401, 403, 401]);
    expect(connectionOf(app, 'ann').topics).toEqual(['a']);
    await expectToGoOn(app, answers[0]!, 'a');
  });

  test('a ticket is good once also for two requests that arrive in one packet', async () => {
    await using app = await startGuarded();
    await using session = await openSession(app.url);
    const path = `/source?ticket=${app.streams.tickets.issue({ id: 'ann' })}`;

    const answers = await Promise.all([session.open(path), session.open(path), session.open(path)]);

    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401]);
  });

  test('a cookie that came in several fields is one, and the exact origin may read the answer with credentials', async () => {
    const origin = 'https://app.example.com';
    const byCookie = ({ headers }: StreamRequest): Principal | null =>
      headers.cookie === 'theme=dark; sid=ann' ? { id: 'ann' } : null;
    await using app = await startApp(http2, {
      controllers: [GuardedController],
      options: { authenticate: byCookie },
      nest: { cors: { origin: [origin], credentials: true } },
    });
    await using session = await openSession(app.url);

    const stream = await session.open('/read?topic=a', { cookie: ['theme=dark', 'sid=ann'], origin });
    const refused = await session.open('/read?topic=a', { cookie: 'sid=eve', origin });
    const stranger = await session.open('/read?topic=a', {
      cookie: 'theme=dark; sid=ann',
      origin: `${origin}.evil.test`,
    });

    expect([stream.status, refused.status, stranger.status]).toEqual([200, 401, 200]);
    for (const { headers } of [stream, refused]) {
      expect(headers.get('access-control-allow-origin')).toBe(origin);
      expect(headers.get('access-control-allow-credentials')).toBe('true');
      expect(headers.get('vary')).toMatch(/origin/i);
    }
    expect(stranger.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('limits over HTTP/2', () => {
  test.each(['connections', 'connectionsPerPrincipal', 'connectionsPerAddress'] as const)(
    'whoever is above %s is told when to come back, and the other streams of the session go on',
    async (limit) => {
      await using app = await startGuarded({ limits: { [limit]: 2 }, retryMs: 1_000 });
      await using session = await openSession(app.url);
      const streams = [await read(session, 'a', ann), await read(session, 'a', ann)];

      const refused = await session.open('/read?topic=a', ann);
      const body = await refused.body();

      expect(refused.status).toBe(200);
      expect(refused.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
      expect(body).toMatch(/^retry: \d+\n: too many streams are open\n$/);
      expect(refused.retries[0]).toBeGreaterThanOrEqual(1_000);
      expect(refused.retries[0]).toBeLessThanOrEqual(3_000);
      expect(refused.error).toBeUndefined();
      expect(app.streams.connections).toMatchObject({ count: 2, refused: { [limit]: 1 } });
      await app.streams.publish('a', { data: 'still here' });
      for (const stream of streams) expect(await stream.next()).toMatchObject({ data: 'still here' });
    },
  );

  test('of 100 requests that come at once on one session, exactly as many get in as the limit says', async () => {
    await using app = await startGuarded({ limits: { connectionsPerPrincipal: 10 } });
    await using session = await openSession(app.url);

    const streams = await Promise.all(Array.from({ length: 100 }, () => read(session, 'a', ann)));

    expect(streams.filter(({ text }) => text.includes('id: '))).toHaveLength(10);
    expect(app.streams.connections).toMatchObject({ count: 10, refused: { connectionsPerPrincipal: 90 } });
    expect(app.nest.get(GuardedController).calls).toBe(10);
  });

  test('a stream that its client has reset leaves its place, and one with its whole session, too', async () => {
    await using app = await startGuarded({ limits: { connections: 2 } });
    await using session = await openSession(app.url);
    await using other = await openSession(app.url);
    const streams = [await read(session, 'a', ann), await read(other, 'a', bob)];

    streams[0]!.leave();
    await until(() => app.streams.connections.count === 1, 'the place of the stream');
    other.raw.destroy();
    await until(() => app.streams.connections.count === 0, 'the place of the session');
    const again = [await read(session, 'a', ann), await read(session, 'a', ann)];

    expect(again.map(({ text }) => text.includes('id: '))).toEqual([true, true]);
    expect(app.streams.connections.refused).toEqual({});
  });
});

describe('the end of one stream of an HTTP/2 session', () => {
  test('by expiry leaves the session and its other streams alone, and a fresh credential resumes on it', async () => {
    const times = new Map([
      ['short', Date.now() + 300],
      ['long', Date.now() + 3_600_000],
    ]);
    const authenticate = ({ headers }: StreamRequest): Principal => ({
      id: 'ann',
      expiresAt: times.get(String(headers.authorization))!,
    });
    await using app = await startGuarded({ authenticate });
    await using session = await openSession(app.url);
    const other = await read(session, 'a', { authorization: 'long' });
    const stream = await read(session, 'a', { authorization: 'short' });

    const [end] = await stream.rest();
    await expectToGoOn(app, other, 'a');
    const resumed = await session.open('/read?topic=a', {
      authorization: 'long',
      'last-event-id': stream.lastEventId!,
    });

    expect(end).toMatchObject({ type: 'stream.end', data: '{"reason":"expired","reconnect":true}' });
    expect(stream.error).toBeUndefined();
    expect(await resumed.next()).toMatchObject({ data: 'still here' });
    expect([session.isClosed, session.goaway]).toEqual([false, undefined]);
  });

  test('by a revocation leaves the session and the streams of others alone', async () => {
    await using app = await startGuarded();
    await using session = await openSession(app.url);
    const [hers, his] = [await read(session, 'a', ann), await read(session, 'a', bob)];

    await app.streams.revoke({ principalId: 'ann' });
    const events = await hers.rest();

    expect(events).toEqual([{ type: 'stream.end', data: '{"reason":"revoked","reconnect":false}', id: 'stream.end' }]);
    expect((await session.open('/source', ann)).status).toBe(403);
    await expectToGoOn(app, his, 'a');
    expect([session.isClosed, session.goaway]).toEqual([false, undefined]);
  });

  test('by close() and by a failure of its source leaves the session alone', async () => {
    await using app = await startGuarded();
    await using session = await openSession(app.url);
    const other = await read(session, 'a', bob);
    const closed = await read(session, 'a', ann);
    app.nest.get(GuardedController).createSource = () =>
      new Observable((observer) => observer.error(new Error('away')));

    connectionOf(app, 'ann').close({ reconnect: true });
    const failed = await session.open('/source', ann);
    const types = [await closed.rest(), await failed.rest()].map((events) => events.map(({ type }) => type));

    expect(types).toEqual([['stream.end'], ['stream.error']]);
    await expectToGoOn(app, other, 'a');
    expect([session.isClosed, session.goaway]).toEqual([false, undefined]);
  });
});

describe('a stream of an HTTP/2 session that its client does not read', () => {
  const options = { stallTimeoutMs: 300, history: { maxBytes: Infinity } };

  /** Opens a stream beside another one, and lets it fill its window. */
  async function startStalled(app: TestApp, session: Session) {
    const reading = await read(session, 'b', bob);
    const stalled = await read(session, 'a', ann);
    const connection = connectionOf(app, 'ann');
    const stalledAt = performance.now();
    await app.streams.publish('a', { data: FLOOD });
    return { reading, stalled, connection, stalledAt };
  }

  test('is ended alone by the stall timeout, while the others get what is published', async () => {
    await using app = await startGuarded(options);
    await using session = await openSession(app.url);
    const { reading, stalled, connection, stalledAt } = await startStalled(app, session);
    let published = 0;
    while (!connection.signal.aborted && performance.now() < stalledAt + 10_000) {
      await app.streams.publish('b', { data: published++ });
      await reading.next();
    }
    const tookMs = performance.now() - stalledAt;

    const events = await stalled.rest();

    expect(tookMs).toBeGreaterThanOrEqual(300);
    expect(tookMs).toBeLessThan(10_000);
    expect(published).toBeGreaterThan(10);
    expect(events.map(({ type, data }) => type ?? data.length)).toEqual([FLOOD.length, 'stream.end']);
    expect(events[1]?.data).toBe('{"reason":"slow-consumer","reconnect":true}');
    await expectToGoOn(app, reading, 'b');
    expect([session.isClosed, session.goaway]).toEqual([false, undefined]);
  }, 30_000);

  test('is reset when it does not take its end either, and the session and its other streams go on', async () => {
    const reasons: CloseReason[] = [];
    const hooks = { onClosed: (_: SseConnection, reason: CloseReason) => void reasons.push(reason) };
    await using app = await startGuarded({ ...options, hooks });
    await using session = await openSession(app.url);
    const { reading, stalled } = await startStalled(app, session);

    await until(() => app.streams.connections.count === 1, 'the stream to be cut', 15_000);

    expect(reasons).toEqual(['slow-consumer']);
    await expectToGoOn(app, reading, 'b');
    expect([session.isClosed, session.goaway]).toEqual([false, undefined]);
    expect((await stalled.rest()).map(({ type }) => type)).not.toContain('stream.end');
  }, 30_000);
});

describe('a client of HTTP/2 that has no window', () => {
  const openWithout = (app: TestApp): Promise<Session> => openSession(app.url, { settings: { initialWindowSize: 0 } });

  /** How many streams the server has of a session. */
  async function asked(app: TestApp, session: Session, count: number, path: string): Promise<ClientHttp2Stream[]> {
    const requests = Array.from({ length: count }, () => session.raw.request({ ':path': path, ...ann }));
    for (const request of requests) request.on('error', () => undefined).end();
    await until(() => requests.every((request) => request.sentHeaders !== undefined), 'the requests to be sent');
    return requests;
  }

  test('is ended for being slow, however little waits for it', async () => {
    const reasons: CloseReason[] = [];
    const hooks = { onClosed: (_: SseConnection, reason: CloseReason) => void reasons.push(reason) };
    await using app = await startGuarded({ stallTimeoutMs: 300, heartbeatMs: 100, hooks });
    await using session = await openWithout(app);
    await asked(app, session, 1, '/read?topic=a');
    await until(() => app.streams.connections.count === 1, 'the stream to open');

    await until(() => app.streams.connections.count === 0, 'the stream to be cut', 12_000);

    expect(reasons).toEqual(['slow-consumer']);
  }, 20_000);

  test('keeps no refusal that it does not take', async () => {
    await using app = await startGuarded({ limits: { connections: 1 } });
    const open = new Set<unknown>();
    const server = app.nest.getHttpServer() as Http2Server;
    server.on('session', (session) =>
      session.on('stream', (stream) => {
        open.add(stream);
        stream.once('close', () => open.delete(stream));
      }),
    );
    await using session = await openWithout(app);
    await asked(app, session, 2_000, '/read?topic=a');
    await until(() => (app.streams.connections.refused.connections ?? 0) >= 1_999, 'the refusals', 10_000);
    await until(() => open.size <= 1_001, 'those beyond 1,000 to be dropped at once', 2_000);

    await until(() => open.size === 1, 'the refusals to be dropped', 10_000);
    expect(app.streams.connections.count).toBe(1);
  }, 30_000);

  test.each(['/read?topic=a', '/none'])(
    'does not hold up app.close() with an answer of %s that it does not take',
    async (path) => {
      const app = await startGuarded({ drain: { deadlineMs: 300 } });
      await using session = await openWithout(app);
      const requests = await asked(app, session, 3, path);
      await Promise.all(requests.map((request) => once(request, 'response')));
      const startedAt = performance.now();

      await app.nest.close();

      expect(performance.now() - startedAt).toBeLessThan(2_000);
      await session.closed();
    },
  );
});

describe.each([
  ['without TLS', undefined],
  ['over TLS', createCertificate()],
] as const)('app.close() with HTTP/2 sessions %s', (_, certificate) => {
  const adapter: Adapter = {
    ...http2,
    create: () =>
      new FastifyAdapter({
        http2: true,
        ...(certificate && { https: { ...certificate, allowHTTP1: true } }),
      } as object),
  };
  const start = (options: SseModuleOptions = {}): Promise<TestApp> =>
    startApp(adapter, {
      controllers: [TopicController, streamOf(() => new Observable((to) => to.next(FLOOD)))],
      options,
    });
  const connectTo = ({ port }: TestApp): Promise<Session> => openSession(...addressOf(port, certificate));

  async function openMany(session: Session, count: number): Promise<Stream[]> {
    const streams = await Promise.all(Array.from({ length: count }, () => session.open('/topic')));
    await Promise.all(streams.map((stream) => stream.receive('id: ')));
    return streams;
  }

  async function closeTimed(app: TestApp): Promise<number> {
    const startedAt = performance.now();
    await app.nest.close();
    return performance.now() - startedAt;
  }

  test('tells every stream to come back, each at its own time, and closes the sessions', async () => {
    await using app = await start({ retryMs: 2_000 });
    const sessions = await Promise.all([connectTo(app), connectTo(app), connectTo(app)]);
    const streams = (await Promise.all(sessions.map((session) => openMany(session, 20)))).flat();
    await app.streams.publish('topic', { data: 'last' });

    const [closedMs, ...events] = await Promise.all([closeTimed(app), ...streams.map((stream) => stream.rest())]);
    await Promise.all(sessions.map((session) => session.closed()));

    expect(closedMs).toBeLessThan(1_500);
    for (const own of events) expect(own.map(({ data }) => data)).toEqual(['last', SHUTDOWN]);
    for (const { error } of streams) expect(error).toBeUndefined();
    const retries = streams.map((stream) => stream.retries.at(-1)!);
    expect(Math.min(...retries)).toBeGreaterThanOrEqual(1_000);
    expect(Math.max(...retries)).toBeLessThanOrEqual(3_000);
    expect(new Set(retries).size).toBeGreaterThan(30);
  }, 30_000);

  test('is not held up by sessions on which nothing is asked, or a connection that has said nothing yet', async () => {
    await using app = await start();
    await using idle = await connectTo(app);
    await using done = await connectTo(app);
    await (await done.open('/none')).body();
    await using silent = await openRaw(app.port);

    expect(await closeTimed(app)).toBeLessThan(1_500);
    await Promise.all([idle.closed(), done.closed(), silent.closed()]);
  });

  test('is not held up by a client that does not take the last bytes of its streams', async () => {
    await using app = await start({ drain: { deadlineMs: 300 } });
    await using session = await connectTo(app);
    await openMany(session, 4);

    expect(await closeTimed(app)).toBeLessThan(1_500);
  });

  test('spreads the ends over the window also within one session, and who is still open hears what is published', async () => {
    await using app = await start({ drain: { windowMs: 600 } });
    await using session = await connectTo(app);
    const streams = await openMany(session, 20);
    const closing = closeTimed(app);
    await streams[0]!.rest();

    await app.streams.publish('topic', { data: 'during' });
    const heard = await Promise.all(streams.slice(1).map((stream) => stream.rest()));

    expect(await closing).toBeGreaterThanOrEqual(550);
    expect(heard.at(-1)?.map(({ data }) => data)).toEqual(['during', SHUTDOWN]);
    for (const own of heard) expect(own.at(-1)?.data).toBe(SHUTDOWN);
    expect(session.goaway).toBe(0);
    await session.closed();
  });

  test('tells who comes on a new session during the window to come back, and keeps nobody on that session', async () => {
    await using app = await start({ drain: { windowMs: 800 } });
    await using session = await connectTo(app);
    const streams = await openMany(session, 4);
    const closing = app.nest.close();
    await streams[0]!.rest();

    await using late = await connectTo(app);
    const newcomer = await late.open('/topic');
    const events = await newcomer.rest();
    await late.closed();
    await Promise.all([closing, ...streams.map((stream) => stream.rest())]);

    expect(newcomer.status).toBe(200);
    expect(events.map(({ data }) => data)).toEqual([SHUTDOWN]);
    expect(newcomer.retries).toHaveLength(1);
    expect(app.streams.connections.refused).toEqual({ shutdown: 1 });
  });

  test('cuts a session at the deadline on which one stream is not read; its other streams were told before', async () => {
    await using app = await start({ drain: { deadlineMs: 500 } });
    await using session = await connectTo(app);
    const unread = await session.open('/stream');
    const streams = await openMany(session, 5);

    const [closedMs, ...events] = await Promise.all([closeTimed(app), ...streams.map((stream) => stream.rest())]);
    await session.closed();

    expect(unread.status).toBe(200);
    expect(closedMs).toBeGreaterThanOrEqual(490);
    expect(closedMs).toBeLessThan(2_000);
    for (const own of events) expect(own.map(({ data }) => data)).toEqual([SHUTDOWN]);
    expect(app.streams.connections.count).toBe(0);
  });
});

test('one server streams over HTTP/2 and HTTP/1.1, as each client has agreed with it, and ends both', async () => {
  const certificate = createCertificate();
  const adapter: Adapter = {
    ...http2,
    create: () => new FastifyAdapter({ http2: true, https: { ...certificate, allowHTTP1: true } } as object),
  };
  await using app = await startApp(adapter, { controllers: [TopicController] });
  await using session = await openSession(...addressOf(app.port, certificate));
  const modern = await session.open('/topic');
  const request = requestOverTls({
    ...{ port: app.port, host: '127.0.0.1', path: '/topic', servername: 'localhost', agent: false },
    ca: certificate.cert,
  }).end();
  let older = '';
  let isOver = false;
  request.on('response', (response) => {
    response.setEncoding('utf8').on('data', (text: string) => (older += text));
    response.once('close', () => (isOver = true));
  });
  await Promise.all([modern.receive('id: '), until(() => older.includes('id: '), 'the stream over HTTP/1.1')]);

  await app.streams.publish('topic', { data: 'to both' });
  const startedAt = performance.now();
  const [events] = await Promise.all([modern.rest(), app.nest.close()]);
  const closedMs = performance.now() - startedAt;
  await until(() => isOver, 'the end over HTTP/1.1');

  expect(events.map(({ data }) => data)).toEqual(['to both', SHUTDOWN]);
  expect(older.match(/^data: .*/gm)).toEqual(['data: to both', `data: ${SHUTDOWN}`]);
  expect(closedMs).toBeLessThan(1_500);
});

test.each(adapters)(
  'app.close() over HTTPS on $name is not held up by a connection without a handshake',
  async (adapter) => {
    const certificate = createCertificate();
    const https = { ...adapter, create: () => new FastifyAdapter({ https: certificate } as object) };
    await using app = await startApp(adapter.isFastify ? https : adapter, {
      controllers: [TopicController],
      nest: { httpsOptions: certificate },
    });
    await using silent = await openRaw(app.port);
    const startedAt = performance.now();

    await app.nest.close();
    await silent.closed();

    expect(performance.now() - startedAt).toBeLessThan(1_500);
  },
);

/** What a client needs to connect: with a certificate, over TLS, and trusting nothing else. */
function addressOf(port: number, certificate: Certificate | undefined): Parameters<typeof openSession> {
  if (certificate === undefined) return [`http://127.0.0.1:${port}`];
  return [`https://127.0.0.1:${port}`, { ca: certificate.cert, servername: 'localhost' }];
}
