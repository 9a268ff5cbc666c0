import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import { NEVER, of } from 'rxjs';
import { type Watch, watchProcess } from '../support/watch.js';
import { type Adapter, type TestApp, adapters, startApp, transports } from '../support/app.js';
import { type HandlerContext, streamOf } from '../support/controllers.js';
import { until } from '../support/until.js';

let watch: Watch;
beforeEach(() => void (watch = watchProcess()));
afterEach(() => {
  watch[Symbol.dispose]();
  expect(watch.seen).toEqual([]);
});

/** Calls back for each request, before anything else does. */
function onRequest(nest: INestApplication, { isFastify }: Adapter, call: (raw: ServerResponse) => void): void {
  if (!isFastify) {
    nest.use((_: IncomingMessage, response: ServerResponse, next: () => void) => {
      call(response);
      next();
    });
    return;
  }
  const fastify = nest.getHttpAdapter().getInstance() as FastifyInstance;
  fastify.addHook('onRequest', async (_, reply) => call(reply.raw));
}

/** What has become of the responses of an application. */
class Responses {
  readonly ended: unknown[][] = [];
  readonly errors: unknown[] = [];
  closed = 0;
  hooks = 0;
  raw: ServerResponse | undefined;

  watch(nest: INestApplication, adapter: Adapter): void {
    onRequest(nest, adapter, (raw) => {
      this.raw = raw;
      const { end } = raw;
      raw.end = (...given: unknown[]) => {
        this.ended.push(given);
        return (end as (...given: unknown[]) => ServerResponse).apply(raw, given);
      };
      raw.on('close', () => this.closed++).on('error', (error) => this.errors.push(error));
    });
    if (!adapter.isFastify) return;
    const fastify = nest.getHttpAdapter().getInstance() as FastifyInstance;
    fastify.addHook('onResponse', async () => void this.hooks++);
  }
}

const endings: readonly [name: string, handler: (context: HandlerContext) => unknown, end: (app: TestApp) => void][] = [
  ['its source completes', () => of('a'), () => undefined],
  ['it is closed', () => NEVER, (app) => app.streams.connections.list()[0]?.close()],
  ['its source fails', () => failing(), () => undefined],
  ['much is left when it is closed', () => of('x'.repeat(1_000_000)), () => undefined],
];

describe.each(transports)('on $name', (adapter) => {
  test.each(endings)('the response is ended once when %s', async (_, handler, end) => {
    const responses = new Responses();
    await using app = await startApp(adapter, {
      controllers: [streamOf(handler)],
      configure: (nest) => responses.watch(nest, adapter),
    });
    const stream = await app.open('/stream');
    await stream.receive('retry: ');

    end(app);
    await stream.body();
    await until(() => responses.closed > 0, 'the response to be closed');

    expect(stream.text).toContain('event: stream.e');
    expect(responses.ended).toHaveLength(1);
    expect(responses.hooks).toBe(adapter.isFastify ? 1 : 0);
  });

  test.each([
    ['text', false],
    ['packed', true],
  ])('the response is ended once when the client of a stream leaves, and nothing is written: %s', async (_, packed) => {
    const responses = new Responses();
    await using app = await startApp(adapter, {
      controllers: [streamOf(({ streams }) => streams.topic('topic'), { compression: packed })],
      configure: (nest) => responses.watch(nest, adapter),
    });
    const stream = await app.open('/stream', { headers: { 'accept-encoding': 'gzip' } });
    await stream.receive('id: ');
    const { raw } = responses;
    const listeners = raw!.listenerCount('finish');

    stream.leave();
    await until(() => responses.closed > 0 && app.streams.connections.count === 0, 'the connection to be freed');
    await new Promise((resolve) => setImmediate(resolve));

    expect(responses.ended).toEqual([[]]);
    expect(responses.hooks).toBe(adapter.isFastify ? 1 : 0);
    expect(responses.errors).toEqual([]);
    expect(raw!.listenerCount('finish')).toBeLessThanOrEqual(listeners);
  });

  test('the response is ended once when the client leaves before it is answered', async () => {
    const responses = new Responses();
    let proceed: () => void = () => undefined;
    let isEntered = false;
    const handler = async () => {
      isEntered = true;
      await new Promise<void>((resolve) => (proceed = resolve));
      return NEVER;
    };
    await using app = await startApp(adapter, {
      controllers: [streamOf(handler)],
      configure: (nest) => responses.watch(nest, adapter),
    });
    const leaving = new AbortController();
    const opening = fetchOrSkip(app, leaving.signal);
    await until(() => isEntered, 'the handler to be called');

    leaving.abort();
    await opening;
    await until(() => responses.closed > 0, 'the client to have left');
    proceed();
    await until(() => responses.ended.length > 0, 'the end');

    expect(responses.ended).toEqual([[]]);
    expect(responses.errors).toEqual([]);
    expect(responses.hooks).toBe(adapter.isFastify ? 1 : 0);
  });

  test('a response whose end a middleware puts off is not ended again when its client leaves meanwhile', async () => {
    let ends = 0;
    await using app = await startApp(adapter, {
      controllers: [streamOf(() => NEVER)],
      configure: (nest) =>
        onRequest(nest, adapter, (raw) => {
          raw.end = () => {
            ends++;
            return raw;
          };
        }),
    });
    const stream = await app.open('/stream');
    await stream.receive('retry: ');

    app.streams.connections.list()[0]?.close();
    expect(ends).toBe(1);
    stream.leave();
    await until(() => app.streams.connections.count === 0, 'the connection to be freed');

    expect(ends).toBe(1);
  });

  test('the responses of clients that do not read are ended once when the application closes', async () => {
    const responses = new Responses();
    await using app = await startApp(adapter, {
      controllers: [streamOf(() => of('x'.repeat(32 * 1_048_576)))],
      configure: (nest) => responses.watch(nest, adapter),
      options: { drain: { deadlineMs: 100 } },
    });
    await app.open('/stream');
    await until(() => app.streams.connections.count === 1, 'the stream to be open');

    await app.nest.close();
    await until(() => responses.closed > 0, 'the response to be closed');

    expect(responses.ended).toHaveLength(1);
    expect(responses.errors).toEqual([]);
  });
});

interface Session {
  [name: string]: unknown;
}

/** A middleware as `express-session` is one: what a request has changed is stored when its response ends, which waits for that. */
function sessions(store: Map<string, Session>) {
  return (request: IncomingMessage & { session?: Session }, response: ServerResponse, next: () => void): void => {
    const session = (request.session = { ...store.get('a') });
    const before = JSON.stringify(session);
    const end = response.end as (...given: unknown[]) => ServerResponse;
    let isEnded = false;
    response.end = (...given: unknown[]) => {
      if (isEnded) return response;
      isEnded = true;
      if (JSON.stringify(session) === before) return end.apply(response, given);
      void Promise.resolve(store.set('a', session)).then(() => end.apply(response, given));
      return response;
    };
    next();
  };
}

describe.each(adapters.filter(({ isFastify }) => !isFastify))('on $name', (adapter) => {
  test.each(['leaves', 'is told the end'])(
    'a session is stored, and a log line written, when the client %s',
    async (how) => {
      const store = new Map<string, Session>();
      const lines: string[] = [];
      const ends: number[] = [];
      await using app = await startApp(adapter, {
        controllers: [streamOf(() => NEVER)],
        configure: (nest) => {
          nest.use(sessions(store));
          nest.use(({ session }: { session: Session }, response: ServerResponse, next: () => void) => {
            session['seen'] = true;
            // As express-winston writes its line, and as morgan does.
            const end = response.end as (...given: unknown[]) => ServerResponse;
            response.end = (...given: unknown[]) => {
              response.end = end as typeof response.end;
              ends.push(response.statusCode);
              return response.end(...(given as []));
            };
            const log = () => void (lines.length === 0 && lines.push(`GET ${response.statusCode}`));
            response.on('finish', log).on('close', log);
            next();
          });
        },
      });
      const stream = await app.open('/stream');
      await stream.receive('retry: ');
      expect(store.size).toBe(0);

      if (how === 'leaves') stream.leave();
      else app.streams.connections.list()[0]?.close();
      await until(() => store.size > 0 && lines.length > 0, 'the session to be stored');
      await stream.body();

      expect(store.get('a')).toEqual({ seen: true });
      expect(lines).toEqual(['GET 200']);
      expect(ends).toEqual([200]);
    },
  );
});

async function fetchOrSkip(app: TestApp, signal: AbortSignal): Promise<void> {
  await app.open('/stream', { signal }).catch(() => undefined);
}

async function* failing(): AsyncGenerator<string> {
  yield 'a';
  throw new Error('failed');
}
