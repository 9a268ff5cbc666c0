import { describe, expect, test } from '@jest/globals';
import { Controller, UseGuards } from '@nestjs/common';
import {
  Connection,
  type Principal,
  type SseConnection,
  SseStream,
  StreamGuard,
  type StreamRequest,
  defineTopic,
} from 'nestjs-event-stream';
import { type TestApp, adapters, startApp } from '../support/app.js';
import { TopicController } from '../support/controllers.js';
import { GuardedController, as, byName } from '../support/people.js';

const hub = { path: 'events' };
const connectionOf = (app: TestApp): SseConnection => app.streams.connections.list()[0]!;
const topicOf = (name: string): string => `/events?topic=${encodeURIComponent(name)}`;

/** What an answer tells whoever looks at it closely. */
async function seenOf(app: TestApp, path: string, init: RequestInit = {}) {
  const answer = await app.open(path, init);
  const headers = [...answer.headers].filter(([name]) => name !== 'date');
  return { status: answer.status, headers, body: await answer.body() };
}

describe.each(adapters)('on $name', (adapter) => {
  test('StreamGuard puts whom authenticate has made out on the connection, as it was', async () => {
    const ann: Principal = { id: 'ann', role: 'reader', issuedAt: new Date(0) };
    await using app = await startApp(adapter, {
      controllers: [GuardedController],
      options: { authenticate: async () => ann },
    });

    await app.open('/source');

    expect(connectionOf(app).principal).toBe(ann);
  });

  test.each([
    ['null', () => null, 401],
    ['undefined', () => undefined, 401],
    ['a promise of null', async () => null, 401],
    ['a principal without an id', () => ({}), 500],
    ['an id that is a number', () => ({ id: 7 }), 500],
    ['an id that is an object', () => ({ id: {} }), 500],
    ['true', () => true, 500],
    ['an expiry that is no time', () => ({ id: 'ann', expiresAt: new Date('never') }), 401],
    ['an expiry that is text', () => ({ id: 'ann', expiresAt: 'tomorrow' }), 401],
    ['a throw', () => fail('db.internal is away'), 500],
    ['a rejection', async () => fail('db.internal is away'), 500],
  ])('StreamGuard answers %s of authenticate without a stream, and says nothing of why', async (_, given, status) => {
    const authenticate = given as unknown as (request: StreamRequest) => Principal | null;
    await using app = await startApp(adapter, { controllers: [GuardedController], options: { authenticate } });

    const answer = await app.open('/source');

    expect(answer.status).toBe(status);
    expect(await answer.body()).not.toMatch(/db\.internal|authenticate/);
    expect(app.streams.connections.count).toBe(0);
    expect(app.nest.get(GuardedController).calls).toBe(0);
  });

  test('StreamGuard without authenticate lets nobody in', async () => {
    await using app = await startApp(adapter, { controllers: [GuardedController] });

    expect((await app.open('/source')).status).toBe(500);
    expect((await app.open('/source?ticket=made-up')).status).toBe(401);
    expect(app.streams.connections.count).toBe(0);
  });

  test('StreamGuard guards one route of a controller, and the others have nobody on the connection', async () => {
    @Controller()
    class MixedController {
      @SseStream('closed')
      @UseGuards(StreamGuard)
      *closed(@Connection() { principal }: SseConnection) {
        yield principal?.id;
      }

      @SseStream('open')
      *open(@Connection() { principal }: SseConnection) {
        yield principal;
      }
    }
    await using app = await startApp(adapter, { controllers: [MixedController], options: { authenticate: byName } });

    expect((await app.open('/closed')).status).toBe(401);
    expect(await (await app.open('/closed', as('ann'))).next()).toEqual({ data: 'ann' });
    expect(await (await app.open('/open', as('ann'))).next()).toEqual({ data: 'null' });
  });

  test('authorize is asked once for each topic, at connect, at resume and on subscribe', async () => {
    const asked: (string | undefined)[] = [];
    const authorize = (principal: Principal | null, topic: string) => {
      asked.push(`${String(principal?.id)} ${topic}`);
      return true;
    };
    await using app = await startApp(adapter, {
      controllers: [GuardedController],
      options: { authenticate: byName, authorize },
    });

    const first = await app.open('/read?topic=a&topic=b', as('ann'));
    await first.receive('id: ');
    expect(asked.splice(0)).toEqual(['ann a', 'ann b']);

    await connectionOf(app).subscribe('news/*');
    expect(asked.splice(0)).toEqual(['ann news/*']);

    const { id } = await app.streams.publish('a', { data: 1 });
    await first.next();
    const second = await app.open('/read?topic=a&topic=b', as('bob', id));
    await second.receive('id: ');
    expect(asked).toEqual(['bob a', 'bob b']);
  });

  test('an authorize of before does not count: who may no longer read is refused at resume', async () => {
    const readers = new Set(['ann']);
    await using app = await startApp(adapter, {
      controllers: [GuardedController],
      options: { authenticate: byName, authorize: (principal) => readers.has(String(principal?.id)) },
    });
    const first = await app.open('/read?topic=a', as('ann'));
    await first.receive('id: ');
    const { id } = await app.streams.publish('a', { data: 'seen' });
    await app.streams.publish('a', { data: 'kept from her' });
    first.leave();
    readers.clear();

    const second = await app.open('/read?topic=a', as('ann', id));

    expect(second.status).toBe(403);
    expect(await second.body()).not.toContain('kept');
  });

  test('the hub route reads nothing that authorize has not allowed, whoever asks', async () => {
    const authorize = (principal: Principal | null, topic: string) => principal !== null && topic === 'open';
    await using app = await startApp(adapter, { options: { hub, authenticate: byName, authorize } });
    const paths = [topicOf('open'), topicOf('other'), `${topicOf('open')}&topic=other`, topicOf('*'), topicOf('**')];

    const anonymous = await Promise.all(paths.map(async (path) => (await app.open(path)).status));
    const known = await Promise.all(paths.map(async (path) => (await app.open(path, as('ann'))).status));

    expect(anonymous).toEqual([403, 403, 403, 403, 403]);
    expect(known).toEqual([200, 403, 403, 403, 403]);
  });

  test('the hub route without an authorize does not start', async () => {
    await expect(startApp(adapter, { options: { hub } })).rejects.toThrow(/authorize/);
  });

  test('a definition decides alone for its topics, the module for all others', async () => {
    const mine = defineTopic('users/:name/:box', {
      authorize: (principal, { name }) => principal?.id === name,
    });
    const asked: string[] = [];
    const authorize = (_: Principal | null, topic: string) => asked.push(topic) > 0;
    await using app = await startApp(adapter, {
      options: { hub, authenticate: byName, authorize, topics: [mine] },
    });

    expect((await app.open(topicOf('users/ann/inbox'), as('ann'))).status).toBe(200);
    expect((await app.open(topicOf('users/ann/inbox'), as('bob'))).status).toBe(403);
    expect((await app.open(topicOf('users/ann/inbox'))).status).toBe(403);
    expect(asked).toEqual([]);
    expect((await app.open(topicOf('users/ann'), as('bob'))).status).toBe(200);
    expect(asked).toEqual(['users/ann']);
  });

  test('a definition without a rule of its own leaves it to the module, with its parameters', async () => {
    const order = defineTopic('orders/:id');
    const authorize = (_: Principal | null, __: string, { id }: Readonly<Record<string, string>>) => id === '42';
    await using app = await startApp(adapter, { options: { hub, authorize, topics: [order] } });

    expect((await app.open(topicOf('orders/42'))).status).toBe(200);
    expect((await app.open(topicOf('orders/43'))).status).toBe(403);
    expect((await app.open(topicOf('orders/*'))).status).toBe(403);
  });

  test.each(['users/*', '*/ann', '*/*', '**', 'users/**', '**/ann', '**/users/**', 'users/ann/**', '**/*'])(
    'the pattern %s is no way around the rule of a definition, though the module allows everything',
    async (pattern) => {
      const mine = defineTopic('users/:name', { authorize: (principal, { name }) => principal?.id === name });
      await using app = await startApp(adapter, {
        controllers: [TopicController],
        options: { hub, authenticate: byName, authorize: 'public', topics: [mine] },
      });
      const stream = await app.open('/topic');
      await stream.receive('id: ');

      expect((await app.open(topicOf(pattern), as('ann'))).status).toBe(403);
      await expect(connectionOf(app).subscribe(pattern)).rejects.toMatchObject({ code: 'forbidden' });
    },
  );

  test('a topic that may not be read and one that does not exist are told apart by nothing', async () => {
    const order = defineTopic('orders/:id', { authorize: () => false });
    const authorize = (_: Principal | null, topic: string) => topic === 'open';
    await using app = await startApp(adapter, { options: { hub, authorize, topics: [order] } });
    for (const topic of ['secret', 'orders/1', 'open']) await app.streams.publish(topic, { data: topic });
    const { id } = await app.streams.publish('secret', { id: 'mine', data: 'x' });
    const names = ['secret', 'nothing', 'orders/1', 'orders/2', 'orders/*'];

    const seen = await Promise.all(names.map((name) => seenOf(app, topicOf(name))));
    const resumed = await Promise.all(names.map((name) => seenOf(app, topicOf(name), as('x', id))));

    expect(seen[0]).toMatchObject({ status: 403 });
    for (const one of [...seen, ...resumed]) expect(one).toEqual(seen[0]);
    expect(seen[0]?.body).not.toMatch(/secret|orders/);
  });

  test('a refused subscribe says the same of every topic', async () => {
    const order = defineTopic('orders/:id', { authorize: () => false });
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { authorize: (_, topic) => topic === 'topic', topics: [order] },
    });
    await app.streams.publish('secret', { data: 1 });
    await app.open('/topic');
    const messages: string[] = [];

    for (const name of ['secret', 'nothing', 'orders/1', '**']) {
      await connectionOf(app)
        .subscribe(name)
        .catch((error: Error) => messages.push(error.message));
    }

    expect(messages).toHaveLength(4);
    expect(new Set(messages).size).toBe(1);
  });

  test.each([
    ['of an event that was trimmed', (ids: string[]) => ids[0]!],
    ['of another epoch', (ids: string[]) => `zzzzzz.${ids[0]!.split('.').slice(1).join('.')}`],
    ['from the future', (ids: string[]) => ids[0]!.replace(/\.[^.]+\./, '.zzzzz.')],
    ['of an event of a topic that may not be read', (ids: string[]) => ids.at(-1)!],
    ['that is none', () => 'garbage'],
  ])('a resume from an id %s names no topic that was not asked for, and brings none of its events', async (_, pick) => {
    await using app = await startApp(adapter, {
      options: { hub, authorize: (__, topic) => topic === 'open', history: { maxEvents: 1 } },
    });
    const ids: string[] = [];
    for (const topic of ['open', 'secret/a', 'open', 'secret/b', 'open', 'secret/b'])
      ids.push((await app.streams.publish(topic, { data: `of ${topic}` })).id);

    const stream = await app.open(topicOf('open'), as('x', pick(ids)));
    await stream.receive('id: ');
    await app.streams.publish('open', { data: 'last' });
    await stream.receive('last');

    expect(stream.text).not.toContain('secret');
    for (const [, topics] of stream.text.matchAll(/"topics":(\[.*?\])/g)) expect(topics).toBe('["open"]');
  });

  test("an id that the app has given to an event of another topic is no place in one's own", async () => {
    await using app = await startApp(adapter, { options: { hub, authorize: (_, topic) => topic === 'open' } });
    await app.streams.publish('secret', { id: 'order-1', data: 'of secret' });

    const hit = await app.open(topicOf('open'), as('x', 'order-1'));
    const miss = await app.open(topicOf('open'), as('x', 'order-2'));
    const [first, second] = [await hit.next(), await miss.next()];

    expect(first).toEqual(second);
    expect(first).toMatchObject({ type: 'stream.reset', data: '{"reason":"unknown","topics":["open"]}' });
  });

  test('a replay brings what the topics of now allow, not those of the id', async () => {
    await using app = await startApp(adapter, {
      controllers: [GuardedController],
      options: { authenticate: byName, authorize: (principal, topic) => topic.startsWith(`${String(principal?.id)}/`) },
    });
    const first = await app.open('/read?topic=ann/a&topic=ann/b', as('ann'));
    await first.receive('id: ');
    for (const topic of ['ann/a', 'bob/a', 'ann/b', 'bob/a']) await app.streams.publish(topic, { data: topic });
    const [event] = await first.take(1);

    const other = await app.open('/read?topic=bob/a', as('bob', event?.id));
    const refused = await app.open('/read?topic=bob/a&topic=ann/b', as('bob', event?.id));

    expect((await other.take(2)).map(({ data }) => data)).toEqual(['bob/a', 'bob/a']);
    expect(other.text).not.toContain('ann/');
    expect(refused.status).toBe(403);
  });

  const ORIGIN = 'https://app.example.com';
  const byCookie = ({ headers }: StreamRequest): Principal | null =>
    headers.cookie === 'sid=ann' ? { id: 'ann' } : null;
  const withCookies = {
    controllers: [GuardedController],
    options: { authenticate: byCookie },
    nest: { cors: { origin: [ORIGIN], credentials: true } },
  };

  test('a cookie makes known who asks, and the exact origin may read the answer with credentials', async () => {
    await using app = await startApp(adapter, withCookies);

    const stream = await app.open('/read?topic=a', { headers: { cookie: 'sid=ann', origin: ORIGIN } });
    await stream.receive('id: ');

    expect(connectionOf(app).principal?.id).toBe('ann');
    expect(stream.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(stream.headers.get('access-control-allow-credentials')).toBe('true');
    expect(stream.headers.get('vary')).toMatch(/origin/i);
  });

  test.each(['https://evil.test', `${ORIGIN}.evil.test`, 'null', 'https://sub.app.example.com'])(
    'the page of %s may not read the stream that the cookie opens',
    async (origin) => {
      await using app = await startApp(adapter, withCookies);

      const stream = await app.open('/read?topic=a', { headers: { cookie: 'sid=ann', origin } });

      expect(stream.headers.get('access-control-allow-origin')).not.toBe(origin);
      expect(stream.headers.get('access-control-allow-origin')).not.toBe('*');
    },
  );

  test('a refusal for a wrong cookie can be read by the origin, too', async () => {
    await using app = await startApp(adapter, withCookies);

    const answer = await app.open('/read?topic=a', { headers: { cookie: 'sid=eve', origin: ORIGIN } });

    expect(answer.status).toBe(401);
    expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN);
  });
});

function fail(message: string): never {
  throw new Error(message);
}
