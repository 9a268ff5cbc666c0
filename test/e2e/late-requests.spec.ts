import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { type Watch, watchProcess } from '../support/watch.js';
import { type Adapter, type TestApp, startApp, transports } from '../support/app.js';
import { TopicController } from '../support/controllers.js';
import { until } from '../support/until.js';

const SSE = { headers: { accept: 'text/event-stream' } };

let watch: Watch;
beforeEach(() => void (watch = watchProcess()));
afterEach(() => {
  watch[Symbol.dispose]();
  expect(watch.seen).toEqual([]);
});

@Controller()
class PlainController {
  @Get('plain')
  plain() {
    return 'plain';
  }
}

/** An application whose closing waits for a plugin, as it stands when Fastify has begun to close. */
async function startClosing(adapter: Adapter): Promise<{ app: TestApp; closing: Promise<void>; proceed: () => void }> {
  let proceed: () => void = () => undefined;
  let isClosing = false;
  const proceeded = new Promise<void>((resolve) => (proceed = resolve));
  const app = await startApp(adapter, {
    controllers: [TopicController, PlainController],
    options: { retryMs: 1_000 },
    configure: (nest) => {
      (nest.getHttpAdapter().getInstance() as FastifyInstance).addHook('preClose', async () => {
        isClosing = true;
        await proceeded;
      });
    },
  });
  const closing = app.nest.close();
  await until(() => isClosing, 'Fastify to close');
  return { app, closing, proceed };
}

describe.each(transports.filter(({ isFastify }) => isFastify))('on $name, which has begun to close', (adapter) => {
  test('who asks for a stream is told to come back, and others have the 503 of Fastify', async () => {
    const { app, closing, proceed } = await startClosing(adapter);

    const [stream, plain, posted] = await Promise.all([
      app.open('/topic', SSE),
      app.open('/plain'),
      app.open('/topic', { ...SSE, method: 'POST' }),
    ]);
    const events = await stream.rest();
    await Promise.all([plain.body(), posted.body()]);
    proceed();
    await closing;

    expect([stream.status, plain.status, posted.status]).toEqual([200, 503, 503]);
    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(events.map(({ data }) => data)).toEqual(['{"reason":"shutdown","reconnect":true}']);
    expect(stream.retries[0]).toBeGreaterThanOrEqual(1_000);
    expect(stream.retries[0]).toBeLessThanOrEqual(3_000);
  });

  test('a page of another origin is dropped, and comes back: nobody can be asked what it may read', async () => {
    const { app, closing, proceed } = await startClosing(adapter);

    const asked = app.open('/topic', { headers: { ...SSE.headers, origin: 'https://app.example' } });
    await expect(asked).rejects.toThrow();
    expect((await app.open('/plain')).status).toBe(503);
    proceed();
    await closing;
  });

  test('with return503OnClosing: false it is the routes that answer, as before', async () => {
    const create = () => new FastifyAdapter({ http2: adapter.isHttp2, return503OnClosing: false } as object);
    const { app, closing, proceed } = await startClosing({ ...adapter, create });

    const [stream, plain] = await Promise.all([app.open('/topic'), app.open('/plain')]);
    const [events, body] = await Promise.all([stream.rest(), plain.body()]);
    proceed();
    await closing;

    expect(events.map(({ data }) => data)).toEqual(['{"reason":"shutdown","reconnect":true}']);
    expect(body).toBe('plain');
    expect(app.streams.connections.refused).toEqual({ shutdown: 1 });
  });
});
