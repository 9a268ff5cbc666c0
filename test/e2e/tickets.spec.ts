import { describe, expect, test } from '@jest/globals';
import { Controller, Get, UseGuards } from '@nestjs/common';
import { EventSource } from 'eventsource';
import { type Principal, type SseConnection, StreamGuard } from 'nestjs-event-stream';
import { type TestApp, adapters, startApp } from '../support/app.js';
import { Log } from '../support/log.js';
import { GuardedController, as, byName } from '../support/people.js';
import { until } from '../support/until.js';

const ann: Principal = { id: 'ann', role: 'reader' };
const connectionOf = (app: TestApp): SseConnection => app.streams.connections.list()[0]!;
const guarded = { controllers: [GuardedController], options: { authenticate: byName } };

describe.each(adapters)('on $name', (adapter) => {
  test('a ticket stands for the principal that it was issued to, without authenticate being asked', async () => {
    let asked = 0;
    const authenticate = () => (asked++, null);
    await using app = await startApp(adapter, { ...guarded, options: { authenticate } });

    const stream = await app.open(`/read?topic=a&ticket=${app.streams.tickets.issue(ann)}`);
    await stream.receive('id: ');

    expect(connectionOf(app).principal).toBe(ann);
    expect(asked).toBe(0);
  });

  test('a ticket is enough where there is no authenticate at all', async () => {
    await using app = await startApp(adapter, { controllers: [GuardedController] });

    expect((await app.open(`/source?ticket=${app.streams.tickets.issue(ann)}`)).status).toBe(200);
  });

  test('an EventSource of Node opens a guarded stream with a ticket', async () => {
    await using app = await startApp(adapter, guarded);
    const source = new EventSource(`${app.url}/read?topic=a&ticket=${app.streams.tickets.issue(ann)}`);
    const heard: unknown[] = [];
    source.onmessage = ({ data }) => heard.push(data);

    try {
      await until(() => app.streams.connections.count === 1, 'the stream to open');
      await app.streams.publish('a', { data: 'hello' });
      await until(() => heard.length === 1, 'the event');
    } finally {
      source.close();
    }

    expect(heard).toEqual(['hello']);
  });

  test('a ticket is good once: also for two requests of the same moment', async () => {
    await using app = await startApp(adapter, guarded);
    const path = `/source?ticket=${app.streams.tickets.issue(ann)}`;

    const statuses = (await Promise.all([app.open(path), app.open(path), app.open(path)])).map(({ status }) => status);

    expect(statuses.sort()).toEqual([200, 401, 401]);
    expect((await app.open(path)).status).toBe(401);
  });

  test.each([
    ['never issued', 'A'.repeat(43)],
    ['empty', ''],
    ['very long', 'A'.repeat(8_000)],
    ['that is a name of a built-in property', '__proto__'],
  ])('a ticket %s is 401, whatever other credentials are with it', async (_, ticket) => {
    await using app = await startApp(adapter, guarded);
    app.streams.tickets.issue(ann);

    expect((await app.open(`/source?ticket=${ticket}`, as('ann'))).status).toBe(401);
    expect(app.nest.get(GuardedController).calls).toBe(0);
  });

  test('of two tickets in one request the first counts', async () => {
    await using app = await startApp(adapter, guarded);
    const { tickets } = app.streams;

    const refused = await app.open(`/source?ticket=made-up&ticket=${tickets.issue(ann)}`);

    expect(refused.status).toBe(401);
  });

  test('a ticket that has passed is 401', async () => {
    await using app = await startApp(adapter, guarded);
    const ticket = app.streams.tickets.issue(ann, { ttlMs: 1 });
    const issuedAt = Date.now();
    await until(() => Date.now() > issuedAt + 1, 'its time to be over');

    expect((await app.open(`/source?ticket=${ticket}`)).status).toBe(401);
  });

  test.each([
    [['a'], ['a'], 200],
    [['a'], ['a', 'b'], 403],
    [['a'], ['b'], 403],
    [['a'], ['*'], 403],
    [['news/*'], ['news/x', 'news/y'], 200],
    [['news/*'], ['news/x/y'], 403],
    [['news/*'], ['news/*'], 200],
    [['news/*'], ['**'], 403],
    [['news/*'], ['news/**'], 403],
    [['**'], ['news/x'], 200],
    [[], ['a'], 403],
  ])('a ticket for %j reads %j with the answer %i', async (topics, wanted, status) => {
    await using app = await startApp(adapter, guarded);
    const ticket = app.streams.tickets.issue(ann, { topics });
    const query = wanted.map((topic) => `topic=${encodeURIComponent(topic)}`).join('&');

    expect((await app.open(`/read?${query}&ticket=${ticket}`)).status).toBe(status);
  });

  test('the topics of a ticket bound subscribe, too, and authorize is asked besides', async () => {
    const authorize = (_: Principal | null, topic: string) => topic !== 'secret';
    await using app = await startApp(adapter, { ...guarded, options: { authenticate: byName, authorize } });
    const ticket = app.streams.tickets.issue(ann, { topics: ['a', 'b', 'secret'] });
    const stream = await app.open(`/read?topic=a&ticket=${ticket}`);
    await stream.receive('id: ');
    const connection = connectionOf(app);

    await connection.subscribe('b');
    await expect(connection.subscribe('c')).rejects.toMatchObject({ code: 'forbidden' });
    await expect(connection.subscribe('secret')).rejects.toMatchObject({ code: 'forbidden' });

    expect(connection.topics).toEqual(['a', 'b']);
  });

  test('the hub route takes tickets, and asks authorize with their principal', async () => {
    const authorize = (principal: Principal | null) => principal?.id === 'ann';
    await using app = await startApp(adapter, { options: { hub: { path: 'events' }, authorize } });
    const { tickets } = app.streams;

    expect((await app.open(`/events?topic=a&ticket=${tickets.issue(ann)}`)).status).toBe(200);
    expect((await app.open(`/events?topic=a&ticket=${tickets.issue({ id: 'bob' })}`)).status).toBe(403);
    expect((await app.open('/events?topic=a&ticket=made-up')).status).toBe(403);
  });

  test('the expiry of its principal ends the stream that a ticket has opened', async () => {
    await using app = await startApp(adapter, guarded);
    const ticket = app.streams.tickets.issue({ id: 'ann', expiresAt: Date.now() + 150 });

    const stream = await app.open(`/source?ticket=${ticket}`);

    expect(await stream.rest()).toEqual([{ type: 'stream.end', data: '{"reason":"expired","reconnect":true}' }]);
  });

  test('a ticket that was issued before a revocation is refused after it', async () => {
    await using app = await startApp(adapter, guarded);
    const ticket = app.streams.tickets.issue(ann);

    await app.streams.revoke({ principalId: 'ann' });

    expect((await app.open(`/source?ticket=${ticket}`)).status).toBe(403);
  });

  test('a client that was told to come back later does so with the same ticket', async () => {
    const { controllers, options } = guarded;
    await using app = await startApp(adapter, { controllers, options: { ...options, limits: { connections: 1 } } });
    const path = `/read?topic=a&ticket=${app.streams.tickets.issue(ann)}`;
    const first = await app.open('/source', as('bob'));

    expect(await (await app.open(path)).body()).toContain('too many streams are open');
    first.leave();
    await until(() => app.streams.connections.count === 0, 'room');
    const stream = await app.open(path);
    await stream.receive('id: ');

    expect(connectionOf(app).principal).toBe(ann);
    expect((await app.open(path)).status).toBe(401);
  });

  test('a ticket that authorize has refused, or a HEAD, is not used up', async () => {
    let isAllowed = false;
    const options = { authenticate: byName, authorize: () => isAllowed };
    await using app = await startApp(adapter, { ...guarded, options });
    const path = `/read?topic=a&ticket=${app.streams.tickets.issue(ann)}`;

    expect((await app.open(path)).status).toBe(403);
    isAllowed = true;
    expect((await app.open(path, { method: 'HEAD' })).status).toBe(200);
    expect((await app.open(path)).status).toBe(200);
    expect((await app.open(path)).status).toBe(401);
  });

  test('on a route that is no stream the guard uses the ticket up', async () => {
    @Controller()
    @UseGuards(StreamGuard)
    class PlainController {
      @Get('plain')
      plain() {
        return 'in';
      }
    }
    await using app = await startApp(adapter, { controllers: [PlainController], options: guarded.options });
    const path = `/plain?ticket=${app.streams.tickets.issue(ann)}`;

    expect((await app.open(path)).status).toBe(200);
    expect((await app.open(path)).status).toBe(401);
  });

  test.each([
    ['no principal', null, {}, 'invalid-options'],
    ['an id that is no string', { id: 7 }, {}, 'invalid-options'],
    ['a ttl of 0', ann, { ttlMs: 0 }, 'invalid-options'],
    ['a ttl above an hour', ann, { ttlMs: 3_600_001 }, 'invalid-options'],
    ['a bad topic', ann, { topics: ['a//b'] }, 'invalid-topic'],
  ])('a ticket for %s is not issued', async (_, principal, options, code) => {
    await using app = await startApp(adapter, guarded);

    expect(() => app.streams.tickets.issue(principal as Principal, options)).toThrow(expect.objectContaining({ code }));
  });

  test('no ticket is ever logged: used, used twice, passed, or beside a failing app', async () => {
    const log = new Log();
    const hooks = { onOpened: () => fail('the hook is broken'), onClosed: () => fail('the hook is broken') };
    const authorize = (_: Principal | null, topic: string) => (topic === 'broken' ? fail('no rules') : topic === 'a');
    await using app = await startApp(adapter, {
      ...guarded,
      options: { authenticate: byName, authorize, hooks },
      nest: { logger: log },
    });
    const tickets = Array.from({ length: 4 }, () => app.streams.tickets.issue(ann));

    for (const topic of ['a', 'b', 'broken', 'a//b']) {
      const path = `/read?topic=${topic}&ticket=${String(tickets[['a', 'b', 'broken', 'a//b'].indexOf(topic)])}`;
      await app.open(path);
      await app.open(path);
    }
    connectionOf(app).close();
    await until(() => app.streams.connections.count === 0, 'the streams to end');

    expect(log.text).toContain('hooks.onOpened');
    expect(log.text).toContain('no rules');
    for (const ticket of tickets) expect(log.text).not.toContain(ticket);
  });
});

function fail(message: string): never {
  throw new Error(message);
}
