import { describe, expect, test } from '@jest/globals';
import { type CanActivate, Controller, NotFoundException, UseGuards } from '@nestjs/common';
import { NEVER, of, throwError } from 'rxjs';
import { type RefusalReason, type SseConnection, type SseModuleOptions, SseStream } from 'nestjs-event-stream';
import { type TestApp, adapters, startApp, trustingAdapters } from '../support/app.js';
import { type HandlerContext, TopicController, streamOf } from '../support/controllers.js';
import { GuardedController, as, byName } from '../support/people.js';
import { openRaw } from '../support/raw.js';
import type { Stream } from '../support/stream.js';
import { until } from '../support/until.js';

const limited = (limits: SseModuleOptions['limits']) => ({
  controllers: [GuardedController],
  options: { authenticate: byName, limits },
});

/** Whether a request was given a stream, or told to come back later. */
async function openness(opening: Promise<Stream>): Promise<'open' | 'refused' | number> {
  const stream = await opening;
  if (stream.status !== 200) return stream.status;
  await stream.receive(/retry: \d+\n: /);
  if (/^retry: 3000\n: heartbeat /.test(stream.text)) return 'open';
  await stream.rest();
  return stream.text.includes(': too many streams are open') ? 'refused' : 'open';
}

async function openFrom(app: TestApp, ...addresses: string[]): Promise<unknown[]> {
  const answers: unknown[] = [];
  for (const address of addresses) {
    const { authorization } = as('ann').headers;
    answers.push(
      await openness(app.open('/source', { headers: { authorization: authorization!, 'x-forwarded-for': address } })),
    );
  }
  return answers;
}

describe.each(adapters)('on $name', (adapter) => {
  test('the route says when to come back, if it says anything of it', async () => {
    await using app = await startApp(adapter, {
      controllers: [streamOf(() => NEVER, { retryMs: 60_000 })],
      options: { limits: { connections: 1 } },
    });
    await app.open('/stream');

    const answer = await app.open('/stream');
    await answer.body();

    expect(answer.retries[0]).toBeGreaterThanOrEqual(60_000);
  });

  test('whoever is too many is answered with when to come back, and no handler is called', async () => {
    const refused: (readonly [string | undefined, RefusalReason])[] = [];
    const hooks = {
      onRefused: ({ principal }: SseConnection, reason: RefusalReason) => refused.push([principal?.id, reason]),
    };
    const { controllers, options } = limited({ connections: 1 });
    await using app = await startApp(adapter, { controllers, options: { ...options, hooks, retryMs: 1_000 } });
    await app.open('/source', as('ann'));

    const answer = await app.open('/source', as('bob'));
    const body = await answer.body();

    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(body).toMatch(/^retry: \d+\n: too many streams are open\n$/);
    expect(answer.isEnded).toBe(true);
    expect(answer.retries[0]).toBeGreaterThanOrEqual(1_000);
    expect(answer.retries[0]).toBeLessThanOrEqual(3_000);
    expect(app.nest.get(GuardedController).calls).toBe(1);
    expect(app.streams.connections).toMatchObject({ count: 1, refused: { connections: 1 } });
    expect(refused).toEqual([['bob', 'connections']]);
  });

  test('those who are refused together are told to come back at different times', async () => {
    await using app = await startApp(adapter, limited({ connections: 1 }));
    await app.open('/source', as('ann'));

    const answers = await Promise.all(Array.from({ length: 30 }, () => app.open('/source', as('bob'))));
    await Promise.all(answers.map((answer) => answer.body()));
    const retries = answers.flatMap((answer) => answer.retries);

    expect(retries).toHaveLength(30);
    expect(new Set(retries).size).toBeGreaterThan(20);
    expect(Math.max(...retries) - Math.min(...retries)).toBeGreaterThan(2_000);
    expect(app.streams.connections.refused).toEqual({ connections: 30 });
  });

  test('one principal may have as many streams as the limit says, whatever the others have', async () => {
    await using app = await startApp(adapter, limited({ connectionsPerPrincipal: 2 }));
    const answers: unknown[] = [];

    for (const who of ['ann', 'ann', 'ann', 'bob', 'bob', 'bob'])
      answers.push(await openness(app.open('/source', as(who))));

    expect(answers).toEqual(['open', 'open', 'refused', 'open', 'open', 'refused']);
    expect(app.streams.connections.refused).toEqual({ connectionsPerPrincipal: 2 });
  });

  test('of requests that come at once, exactly as many get in as the limit says', async () => {
    await using app = await startApp(adapter, limited({ connections: 20, connectionsPerPrincipal: 7 }));
    const names = Array.from({ length: 60 }, (_, n) => ['ann', 'bob', 'cyn'][n % 3]!);

    const answers = await Promise.all(names.map((who) => openness(app.open('/source', as(who)))));

    expect(answers.filter((answer) => answer === 'open')).toHaveLength(20);
    expect(app.streams.connections.count).toBe(20);
    expect(app.nest.get(GuardedController).calls).toBe(20);
    for (const who of ['ann', 'bob', 'cyn']) {
      const own = app.streams.connections.list().filter(({ principal }) => principal?.id === who);
      expect(own.length).toBeLessThanOrEqual(7);
    }
  });

  test('X-Forwarded-For is not believed unless the adapter trusts its proxy', async () => {
    await using app = await startApp(adapter, limited({ connectionsPerAddress: 1 }));

    expect(await openFrom(app, '203.0.113.1', '203.0.113.2')).toEqual(['open', 'refused']);
    expect(app.streams.connections.list()[0]?.address).toMatch(/127\.0\.0\.1$/);
    expect(app.streams.connections.refused).toEqual({ connectionsPerAddress: 1 });
  });

  test('a place is free as soon as its stream is over', async () => {
    await using app = await startApp(adapter, limited({ connections: 1 }));

    for (let n = 0; n < 10; n++) {
      const stream = await app.open('/source', as('ann'));
      await stream.receive('retry: 3000');
      app.streams.connections.list()[0]!.close();
      await stream.rest();
      await until(() => app.streams.connections.count === 0, 'the place');
    }

    expect(app.streams.connections.refused).toEqual({});
  });

  test.each([2, 3])('%i topics for one connection are the most, at connect and on subscribe', async (most) => {
    await using app = await startApp(adapter, limited({ topicsPerConnection: most }));
    const names = Array.from({ length: most }, (_, n) => `topic=${n}`).join('&');
    const stream = await app.open(`/read?${names}`, as('ann'));
    await stream.receive('id: ');
    const [connection] = app.streams.connections.list();

    await expect(connection!.subscribe('more')).rejects.toMatchObject({ code: 'too-many-topics' });
    await connection!.subscribe('0');
    connection!.unsubscribe('0');
    await connection!.subscribe('more');

    expect(connection!.topics).toHaveLength(most);
    expect((await app.open(`/read?${names}&topic=more`, as('ann'))).status).toBe(400);
  });

  test.each([1, 2])('%i patterns for one connection are the most, at connect and on subscribe', async (most) => {
    await using app = await startApp(adapter, limited({ patternsPerConnection: most }));
    const patterns = Array.from({ length: most }, (_, n) => `topic=${n}/*`).join('&');
    const stream = await app.open(`/read?${patterns}&topic=a&topic=b&topic=c`, as('ann'));
    await stream.receive('id: ');
    const [connection] = app.streams.connections.list();

    await expect(connection!.subscribe('more/**')).rejects.toMatchObject({
      code: 'too-many-topics',
      message: `One connection may read ${most} patterns (limits.patternsPerConnection)`,
    });
    await connection!.subscribe('d');
    connection!.unsubscribe('0/*');
    await connection!.subscribe('more/**');

    expect((await app.open(`/read?${patterns}&topic=more/**`, as('ann'))).status).toBe(400);
  });

  test('topics that are subscribed to at the same moment do not get past the limit together', async () => {
    const authorize = async () => true;
    const { controllers, options } = limited({ topicsPerConnection: 3 });
    await using app = await startApp(adapter, { controllers, options: { ...options, authorize } });
    const stream = await app.open('/read?topic=a', as('ann'));
    await stream.receive('id: ');
    const [connection] = app.streams.connections.list();

    const names = Array.from({ length: 10 }, (_, n) => `t/${n}`);
    await Promise.allSettled(names.map((name) => connection!.subscribe(name)));

    expect(connection!.topics.length).toBeLessThanOrEqual(3);
  });

  class Refusing implements CanActivate {
    canActivate(): boolean {
      return false;
    }
  }
  let proceed: () => void = () => undefined;
  class Waiting implements CanActivate {
    async canActivate(): Promise<boolean> {
      await new Promise<void>((resolve) => (proceed = resolve));
      return true;
    }
  }
  @Controller()
  class EndsController {
    @SseStream('missing')
    async missing(): Promise<never> {
      await Promise.resolve();
      throw new NotFoundException();
    }

    @SseStream('refused')
    @UseGuards(Refusing)
    refused() {
      return NEVER;
    }

    @SseStream('waiting')
    @UseGuards(Waiting)
    waiting() {
      return NEVER;
    }

    @SseStream('complete')
    complete() {
      return of(1);
    }

    @SseStream('failed')
    failed() {
      return throwError(() => new Error('away'));
    }

    @SseStream('nothing')
    nothing(): unknown {
      return { no: 'source' };
    }

    @SseStream('never')
    never() {
      return NEVER;
    }

    @SseStream('bad-header', { headers: { 'x-bad': 'a\nb' } })
    badHeader() {
      return NEVER;
    }
  }
  const one = {
    controllers: [EndsController, TopicController],
    options: { limits: { connections: 1, connectionsPerAddress: 1 }, authorize: () => true },
  };

  test.each([
    ['a handler that throws', '/missing', {}, 404],
    ['a guard that refuses', '/refused', {}, 403],
    ['what cannot be streamed', '/nothing', {}, 500],
    ['a header that cannot be sent', '/bad-header', {}, 500],
    ['a source that completes', '/complete', {}, 200],
    ['a source that fails', '/failed', {}, 200],
    ['a HEAD', '/never', { method: 'HEAD' }, 200],
    ['an end that is over for good', '/never', { headers: { 'last-event-id': 'stream.end' } }, 204],
    ['a POST', '/never', { method: 'POST' }, 404],
  ])('%s leaves its place', async (_, path, init, status) => {
    await using app = await startApp(adapter, one);

    for (let n = 0; n < 3; n++) {
      const answer = await app.open(path, init);
      await answer.body();
      await until(() => app.streams.connections.count === 0, 'the connection to be freed');
      expect(answer.status).toBe(status);
    }

    expect(app.streams.connections.refused).toEqual({});
    expect(await openness(app.open('/never'))).toBe('open');
  });

  test('a client that leaves while a guard runs leaves its place', async () => {
    await using app = await startApp(adapter, one);
    await using client = await openRaw(app.port, 'GET /waiting HTTP/1.1', 'Host: x');
    const before = proceed;
    await until(() => proceed !== before, 'the guard to be asked');

    client.socket.destroy();
    await client.closed();
    proceed();

    await untilOpen(app);
  });

  test('a client that leaves while the handler runs leaves its place', async () => {
    let connection: SseConnection | undefined;
    const handler = (context: HandlerContext) => {
      if (connection !== undefined) return NEVER;
      ({ connection } = context);
      return new Promise(() => undefined);
    };
    await using app = await startApp(adapter, { ...one, controllers: [streamOf(handler), EndsController] });
    await using client = await openRaw(app.port, 'GET /stream HTTP/1.1', 'Host: x');
    await until(() => connection !== undefined, 'the handler to be called');
    expect(await openness(app.open('/never'))).toBe('refused');

    client.socket.destroy();
    await until(() => connection?.signal.aborted, 'the server to see it');

    expect(await openness(app.open('/never'))).toBe('open');
  });

  test('a client that leaves an open stream leaves its place', async () => {
    await using app = await startApp(adapter, one);
    const stream = await app.open('/topic');
    await stream.receive('id: ');

    stream.leave();
    await until(() => app.streams.connections.count === 0, 'the server to see it');

    expect(await openness(app.open('/never'))).toBe('open');
  });

  test('who is refused takes no place, however often', async () => {
    await using app = await startApp(adapter, one);
    const stream = await app.open('/never');
    await stream.receive('retry');
    for (let n = 0; n < 20; n++) expect(await openness(app.open('/never'))).toBe('refused');

    stream.leave();
    await until(() => app.streams.connections.count === 0, 'the place');

    expect(await openness(app.open('/never'))).toBe('open');
  });

  test('a HEAD of one who is too many is answered like any other', async () => {
    await using app = await startApp(adapter, one);
    await (await app.open('/never')).receive('retry');

    const answer = await app.open('/never', { method: 'HEAD' });

    expect(answer.status).toBe(200);
    expect(await answer.body()).toBe('');
  });
});

describe.each(trustingAdapters)('on $name behind a proxy that it trusts', (adapter) => {
  test.each([
    [
      ['203.0.113.1', '203.0.113.2', '203.0.113.1'],
      ['open', 'open', 'refused'],
    ],
    [
      ['2001:db8:1:2::1', '2001:db8:1:2:3:4:5:6', '2001:db8:1:3::1'],
      ['open', 'refused', 'open'],
    ],
    [
      ['::ffff:203.0.113.1', '203.0.113.1', '::ffff:203.0.113.2'],
      ['open', 'refused', 'open'],
    ],
    [
      ['2001:DB8:1:2::1', '2001:0db8:0001:0002::9'],
      ['open', 'refused'],
    ],
  ])('clients from %j are %j', async (addresses, answers) => {
    await using app = await startApp(adapter, limited({ connectionsPerAddress: 1 }));

    expect(await openFrom(app, ...addresses)).toEqual(answers);
  });

  test('the address of a client is on its connection', async () => {
    await using app = await startApp(adapter, limited({}));

    await openFrom(app, '203.0.113.1');

    expect(app.streams.connections.list()[0]?.address).toBe('203.0.113.1');
  });

  test('a forwarded address that is none takes no other client down', async () => {
    await using app = await startApp(adapter, limited({ connectionsPerAddress: 1 }));

    const answers = await openFrom(app, 'unknown', '_hidden', 'x'.repeat(4_000), '203.0.113.1');

    expect(answers).toEqual(['open', 'open', 'open', 'open']);
  });
});

/** Opens a stream as soon as there is room. */
async function untilOpen(app: TestApp): Promise<void> {
  const answers: unknown[] = [];
  while (answers.at(-1) !== 'open' && answers.length < 100) answers.push(await openness(app.open('/never')));
  expect(answers.at(-1)).toBe('open');
}
