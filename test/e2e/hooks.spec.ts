import { describe, expect, test } from '@jest/globals';
import { NEVER, of, throwError } from 'rxjs';
import {
  type Authenticate,
  type CloseReason,
  type EndReason,
  type SseConnection,
  SseSignals,
  type StreamHooks,
  defineTopic,
} from 'nestjs-event-stream';
import { type TestApp, adapters, startApp } from '../support/app.js';
import { type HandlerContext, TopicController, streamOf } from '../support/controllers.js';
import { Log } from '../support/log.js';
import { GuardedController, as, byName } from '../support/people.js';
import { openRaw } from '../support/raw.js';
import { until } from '../support/until.js';

const SECRET = 'token-8c1f2e';
const PAYLOAD = 'payload-77aa01';
const reasons: readonly EndReason[] = [
  'complete',
  'expired',
  'revoked',
  'slow-consumer',
  'lifetime',
  'shutdown',
  'closed',
];
const names: readonly (keyof StreamHooks)[] = ['onOpened', 'onClosed', 'onReset', 'onSlow', 'onRefused'];

/** Hooks that note what they are called with. */
function recording() {
  const calls: unknown[][] = [];
  const note =
    (name: string) =>
    (connection: SseConnection, ...given: unknown[]): void =>
      void calls.push([name, connection.id, ...given]);
  return { calls, hooks: Object.fromEntries(names.map((name) => [name, note(name)])) as StreamHooks };
}

const freed = (app: TestApp) => until(() => app.streams.connections.count === 0, 'the streams to be freed');

describe.each(adapters)('on $name', (adapter) => {
  test('a stream is told of once when it opens, and once when it is over', async () => {
    const { calls, hooks } = recording();
    await using app = await startApp(adapter, { controllers: [TopicController], options: { hooks } });
    const stream = await app.open('/topic');
    await stream.receive('id: ');
    const { id } = app.streams.connections.list()[0]!;

    stream.leave();
    await freed(app);

    expect(calls).toEqual([
      ['onOpened', id],
      ['onClosed', id, 'disconnected'],
    ]);
  });

  test('whoever hears of the end of a stream can tell where its client was', async () => {
    const addresses: (string | undefined)[] = [];
    const note = ({ address }: SseConnection): void => void addresses.push(address);
    const abortable = streamOf(({ connection }) => {
      connection.signal.addEventListener('abort', () => note(connection));
      return NEVER;
    });
    await using hooked = await startApp(adapter, {
      controllers: [TopicController],
      options: { hooks: { onClosed: note } },
    });
    await using signalled = await startApp(adapter, { controllers: [abortable] });

    (await hooked.open('/topic')).leave();
    (await signalled.open('/stream')).leave();
    await until(() => addresses.length === 2, 'both to hear of it');

    expect(addresses).toEqual([expect.stringMatching(/127\.0\.0\.1$/), expect.stringMatching(/127\.0\.0\.1$/)]);
  });

  test.each(reasons)('onClosed is called once with the reason %s', async (reason) => {
    const { calls, hooks } = recording();
    await using app = await startApp(adapter, { controllers: [TopicController], options: { hooks } });
    const stream = await app.open('/topic');
    await stream.receive('id: ');
    const connection = app.streams.connections.list()[0]!;

    connection.close({ reason });
    connection.close({ reason: 'closed' });
    await stream.rest();
    await freed(app);

    expect(calls.filter(([name]) => name === 'onClosed')).toEqual([['onClosed', connection.id, reason]]);
  });

  test.each<[CloseReason, () => unknown]>([
    ['complete', () => of(1)],
    ['failed', () => throwError(() => new Error('away'))],
    ['lifetime', () => NEVER],
  ])('onClosed is called with %s for a source that ends so by itself', async (reason, source) => {
    const { calls, hooks } = recording();
    await using app = await startApp(adapter, {
      controllers: [streamOf(source, { maxLifetimeMs: 50 })],
      options: { hooks },
    });

    await (await app.open('/stream')).rest();
    await freed(app);

    expect(calls.map(([name, , ...given]) => [name, ...given])).toEqual([['onOpened'], ['onClosed', reason]]);
  });

  test('revoke, an expiry and app.close() give their reasons, too', async () => {
    const { calls, hooks } = recording();
    const authenticate = ({ headers: { authorization } }: { headers: { authorization?: string | undefined } }) =>
      authorization === 'short' ? { id: 'short', expiresAt: Date.now() + 100 } : { id: String(authorization) };
    const app = await startApp(adapter, { controllers: [GuardedController], options: { authenticate, hooks } });
    await using owned = app;
    const streams = [
      await owned.open('/source', as('short')),
      await owned.open('/source', as('ann')),
      await owned.open('/source', as('bob')),
    ];

    await streams[0]!.rest();
    await owned.streams.revoke({ principalId: 'ann' });
    await streams[1]!.rest();
    await Promise.all([streams[2]!.rest(), owned.nest.close()]);

    expect(calls.filter(([name]) => name === 'onClosed').map(([, , reason]) => reason)).toEqual([
      'expired',
      'revoked',
      'shutdown',
    ]);
  });

  test('what never became a stream is neither opened nor closed', async () => {
    const { calls, hooks } = recording();
    await using app = await startApp(adapter, {
      controllers: [GuardedController],
      options: { authenticate: byName, authorize: () => false, hooks },
    });

    await app.open('/read?topic=a');
    await app.open('/read?topic=a', as('ann'));
    await app.open('/source', { method: 'HEAD', ...as('ann') });
    await app.open('/source', as('ann', 'stream.end'));

    expect(calls).toEqual([]);
  });

  test('onReset says what the client was told, once', async () => {
    const { calls, hooks } = recording();
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { hooks, history: { maxEvents: 1 } },
    });
    const ids: string[] = [];
    for (const data of [1, 2, 3]) ids.push((await app.streams.publish('topic', { data })).id);

    const stream = await app.open('/topic', { headers: { 'last-event-id': ids[0]! } });
    await stream.take(2);

    expect(calls.filter(([name]) => name === 'onReset').map(([, , ...given]) => given)).toEqual([
      ['trimmed', ['topic']],
    ]);
  });

  test('onRefused gives each reason, and no other hook is called for those', async () => {
    const { calls, hooks } = recording();
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { hooks, limits: { connectionsPerAddress: 1 } },
    });
    await (await app.open('/topic')).receive('id: ');

    await (await app.open('/topic')).rest();

    expect(calls.map(([name, , ...given]) => [name, ...given])).toEqual([
      ['onOpened'],
      ['onRefused', 'connectionsPerAddress'],
    ]);
  });

  test('onSlow is called for a client that does not keep up, before its stream is ended for it', async () => {
    const { calls, hooks } = recording();
    const topic = defineTopic('topic', { onSlow: 'disconnect', history: { maxEvents: 8_000, maxBytes: Infinity } });
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { hooks, topics: [topic] },
    });
    await using client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x');
    await client.receive('id: ');
    client.socket.pause();
    const { signal } = app.streams.connections.list()[0]!;
    const ending: string[] = [];
    app.nest.get(SseSignals).on('ending', ({ reason }) => void ending.push(reason));

    for (let n = 0; n < 8_000 && !signal.aborted; n++) {
      await app.streams.publish('topic', { data: 'x'.repeat(4_096) });
      if (n % 100 === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    }
    client.socket.resume();
    await freed(app);

    const seen = calls.map(([name, , ...given]) => [name, ...given].join(' '));
    expect(seen.filter((call) => call === 'onSlow')).toHaveLength(1);
    expect(ending).toEqual(['slow-consumer']);
    expect(seen.indexOf('onSlow')).toBeLessThan(seen.indexOf('onClosed slow-consumer'));
  }, 15_000);

  test.each([
    ['throw', (name: string) => fail(`${name} is broken`)],
    ['reject', async (name: string) => fail(`${name} is broken`)],
  ])('hooks that %s harm nobody, and are logged by their names', async (_, broken) => {
    const log = new Log();
    const hooks = Object.fromEntries(names.map((name) => [name, () => broken(name)])) as StreamHooks;
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { hooks, history: { maxEvents: 1 }, limits: { connections: 2 } },
      nest: { logger: log },
    });
    const ids: string[] = [];
    for (const data of [1, 2, 3]) ids.push((await app.streams.publish('topic', { data })).id);
    const stream = await app.open('/topic', { headers: { 'last-event-id': ids[0]! } });
    const other = await app.open('/topic');
    await Promise.all([stream.take(2), other.receive('id: ')]);

    const refused = await app.open('/topic');
    await refused.rest();
    await app.streams.publish('topic', { data: 'on' });
    const heard = [await stream.next(), await other.next()];
    app.streams.connections.list()[0]!.close();
    await stream.rest();
    await until(() => app.streams.connections.count === 1, 'the first to be freed');

    expect(heard.map((event) => event?.data)).toEqual(['on', 'on']);
    for (const name of ['onOpened', 'onClosed', 'onReset', 'onRefused']) expect(log.text).toContain(`hooks.${name}`);
  });

  test('an onError that rejects harms nobody', async () => {
    const onError = (async () => fail('onError is broken')) as () => void;
    await using app = await startApp(adapter, {
      controllers: [streamOf(() => throwError(() => new Error('away')))],
      options: { onError },
    });

    expect((await (await app.open('/stream')).rest()).map(({ type }) => type)).toEqual(['stream.error']);
    expect((await app.open('/stream')).status).toBe(200);
  });

  test('a hook may close the stream that it is told of', async () => {
    const { calls, hooks } = recording();
    const onOpened = (connection: SseConnection) => connection.close({ reason: 'closed' });
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { hooks: { ...hooks, onOpened } },
    });

    const events = await (await app.open('/topic')).rest();
    await freed(app);

    expect(events.map(({ data }) => data)).toEqual(['{"reason":"closed","reconnect":false}']);
    expect(calls.map(([name, , ...given]) => [name, ...given])).toEqual([['onClosed', 'closed']]);
  });

  test('no line of the log has a credential, an id of the client or a payload in it', async () => {
    const log = new Log();
    const hooks = Object.fromEntries(names.map((name) => [name, () => fail('broken')])) as StreamHooks;
    const authenticate: Authenticate = ({ headers }) => (headers.authorization === SECRET ? { id: 'ann' } : null);
    const authorize = (_: unknown, topic: string) => (topic === 'broken' ? fail('no rules') : topic === 'a');
    const onError = () => fail('broken, too');
    await using app = await startApp(adapter, {
      controllers: [GuardedController, streamOf(({ connection }: HandlerContext) => spoil(connection))],
      options: { authenticate, authorize, hooks, onError, limits: { connections: 2 } },
      nest: { logger: log },
    });
    const headers = { authorization: SECRET, cookie: `sid=${SECRET}`, 'last-event-id': SECRET };
    for (const topic of ['a', 'b', 'broken', 'a//b']) {
      await app.open(`/read?topic=${topic}&ticket=${SECRET}`, { headers });
      await app.open(`/read?topic=${topic}&access_token=${SECRET}`, { headers });
    }
    await (await app.open(`/stream?access_token=${SECRET}`, { headers })).rest();
    await app.streams.publish('a', { data: PAYLOAD });
    for (const bad of [{ data: PAYLOAD, id: 'a\nb' }, { data: { [PAYLOAD]: 1n } }, { data: PAYLOAD, type: 'stream.x' }])
      await app.streams.publish('a', bad).catch(() => undefined);
    for (const connection of app.streams.connections.list()) connection.close();
    await freed(app);

    expect(log.text).toContain('hooks.onOpened');
    expect(log.text).not.toContain(SECRET);
    expect(log.text).not.toContain(PAYLOAD);
  });
});

/** A source whose second event cannot be sent. */
function* spoil({ id }: SseConnection) {
  yield { data: `${PAYLOAD} ${id}` };
  yield { data: PAYLOAD, type: 'a\n' };
}

function fail(message: string): never {
  throw new Error(message);
}
