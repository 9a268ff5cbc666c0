import { describe, expect, test } from '@jest/globals';
import {
  type Principal,
  type SseConnection,
  type SseModuleOptions,
  type TopicDefinition,
  type TopicFamily,
  defineTopic,
  getTopicToken,
  type,
} from 'nestjs-event-stream';
import { type TestApp, adapters, startApp } from '../support/app.js';
import { streamOf } from '../support/controllers.js';
import { GuardedController, as, byName } from '../support/people.js';
import type { Stream } from '../support/stream.js';
import { until } from '../support/until.js';

const END = { type: 'stream.end', data: '{"reason":"revoked","reconnect":false}', id: 'stream.end' };

const isStaff = (principal: Principal | null): boolean => principal?.id === 'staff';
const own = (principal: Principal | null, { name }: { readonly name: string }): boolean => principal?.id === name;
const familyOf = <D extends TopicDefinition<string, any>>(app: TestApp, definition: D): TopicFamily<D> =>
  app.nest.get(getTopicToken(definition), { strict: false });

async function read(app: TestApp, who: string, topic: string, lastEventId?: string): Promise<Stream> {
  const stream = await app.open(`/read?topic=${encodeURIComponent(topic)}`, as(who, lastEventId));
  if (stream.status === 200) await stream.receive('id: ');
  return stream;
}

describe.each(adapters)('on $name', (adapter) => {
  const start = (topics: readonly TopicDefinition[], options: SseModuleOptions = {}): Promise<TestApp> =>
    startApp(adapter, {
      controllers: [GuardedController],
      options: { hub: { path: 'events' }, authorize: 'public', authenticate: byName, topics, ...options },
    });
  const statusOf = async (app: TestApp, who: string, topic: string): Promise<number> => {
    const stream = await read(app, who, topic);
    stream.leave();
    return stream.status;
  };

  test('authorizePattern lets those read by a pattern whom it allows, and nobody else: at connect, at resume and on subscribe', async () => {
    const staff = new Set(['staff']);
    const asked: string[] = [];
    const inbox = defineTopic('inbox/:name', {
      authorize: own,
      authorizePattern: async (principal, pattern) => {
        asked.push(`${principal?.id} ${pattern}`);
        return staff.has(String(principal?.id));
      },
    });
    await using app = await start([inbox]);

    const stream = await read(app, 'staff', 'inbox/*');
    await app.streams.publish('inbox/ann', { data: 'for ann' });
    const event = await stream.next();
    stream.leave();
    expect(event?.data).toBe('for ann');
    expect(await statusOf(app, 'ann', 'inbox/*')).toBe(403);
    expect((await app.open('/events?topic=inbox/*', as('ann'))).status).toBe(403);
    expect((await app.open('/events?topic=inbox/*', as('staff'))).status).toBe(200);
    const anns = await read(app, 'ann', 'inbox/ann');
    expect(anns.status).toBe(200);
    const connection = app.streams.connections.list().find(({ principal }) => principal?.id === 'ann') as SseConnection;
    await expect(connection.subscribe('**')).rejects.toMatchObject({ code: 'forbidden' });
    staff.clear();
    const again = await read(app, 'staff', 'inbox/*', event?.id);

    expect(again.status).toBe(403);
    expect(await again.body()).not.toContain('inbox');
    expect(asked).toEqual(['staff inbox/*', 'ann inbox/*', 'ann inbox/*', 'staff inbox/*', 'ann **', 'staff inbox/*']);
  });

  test('a pattern needs the consent of each definition that it touches, and one without authorizePattern refuses before others are asked', async () => {
    const asked: string[] = [];
    const define = (path: string, allows: boolean) =>
      defineTopic(path, {
        authorize: () => false,
        authorizePattern: (_, pattern) => asked.push(`${path} ${pattern}`) > 0 && allows,
      });
    const closed = defineTopic('closed/:name', { authorize: () => true });
    await using app = await start([
      define('a/:name', true),
      define('a/:name/b', true),
      define('c/:name', false),
      closed,
    ]);

    expect(await statusOf(app, 'ann', 'a/**')).toBe(200);
    expect(new Set(asked.splice(0))).toEqual(new Set(['a/:name a/**', 'a/:name/b a/**']));
    expect(await statusOf(app, 'ann', 'c/*')).toBe(403);
    expect(asked.splice(0)).toEqual(['c/:name c/*']);
    for (const pattern of ['closed/*', '*/x', '**', '*/*']) expect(await statusOf(app, 'ann', pattern)).toBe(403);
    expect(asked).toEqual([]);
    expect(await statusOf(app, 'ann', 'other/**')).toBe(200);
  });

  test('the module is asked of a pattern too, unless all that it could bring is of definitions that have answered', async () => {
    const asked: string[] = [];
    const inbox = defineTopic('inbox/:name', { authorize: own, authorizePattern: isStaff });
    const lobby = defineTopic('lobby/:name', { authorizePattern: isStaff });
    const open = defineTopic('lobby/open');
    const authorize = (_: Principal | null, topic: string) => asked.push(topic) === 0;
    await using app = await start([inbox, lobby, open], { authorize });

    expect(await statusOf(app, 'staff', 'inbox/*')).toBe(200);
    expect(asked).toEqual([]);
    for (const pattern of ['inbox/**', '*/ann', '**', 'lobby/*'])
      expect(await statusOf(app, 'staff', pattern)).toBe(403);
    expect(asked.splice(0)).toEqual(['inbox/**', '*/ann', '**', 'lobby/*']);
    expect(await statusOf(app, 'ann', '**')).toBe(403);
    expect(asked).toEqual([]);
  });

  test('authorizePattern without authorize is for patterns only: names are left to the module', async () => {
    const prices = defineTopic('prices/:symbol', { authorizePattern: isStaff });
    const authorize = (_: Principal | null, topic: string) => topic === 'prices/AAPL';
    await using app = await start([prices], { authorize });

    expect(await statusOf(app, 'ann', 'prices/AAPL')).toBe(200);
    expect(await statusOf(app, 'ann', 'prices/MSFT')).toBe(403);
    expect(await statusOf(app, 'ann', 'prices/*')).toBe(403);
    expect(await statusOf(app, 'staff', 'prices/*')).toBe(200);
  });

  test.each([
    ['undefined', () => undefined, 403],
    ['a text', () => 'yes', 403],
    ['an object', () => ({}), 403],
    ['a promise of 1', async () => 1, 403],
    ['a throw', () => fail('db.internal is away'), 500],
    ['a rejection', async () => fail('db.internal is away'), 500],
  ])('an authorizePattern that answers %s lets nobody in, and says nothing', async (_, rule, status) => {
    const topics = [defineTopic('inbox/:name', { authorizePattern: rule as unknown as () => boolean })];
    await using app = await start(topics);

    const answer = await app.open('/read?topic=inbox/*', as('ann'));

    expect(answer.status).toBe(status);
    expect(await answer.body()).not.toMatch(/db\.internal|authorize|inbox/);
    expect(app.streams.connections.count).toBe(0);
  });

  test('a ticket takes away from what authorizePattern allows, and adds nothing to it', async () => {
    const inbox = defineTopic('inbox/:name', { authorize: own, authorizePattern: isStaff });
    await using app = await start([inbox]);
    const open = async (id: string, topics: readonly string[], topic: string): Promise<number> => {
      const ticket = app.streams.tickets.issue({ id }, { topics });
      return (await app.open(`/read?topic=${encodeURIComponent(topic)}&ticket=${ticket}`)).status;
    };

    expect(await open('staff', ['inbox/*'], 'inbox/*')).toBe(200);
    expect(await open('staff', ['inbox/*'], 'inbox/**')).toBe(403);
    expect(await open('ann', ['inbox/*'], 'inbox/*')).toBe(403);
    expect(await open('ann', ['inbox/*'], 'inbox/ann')).toBe(200);
  });

  test('revoking one topic ends the streams of patterns that authorizePattern has allowed, and refuses them', async () => {
    const inbox = defineTopic('inbox/:name', { authorize: own, authorizePattern: isStaff });
    await using app = await start([inbox]);
    const streams = [await read(app, 'staff', 'inbox/*'), await read(app, 'staff', '**')];

    await app.streams.revoke({ principalId: 'staff', topic: 'inbox/ann' });

    expect(await Promise.all(streams.map((stream) => stream.rest()))).toEqual([[END], [END]]);
    expect(await statusOf(app, 'staff', 'inbox/*')).toBe(403);
    expect(await statusOf(app, 'staff', 'inbox/staff')).toBe(200);
  });

  test('all() reads the topics of a definition, or those with some parameters, and asks its authorizePattern', async () => {
    const rooms = defineTopic('rooms/:building/:room', { authorize: () => false, authorizePattern: isStaff });
    await using app = await start([rooms]);
    const open = (params: object | undefined, who: string): Promise<Stream> => {
      app.nest.get(GuardedController).createSource = () => familyOf(app, rooms).all(params);
      return app.open('/source', as(who));
    };
    const [all, some] = [await open(undefined, 'staff'), await open({ building: 'north' }, 'staff')];
    await Promise.all([all.receive('id: '), some.receive('id: ')]);
    expect(app.streams.connections.list().map(({ topics }) => topics)).toEqual([['rooms/*/*'], ['rooms/north/*']]);

    for (const topic of ['rooms/south/1', 'rooms/north/1', 'rooms/north/1/desk', 'rooms'])
      await app.streams.publish(topic, { data: topic });

    expect((await all.take(2)).map(({ data }) => data)).toEqual(['rooms/south/1', 'rooms/north/1']);
    expect((await some.next())?.data).toBe('rooms/north/1');
    expect((await open(undefined, 'ann')).status).toBe(403);
    expect((await open({ building: undefined }, 'staff')).status).toBe(400);
    expect((await open({ building: '*' }, 'staff')).status).toBe(400);
  });

  test('all() leaves out what belongs to a more specific definition: its events, its notices and its failure', async () => {
    const rooms = defineTopic('rooms/:building/:room', { events: { alarm: type<number>() } });
    const lobby = defineTopic('rooms/north/lobby', { events: { message: type<string>() } });
    const halls = defineTopic(':kind/:building/hall');
    const topics = [rooms, lobby, halls] as TopicDefinition[];
    const given: { app?: TestApp } = {};
    await using app = await startApp(adapter, {
      controllers: [streamOf(() => familyOf(given.app as TestApp, rooms).all({ building: 'north' }))],
      options: { topics },
    });
    given.app = app;
    const seen: string[] = [];
    const observing = familyOf(app, halls)
      .all()
      .asObservable()
      .subscribe(({ topic }) => seen.push(topic));
    const stream = await app.open('/stream');
    await stream.receive('id: ');

    await app.streams.publish('rooms/north/lobby', { data: 'of the lobby' });
    await app.streams.publish('rooms/north/lobby', { comment: 'a notice of the lobby' });
    void app.streams.topic('rooms/north/lobby').error(new Error('of the lobby'));
    await app.streams.publish('rooms/north/hall', { type: 'alarm', data: 1 });
    await app.streams.publish('rooms/north/1', { type: 'alarm', data: 2 });
    await app.streams.publish('doors/north/hall', { data: 3 });
    await until(() => seen.length > 0, 'the event of the hall');
    observing.unsubscribe();

    expect(await stream.take(2)).toMatchObject([
      { type: 'alarm', data: '1' },
      { type: 'alarm', data: '2' },
    ]);
    expect(stream.text).not.toContain('lobby');
    expect(seen).toEqual(['doors/north/hall']);
  });
});

function fail(message: string): never {
  throw new Error(message);
}
