import { describe, expect, test } from '@jest/globals';
import { type CallHandler, type ExecutionContext, NotFoundException } from '@nestjs/common';
import { type Observable, map, of, timeout } from 'rxjs';
import { adapters, startApp, transports } from '../support/app.js';
import { TopicController, streamOf } from '../support/controllers.js';
import { until } from '../support/until.js';

// The defects of Nest 12.5's own @Sse() that design/NEST.md lists, in its order. The fifth is in failure-filters.spec.ts.

const noop = { intercept: (_: ExecutionContext, next: CallHandler) => next.handle() };
const envelope = {
  intercept: (_: ExecutionContext, next: CallHandler<unknown>): Observable<unknown> =>
    next.handle().pipe(map((data) => ({ data, ok: true }))),
};
const timeouts = {
  intercept: (_: ExecutionContext, next: CallHandler): Observable<unknown> => next.handle().pipe(timeout(50)),
};

describe.each(transports)('on $name', (adapter) => {
  test('a handler that fails after an await answers its own status behind a global interceptor', async () => {
    const handler = async () => {
      await Promise.resolve();
      throw new NotFoundException('no such order');
    };
    await using app = await startApp(adapter, {
      controllers: [streamOf(handler)],
      configure: (nest) => nest.useGlobalInterceptors(noop),
    });

    const answer = await app.open('/stream');

    expect(answer.status).toBe(404);
    expect(JSON.parse(await answer.body())).toMatchObject({ message: 'no such order', statusCode: 404 });
  });

  test('a global interceptor that wraps results leaves events as they are', async () => {
    await using app = await startApp(adapter, {
      controllers: [streamOf(() => of({ type: 'tick', id: '7', data: { price: 1 } }))],
      configure: (nest) => nest.useGlobalInterceptors(envelope),
    });

    const stream = await app.open('/stream');

    expect(await stream.next()).toEqual({ type: 'tick', id: '7', data: '{"price":1}' });
  });

  test('a global interceptor with a timeout does not end a stream that is silent for longer', async () => {
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { heartbeatMs: 25 },
      configure: (nest) => nest.useGlobalInterceptors(timeouts),
    });
    const stream = await app.open('/topic');
    await stream.receive(/(:\n[^]*){4}/);

    await app.streams.publish('topic', { data: 'late' });

    expect(await stream.next()).toMatchObject({ data: 'late' });
  });

  test('the application closes while streams are open', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const streams = [await app.open('/topic'), await app.open('/topic'), await app.open('/all')];

    const [events] = await Promise.all([Promise.all(streams.map((stream) => stream.rest())), app.nest.close()]);

    for (const [end] of events) {
      expect(end).toMatchObject({ type: 'stream.end', data: '{"reason":"shutdown","reconnect":true}' });
    }
    expect(app.streams.connections.count).toBe(0);
  });

  test('a client that sends the id of the last event it has seen gets every later one once', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const first = await app.open('/topic');
    for (let n = 0; n < 10; n++) await app.streams.publish('topic', { data: n });
    const seen = await first.take(4);
    first.leave();

    const second = await app.open('/topic', { headers: { 'last-event-id': String(seen.at(-1)?.id) } });
    const missed = await second.take(6);
    await app.streams.publish('topic', { data: 'live' });

    expect(missed.map(({ data }) => data)).toEqual(['4', '5', '6', '7', '8', '9']);
    expect(await second.next()).toMatchObject({ data: 'live' });
  });

  test('a generator is pulled only as far as a client reads, and loses nothing', async () => {
    let pulled = 0;
    function* numbers() {
      for (; pulled < 20_000; pulled++) yield { n: pulled, padding: 'x'.repeat(500) };
    }
    await using app = await startApp(adapter, { controllers: [streamOf(() => numbers())] });

    const stream = await app.open('/stream');
    await untilStill(() => pulled);
    const pulledWhilePaused = pulled;
    const events = await stream.rest();

    expect(pulledWhilePaused).toBeLessThan(19_000);
    const received = events.slice(0, -1).map(({ data }) => (JSON.parse(data) as { n: number }).n);
    expect(received).toEqual(Array.from({ length: 20_000 }, (_, n) => n));
    expect(events.at(-1)?.type).toBe('stream.end');
  });
});

describe.each(adapters.filter(({ isFastify }) => isFastify))('on $name', (adapter) => {
  // The plugin itself is in fastify-cookie.spec.ts: Jest cannot load it in CommonJS.
  test('what an onSend hook adds to the head arrives', async () => {
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      configure: (nest) => {
        const fastify = nest.getHttpAdapter().getInstance() as { addHook(name: string, hook: OnSend): void };
        fastify.addHook('onSend', async (_, reply) => void reply.header('set-cookie', 'seen=yes'));
      },
    });

    const stream = await app.open('/topic');

    expect(stream.headers.get('set-cookie')).toBe('seen=yes');
  });
});

type OnSend = (request: unknown, reply: { header(name: string, value: string): unknown }) => Promise<void>;

/** Waits until a number no longer grows. */
async function untilStill(read: () => number): Promise<void> {
  let last = -1;
  let since = performance.now();
  await until(() => {
    if (read() !== last) {
      last = read();
      since = performance.now();
    }
    return last > 0 && performance.now() - since > 100;
  }, 'the number to stand still');
}
