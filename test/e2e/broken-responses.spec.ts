import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import compression from 'compression';
import type { FastifyInstance } from 'fastify';
import { NEVER, Subject } from 'rxjs';
import type { SseConnection, SseModuleOptions } from 'nestjs-event-stream';
import { type Watch, watchProcess } from '../support/watch.js';
import { type Adapter, type TestApp, adapters, startApp, transports } from '../support/app.js';
import { type HandlerContext, TopicController, streamOf } from '../support/controllers.js';
import { openRaw } from '../support/raw.js';
import { until } from '../support/until.js';

const BROKEN = 'the middleware is broken';

let watch: Watch;
beforeEach(() => void (watch = watchProcess()));
afterEach(async () => {
  // What has been rejected is told behind the microtasks of its turn.
  await new Promise((resolve) => setImmediate(resolve));
  watch[Symbol.dispose]();
  expect(watch.seen).toEqual([]);
});

type Method = 'write' | 'end' | 'flush' | 'writeHead';
const fail = (): never => {
  throw new Error(BROKEN);
};
const reject = (): Promise<never> => Promise.reject(new Error(BROKEN));

/** Puts a method of its own in the place of one of the response's, which fails once it is told to. */
class BrokenMiddleware {
  isArmed = false;

  constructor(
    readonly method: Method,
    readonly failing: () => unknown,
  ) {}

  install(nest: INestApplication, { isFastify }: Adapter): void {
    const patch = ({ url }: IncomingMessage, raw: ServerResponse) => void (url?.includes('broken') && this.#patch(raw));
    if (isFastify) {
      (nest.getHttpAdapter().getInstance() as FastifyInstance).addHook('onRequest', async (request, reply) =>
        patch(request.raw, reply.raw),
      );
    } else {
      nest.use((request: IncomingMessage, response: ServerResponse, next: () => void) => {
        patch(request, response);
        next();
      });
    }
  }

  #patch(raw: ServerResponse): void {
    const target = raw as unknown as Record<string, (...given: unknown[]) => unknown>;
    const own = target[this.method];
    target[this.method] = (...given) => (this.isArmed ? this.failing() : own?.apply(raw, given));
    // What has a `flush` keeps what is written.
    const { write } = target;
    if (this.method === 'flush') target['write'] = (...given) => write?.apply(raw, given);
  }
}

interface Heard {
  readonly errors: string[];
  readonly closed: string[];
}

const connectionOf = (app: TestApp): SseConnection =>
  app.streams.connections.list().find(({ request }) => String(request.url).includes('broken'))!;

async function startBroken(
  adapter: Adapter,
  middleware: BrokenMiddleware,
  { handler = ({ streams }) => streams.topic('topic'), ...options }: StartOptions = {},
): Promise<{ app: TestApp; heard: Heard }> {
  const heard: Heard = { errors: [], closed: [] };
  const app = await startApp(adapter, {
    controllers: [streamOf(handler), TopicController],
    options: {
      onError: (error) => heard.errors.push(error instanceof Error ? error.message : String(error)),
      hooks: { onClosed: ({ request }, reason) => heard.closed.push(`${String(request.url)} ${reason}`) },
      ...options,
    },
    configure: (nest) => middleware.install(nest, adapter),
  });
  return { app, heard };
}
type StartOptions = SseModuleOptions & { readonly handler?: (context: HandlerContext) => unknown };

const source = new Subject<unknown>();
const occasions: readonly [name: string, method: Method, act: (app: TestApp) => unknown, given: StartOptions][] = [
  ['a heartbeat', 'write', () => undefined, { heartbeatMs: 200 }],
  ['the flush after a heartbeat', 'flush', () => undefined, { heartbeatMs: 200 }],
  ['an event of a topic', 'write', (app) => app.streams.publish('topic', { data: 1 }), {}],
  ['the flush after an event', 'flush', (app) => app.streams.publish('topic', { data: 1 }), {}],
  ['an event that was changed', 'write', (app) => app.streams.publish('topic', { data: 1 }), mapped()],
  ['a value of a source', 'write', () => source.next(1), { handler: () => source }],
  ['a large value of a source', 'write', () => source.next('x'.repeat(300_000)), { handler: () => source }],
  ['what is sent to one client', 'write', (app) => connectionOf(app).send({ data: 1 }), {}],
  ['the end', 'end', (app) => connectionOf(app).close(), {}],
  ['the end of a source', 'end', () => endless.forEach((end) => end()), { handler: () => untilEnded() }],
  ['a packed event', 'write', (app) => app.streams.publish('topic', { data: 1 }), { compression: true }],
  ['a packed end', 'end', (app) => connectionOf(app).close(), { compression: true }],
];
const failures = [
  ['throws', fail],
  ['rejects', reject],
] as const;
const cases = transports.flatMap((adapter) => failures.map(([how, failing]) => ({ ...adapter, how, failing })));

function mapped(): StartOptions {
  return { handler: ({ streams }) => streams.topic('topic').map((event) => event) };
}

const endless: (() => void)[] = [];
async function* untilEnded(): AsyncGenerator<number> {
  yield 1;
  await new Promise<void>((resolve) => endless.push(resolve));
}

describe.each(cases)('on $name, a method of the response that $how', (adapter) => {
  test.each(occasions)('at %s ends that stream, and nobody else hears of it', async (_, method, act, given) => {
    const middleware = new BrokenMiddleware(method, adapter.failing);
    const { app, heard } = await startBroken(adapter, middleware, given);
    await using owned = app;
    const stream = await app.open('/stream?broken', { headers: { 'accept-encoding': 'gzip' } });
    const other = await app.open('/topic');
    await Promise.all([stream.receive('retry: '), other.receive('id: ')]);
    await until(() => app.streams.connections.count === 2, 'both streams');

    middleware.isArmed = true;
    await act(app);
    await stream.body();
    await until(() => heard.errors.length > 0, 'the failure to be told');
    middleware.isArmed = false;
    await owned.streams.publish('topic', { data: 'after' });

    expect(heard.errors).toEqual([BROKEN]);
    expect(heard.closed).toEqual(['/stream?broken failed']);
    // Cut, and not ended as if it was complete; over HTTP/2 a client of text sees no difference.
    expect(adapter.isHttp2 || stream.error !== undefined).toBe(true);
    expect(app.streams.connections.count).toBe(1);
    await other.receive('data: after');
  });

  test('as the application closes holds nobody up', async () => {
    const middleware = new BrokenMiddleware('end', adapter.failing);
    const { app, heard } = await startBroken(adapter, middleware);
    await using owned = app;
    const streams = [
      await owned.open('/stream?broken'),
      await owned.open('/topic'),
      await owned.open('/stream?broken'),
    ];
    await Promise.all(streams.map((stream) => stream.receive('id: ')));

    middleware.isArmed = true;
    const [, ...events] = await Promise.all([owned.nest.close(), ...streams.map((stream) => stream.rest())]);

    expect(events[1]?.map(({ type }) => type)).toEqual(['stream.end']);
    expect(heard.errors).toEqual([BROKEN, BROKEN]);
    expect(heard.closed.sort()).toEqual(['/stream?broken failed', '/stream?broken failed', '/topic shutdown']);
  });

  test('as a stream is refused drops that answer', async () => {
    const middleware = new BrokenMiddleware('end', adapter.failing);
    const { app, heard } = await startBroken(adapter, middleware, { limits: { connections: 1 } });
    await using owned = app;
    const first = await owned.open('/topic');
    await first.receive('id: ');

    middleware.isArmed = true;
    const refused = await owned.open('/stream?broken').catch(() => undefined);
    await refused?.body();
    await until(() => heard.errors.length > 0, 'the failure to be told');
    await owned.streams.publish('topic', { data: 'after' });

    expect(await first.next()).toMatchObject({ data: 'after' });
    expect(refused?.text ?? '').toBe('');
    expect(heard.errors).toEqual([BROKEN]);
  });

  test('as the head is sent is answered by the exception filters, or with no answer, and opens nothing', async () => {
    const middleware = new BrokenMiddleware('writeHead', () => {
      // Once: the answer of the filter goes through.
      middleware.isArmed = false;
      return adapter.failing();
    });
    const { app } = await startBroken(adapter, middleware);
    await using owned = app;

    middleware.isArmed = true;
    const stream = await owned.open('/stream?broken');

    expect(stream.status).toBe(500);
    expect(await stream.body()).not.toContain(BROKEN);
    expect(owned.streams.connections.count).toBe(0);
  });
});

describe.each(adapters.flatMap((adapter) => failures.map(([how, failing]) => ({ ...adapter, how, failing }))))(
  'on $name, a write that $how',
  (adapter) => {
    test.each(['an event', 'a heartbeat'])('to a client of HTTP/1.0 at %s ends that stream only', async (occasion) => {
      const middleware = new BrokenMiddleware('write', adapter.failing);
      const { app, heard } = await startBroken(adapter, middleware, { heartbeatMs: 200 });
      await using owned = app;
      await using client = await openRaw(owned.port, 'GET /stream?broken HTTP/1.0');
      await client.receive('id: ');

      middleware.isArmed = true;
      if (occasion === 'an event') await owned.streams.publish('topic', { data: 1 });
      await client.closed();

      expect(heard).toEqual({ errors: [BROKEN], closed: ['/stream?broken failed'] });
    });

    test('of a compression middleware ends that stream only', async () => {
      const middleware = new BrokenMiddleware('write', adapter.failing);
      const heard: Heard = { errors: [], closed: [] };
      await using app = await startApp(adapter, {
        controllers: [TopicController, streamOf(() => NEVER, { headers: { 'cache-control': 'no-cache' } })],
        options: {
          heartbeatMs: 200,
          onError: (error) => heard.errors.push((error as Error).message),
          hooks: { onClosed: ({ request }, reason) => heard.closed.push(`${String(request.url)} ${reason}`) },
        },
        configure: (nest) => {
          nest.use(compression({ filter: () => true }));
          middleware.install(nest, adapter);
        },
      });
      const stream = await app.open('/stream?broken', { headers: { 'accept-encoding': 'gzip' } });
      await stream.receive('retry: ');

      middleware.isArmed = true;
      await stream.body();

      expect(heard).toEqual({ errors: [BROKEN], closed: ['/stream?broken failed'] });
    });
  },
);
