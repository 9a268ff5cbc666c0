import { describe, expect, test } from '@jest/globals';
import { NEVER } from 'rxjs';
import { memoryEngine, type SseConnection, type StreamSettings } from 'nestjs-event-stream';
import { type TestApp, adapters, startApp, transports } from '../support/app.js';
import { type HandlerContext, TopicController, streamOf } from '../support/controllers.js';
import { until } from '../support/until.js';

const connectionOf = (app: TestApp): SseConnection => app.streams.connections.list()[0]!;

const reasons = [
  ['complete', false],
  ['expired', true],
  ['revoked', false],
  ['slow-consumer', true],
  ['lifetime', true],
  ['shutdown', true],
  ['closed', false],
] as const;

const beginnings: [StreamSettings, string][] = [
  [{ retryMs: false }, ': heartbeat 15000\n'],
  [{ heartbeatMs: false }, 'retry: 3000\n'],
  [{ retryMs: 0, heartbeatMs: 20_000.5 }, 'retry: 0\n: heartbeat 20001\n'],
  [{ retryMs: false, heartbeatMs: false }, ':\n'],
];

describe.each(transports)('on $name', (adapter) => {
  test('the first bytes come before any event: retry, heartbeat, and for a topic the place to resume from', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController, streamOf(() => NEVER)] });

    const [topic, source] = [await app.open('/topic'), await app.open('/stream')];
    await Promise.all([topic.receive('id: '), source.receive('retry: 3000\n')]);

    expect(topic.text).toMatch(/^retry: 3000\n: heartbeat 15000\nid: [0-9a-z.]+\n\n$/);
    expect(source.text).toBe('retry: 3000\n: heartbeat 15000\n');
  });

  test.each(beginnings)('with %j the first bytes are %j', async (settings, bytes) => {
    await using app = await startApp(adapter, { controllers: [streamOf(() => NEVER, settings)] });

    const stream = await app.open('/stream');
    await stream.receive('\n');

    expect(stream.text).toBe(bytes);
  });

  test('what a handler and the service are handed has the members that are documented, and no others', async () => {
    const handed: object[] = [];
    const controller = streamOf(({ connection }) => {
      handed.push(connection);
      return NEVER;
    });
    await using app = await startApp(adapter, { controllers: [controller] });
    await (await app.open('/stream')).receive('retry: ');
    handed.push(connectionOf(app));

    const prototype = Object.getPrototypeOf(handed[0]) as object;
    const members = Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor');
    expect(handed[1]).toBe(handed[0]);
    expect(Object.keys(handed[0]!)).toEqual([]);
    expect(members.sort()).toEqual([
      'address',
      'close',
      'id',
      'lastEventId',
      'principal',
      'request',
      'send',
      'signal',
      'subscribe',
      'topics',
      'unsubscribe',
    ]);
  });

  test('heartbeats are bare comment lines, sent while the stream is silent', async () => {
    await using app = await startApp(adapter, { controllers: [streamOf(() => NEVER, { heartbeatMs: 25 })] });

    const stream = await app.open('/stream');
    await stream.receive(/(:\n){3}/);

    expect(stream.text).toMatch(/^retry: 3000\n: heartbeat 25\n(:\n)+$/);
  });

  test('a client that hears only heartbeats still learns newer places to resume from', async () => {
    let now = Date.now();
    const options = { heartbeatMs: 25, engine: memoryEngine({ now: () => now }) };
    await using app = await startApp(adapter, { controllers: [TopicController], options });
    const stream = await app.open('/topic');
    await stream.receive('id: ');
    const other = await app.open('/all');
    await other.receive('id: ');
    now += 60_001;

    const { id } = await app.streams.publish('elsewhere', { data: 1 });

    await stream.receive(`id: ${id}\n\n`);
  });

  test('maxLifetimeMs ends a stream within 80 to 100 % of it, and the client is to come back', async () => {
    await using app = await startApp(adapter, { controllers: [streamOf(() => NEVER, { maxLifetimeMs: 200 })] });
    const startedAt = performance.now();

    const events = await (await app.open('/stream')).rest();
    const lived = performance.now() - startedAt;

    expect(events).toEqual([{ type: 'stream.end', data: '{"reason":"lifetime","reconnect":true}' }]);
    expect(lived).toBeGreaterThan(150);
    expect(lived).toBeLessThan(1_000);
  });

  test.each(reasons)('close() with the reason %s tells the client, and to come back: %s', async (reason, reconnect) => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const stream = await app.open('/topic');
    await stream.receive('id: ');

    const place = stream.lastEventId;
    connectionOf(app).close({ reason });

    expect(await stream.rest()).toEqual([
      { type: 'stream.end', data: JSON.stringify({ reason, reconnect }), id: reconnect ? place : 'stream.end' },
    ]);
    await until(() => app.streams.connections.count === 0, 'the connection to be freed');
  });

  test('close() before the stream is open still answers, with what was sent before and the reason', async () => {
    const handler = ({ connection, streams }: HandlerContext) => {
      connection.send({ data: 'hello' });
      connection.close({ reason: 'revoked', reconnect: true });
      return streams.topic('topic');
    };
    await using app = await startApp(adapter, { controllers: [streamOf(handler)] });

    const stream = await app.open('/stream');

    expect((await stream.rest()).map(({ data }) => data)).toEqual(['hello', '{"reason":"revoked","reconnect":true}']);
    expect(stream.status).toBe(200);
  });

  test('a handler that asks for the signal only after close() finds it aborted', async () => {
    let wasAborted: boolean | undefined;
    const handler = ({ connection }: HandlerContext) => {
      connection.close();
      wasAborted = connection.signal.aborted;
      return NEVER;
    };
    await using app = await startApp(adapter, { controllers: [streamOf(handler)] });

    await (await app.open('/stream')).rest();

    expect(wasAborted).toBe(true);
  });

  test('what was sent before the stream is open comes first', async () => {
    const handler = ({ connection, streams }: HandlerContext) => {
      connection.send({ type: 'hello', data: connection.id });
      return streams.topic('topic');
    };
    await using app = await startApp(adapter, { controllers: [streamOf(handler)] });
    const stream = await app.open('/stream');
    await stream.receive('id: ');

    await app.streams.publish('topic', { data: 'after' });

    expect((await stream.take(2)).map(({ data }) => data)).toEqual([connectionOf(app).id, 'after']);
  });

  test('send() reaches one client only', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const [first, second] = [await app.open('/topic'), await app.open('/topic')];
    await Promise.all([first.receive('id: '), second.receive('id: ')]);

    connectionOf(app).send({ type: 'private', data: 1 });
    await app.streams.publish('topic', { data: 'all' });

    expect((await first.take(2)).map(({ data }) => data)).toEqual(['1', 'all']);
    expect((await second.take(1)).map(({ data }) => data)).toEqual(['all']);
  });
});

describe.each(adapters)('on $name', (adapter) => {
  test.each([
    ['closed', false],
    ['slow-consumer', true],
  ] as const)(
    'an event that was published before a connection is closed is sent before the end: %s',
    async (reason, reconnect) => {
      await using app = await startApp(adapter, { controllers: [TopicController] });
      const stream = await app.open('/topic');
      await stream.receive('id: ');

      await app.streams.publish('topic', { data: 'last' });
      connectionOf(app).close({ reason });

      expect((await stream.rest()).map(({ data }) => data)).toEqual(['last', JSON.stringify({ reason, reconnect })]);
    },
  );

  test('a topic is added to a live stream from its next event on, and taken away again', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const stream = await app.open('/topic');
    await stream.receive('id: ');
    await app.streams.publish('extra', { data: 'too early' });
    const connection = connectionOf(app);

    await connection.subscribe('extra');
    const topics = connection.topics;
    await app.streams.publish('extra', { data: 'extra' });
    const added = await stream.next();
    connection.unsubscribe('extra');
    for (const name of ['extra', 'topic']) await app.streams.publish(name, { data: `${name} late` });
    const rest = await stream.take(1);

    expect(topics).toEqual(['topic', 'extra']);
    expect(added).toMatchObject({ data: 'extra' });
    expect(connection.topics).toEqual(['topic']);
    expect(stream.text).not.toContain('too early');
    expect(rest.map(({ data }) => data)).toEqual(['topic late']);
  });

  test('topics may be added before the stream is open, and to one that has a source', async () => {
    const handler = async ({ connection }: HandlerContext) => {
      await connection.subscribe('extra');
      return NEVER;
    };
    await using app = await startApp(adapter, { controllers: [streamOf(handler)] });
    const stream = await app.open('/stream');
    await stream.receive('id: ');

    await app.streams.publish('extra', { data: 'here' });

    expect(await stream.next()).toMatchObject({ data: 'here' });
  });

  test.each([
    ['a bad name', 'a//b', 'invalid-topic', 3],
    ['a topic too many', 'third', 'too-many-topics', 2],
  ])('subscribing to %s is refused, and the stream goes on', async (_, name, code, limit) => {
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { limits: { topicsPerConnection: limit } },
    });
    const stream = await app.open('/topic');
    await stream.receive('id: ');
    const connection = connectionOf(app);
    await connection.subscribe('second');

    await expect(connection.subscribe(name)).rejects.toMatchObject({ code });
    await app.streams.publish('topic', { data: 'on' });

    expect(await stream.next()).toMatchObject({ data: 'on' });
    expect(connection.topics).toEqual(['topic', 'second']);
  });

  test('a subscription that authorize refuses is rejected, and the stream goes on', async () => {
    const authorize = (_: unknown, topic: string) => topic === 'topic';
    await using app = await startApp(adapter, { controllers: [TopicController], options: { authorize } });
    const stream = await app.open('/topic');
    await stream.receive('id: ');

    await expect(connectionOf(app).subscribe('secret')).rejects.toThrow(/may not be subscribed to/);
    for (const name of ['secret', 'topic']) await app.streams.publish(name, { data: name });

    expect(await stream.next()).toMatchObject({ data: 'topic' });
  });

  test('send() refuses what cannot be sent, and the stream goes on', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const stream = await app.open('/topic');
    await stream.receive('id: ');
    const connection = connectionOf(app);

    expect(() => connection.send({ data: 1, type: 'a\nb' })).toThrow(
      expect.objectContaining({ code: 'invalid-event' }),
    );
    expect(() => connection.send({ data: 1, type: 'stream.end' })).toThrow(/reserved/);
    connection.send({ data: 'on' });

    expect(await stream.next()).toMatchObject({ data: 'on' });
  });

  test('after the end, sending, subscribing and closing do nothing', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const stream = await app.open('/topic');
    await stream.receive('id: ');
    const connection = connectionOf(app);
    connection.close();
    const events = await stream.rest();

    connection.send({ data: 'late' });
    await connection.subscribe('extra');
    connection.unsubscribe('topic');
    connection.close({ reason: 'expired' });

    expect(events).toHaveLength(1);
    expect(connection.signal.aborted).toBe(true);
  });
});
