import { describe, expect, test } from '@jest/globals';
import { Controller, UseGuards } from '@nestjs/common';
import {
  Connection,
  EventStreamService,
  type Principal,
  type SseConnection,
  SseStream,
  StreamGuard,
  type StreamRequest,
  defineTopic,
} from 'nestjs-event-stream';
import { adapters, startApp } from '../support/app.js';
import { TopicController, streamOf } from '../support/controllers.js';

const open = { hub: { path: 'events' }, authorize: 'public' } as const;
const badNames = ['', '/', 'a//b', '/a', 'a/', 'a\u0000b', 'a\nb', ':a', 'a*', '***', 'a/b*', 'x'.repeat(1_025)];

describe.each(adapters)('on $name', (adapter) => {
  test('streams the topics that the query names, patterns included', async () => {
    await using app = await startApp(adapter, { options: open });
    const stream = await app.open('/events?topic=a&topic=news%2F*&topic=%C3%A9');
    await stream.receive('id: ');

    for (const topic of ['a', 'b', 'news/x', 'news/x/y', 'é']) await app.streams.publish(topic, { data: topic });

    expect((await stream.take(3)).map(({ data }) => data)).toEqual(['a', 'news/x', 'é']);
  });

  test('a topic that is named twice, or by name and by pattern, comes once', async () => {
    await using app = await startApp(adapter, { options: open });
    const stream = await app.open('/events?topic=a&topic=a&topic=*&topic=**');
    await stream.receive('id: ');

    await app.streams.publish('a', { data: 1 });
    await app.streams.publish('b', { data: 2 });

    expect((await stream.take(2)).map(({ data }) => data)).toEqual(['1', '2']);
  });

  test('without a topic the answer is 400', async () => {
    await using app = await startApp(adapter, { options: open });

    for (const path of ['/events', '/events?', '/events?topics=a', '/events?topic[]=a']) {
      expect((await app.open(path)).status).toBe(400);
    }
  });

  test.each(badNames)('the bad name %j is answered 400 and opens nothing', async (name) => {
    await using app = await startApp(adapter, { options: open });

    const answer = await app.open(`/events?topic=a&topic=${encodeURIComponent(name)}`);

    expect(answer.status).toBe(400);
    expect(app.streams.connections.count).toBe(0);
  });

  test('names of built-in properties are topics like any other', async () => {
    await using app = await startApp(adapter, { options: open });
    const stream = await app.open('/events?topic=__proto__&topic=constructor&topic=toString');
    await stream.receive('id: ');

    for (const topic of ['__proto__', 'constructor', 'toString']) await app.streams.publish(topic, { data: topic });

    expect((await stream.take(3)).map(({ data }) => data)).toEqual(['__proto__', 'constructor', 'toString']);
  });

  test('a pattern made to explode a naive matcher costs no time', async () => {
    await using app = await startApp(adapter, { options: open });
    const pattern = `${'**/a/'.repeat(15)}b`;
    const stream = await app.open(`/events?topic=${encodeURIComponent(pattern)}&topic=done`);
    await stream.receive('id: ');
    const startedAt = performance.now();

    await app.streams.publish(`${'a/'.repeat(400)}c`, { data: 'no' });
    await app.streams.publish('done', { data: 'yes' });

    expect(await stream.next()).toMatchObject({ data: 'yes' });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test('more topics than one connection may read are refused with 400', async () => {
    await using app = await startApp(adapter, { options: { ...open, limits: { topicsPerConnection: 2 } } });

    expect((await app.open('/events?topic=a&topic=b')).status).toBe(200);
    expect((await app.open('/events?topic=a&topic=b&topic=c')).status).toBe(400);
  });

  test('10,000 topics in one stream are read, in order, and resumed by one id', async () => {
    const names = Array.from({ length: 10_000 }, (_, n) => `t/${n}`);
    await using app = await startApp(adapter, {
      controllers: [streamOf(({ streams }) => streams.topics(...names))],
      options: { limits: { topicsPerConnection: 10_000 } },
    });
    const stream = await app.open('/stream');
    await stream.receive('id: ');

    for (const n of [9_999, 0, 5_000]) await app.streams.publish(`t/${n}`, { data: n });
    const [first, ...others] = await stream.take(3);
    const resumed = await app.open('/stream', { headers: { 'last-event-id': String(first?.id) } });

    expect([first, ...others].map((event) => event?.data)).toEqual(['9999', '0', '5000']);
    expect(await resumed.take(2)).toEqual(others);
  });

  test('a topic that may not be read is 403 for the whole request, and the answer does not name it', async () => {
    const authorize = (_: Principal | null, topic: string) => topic !== 'secret/plan';
    await using app = await startApp(adapter, { options: { ...open, authorize } });

    const answer = await app.open('/events?topic=a&topic=secret%2Fplan');

    expect(answer.status).toBe(403);
    expect(await answer.body()).not.toContain('plan');
    expect(app.streams.connections.count).toBe(0);
  });

  test.each([
    ['answers anything but true', () => 'yes'],
    ['rejects', () => Promise.reject(new Error('db.internal is away'))],
    ['throws', () => fail('db.internal is away')],
  ])('an authorize that %s lets nobody in, and says nothing', async (_, authorize) => {
    await using app = await startApp(adapter, {
      options: { ...open, authorize: authorize as unknown as () => boolean },
    });

    const answer = await app.open('/events?topic=a');

    expect([403, 500]).toContain(answer.status);
    expect(await answer.body()).not.toContain('db.internal');
  });

  test('a definition decides for its own topics, with the parameters of its path', async () => {
    const mine = defineTopic('users/:name', { authorize: (_, { name }) => name === 'me' });
    await using app = await startApp(adapter, { options: { ...open, authorize: () => false, topics: [mine] } });

    expect((await app.open('/events?topic=users%2Fme')).status).toBe(200);
    expect((await app.open('/events?topic=users%2Fyou')).status).toBe(403);
    expect((await app.open('/events?topic=other')).status).toBe(403);
  });

  test('a pattern does not open topics that a definition protects', async () => {
    const mine = defineTopic('users/:name', { authorize: (_, { name }) => name === 'me' });
    await using app = await startApp(adapter, { options: { ...open, topics: [mine] } });
    const answers = [];

    for (const pattern of ['users/*', '*/you', '**', 'users/**']) {
      answers.push((await app.open(`/events?topic=${encodeURIComponent(pattern)}`)).status);
    }

    expect(answers).toEqual([403, 403, 403, 403]);
  });

  const authenticate = async ({ headers }: StreamRequest): Promise<Principal | null> => {
    if (headers.authorization === 'broken') throw new Error('db.internal is away');
    if (headers.authorization === 'old') return { id: 'old', expiresAt: Date.now() - 1 };
    return typeof headers.authorization === 'string' ? { id: headers.authorization, role: 'reader' } : null;
  };

  @Controller()
  @UseGuards(StreamGuard)
  class GuardedController {
    constructor(private readonly streams: EventStreamService) {}

    @SseStream('guarded')
    async *guarded(@Connection() connection: SseConnection) {
      yield connection.principal;
    }

    @SseStream('mine')
    mine() {
      return this.streams.topic('users/ann');
    }
  }

  test('StreamGuard puts who asks on the connection, and authorize is asked with it', async () => {
    const authorize = (principal: Principal | null, topic: string) => topic === `users/${String(principal?.id)}`;
    await using app = await startApp(adapter, {
      controllers: [GuardedController],
      options: { authenticate, authorize },
    });
    const as = (name: string) => ({ headers: { authorization: name } });

    expect(await (await app.open('/guarded', as('ann'))).next()).toEqual({ data: '{"id":"ann","role":"reader"}' });
    expect((await app.open('/mine', as('ann'))).status).toBe(200);
    expect((await app.open('/mine', as('bob'))).status).toBe(403);
  });

  test.each([
    [undefined, 401],
    ['old', 401],
    ['broken', 500],
  ])('StreamGuard answers the credentials %s with %i', async (authorization, status) => {
    await using app = await startApp(adapter, { controllers: [GuardedController], options: { authenticate } });

    const answer = await app.open('/guarded', authorization === undefined ? {} : { headers: { authorization } });

    expect(answer.status).toBe(status);
    expect(await answer.body()).not.toContain('db.internal');
  });

  test('without a guard there is no principal, and routes are open unless authorize is set', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController], options: { authenticate } });

    expect((await app.open('/topic')).status).toBe(200);
    expect(app.streams.connections.list()[0]?.principal).toBeNull();
  });
});

function fail(message: string): never {
  throw new Error(message);
}
