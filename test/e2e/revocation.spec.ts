import { describe, expect, test } from '@jest/globals';
import { type Principal, type SseConnection } from 'nestjs-event-stream';
import { type TestApp, adapters, startApp } from '../support/app.js';
import { GuardedController, as, byName, byToken } from '../support/people.js';
import type { Stream } from '../support/stream.js';
import { until } from '../support/until.js';

const END = { type: 'stream.end', data: '{"reason":"revoked","reconnect":false}', id: 'stream.end' };
const guarded = { controllers: [GuardedController], options: { authenticate: byName } };
const connectionsOf = (app: TestApp, id: string): SseConnection[] =>
  app.streams.connections.list().filter(({ principal }) => principal?.id === id);

async function read(app: TestApp, who: string, ...topics: string[]): Promise<Stream> {
  const query = topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join('&');
  const stream = await app.open(`/read?${query}`, as(who));
  if (stream.status === 200) await stream.receive('id: ');
  return stream;
}

describe.each(adapters)('on $name', (adapter) => {
  test('ends every stream of the principal, and of nobody else', async () => {
    await using app = await startApp(adapter, guarded);
    const hers = [await read(app, 'ann', 'a'), await read(app, 'ann', '**'), await app.open('/source', as('ann'))];
    const his = await read(app, 'bob', 'a');

    await app.streams.revoke({ principalId: 'ann' });
    const ends = await Promise.all(hers.map((stream) => stream.rest()));
    await app.streams.publish('a', { data: 'on' });

    expect(ends).toEqual([[END], [END], [END]]);
    expect(await his.next()).toMatchObject({ data: 'on' });
    await until(() => app.streams.connections.count === 1, 'the others to be freed');
  });

  test('what was published before a revocation is still sent, and nothing after', async () => {
    await using app = await startApp(adapter, guarded);
    const stream = await read(app, 'ann', 'a');

    await app.streams.publish('a', { data: 'before' });
    await app.streams.revoke({ principalId: 'ann' });
    await app.streams.publish('a', { data: 'after' });

    expect((await stream.rest()).map(({ data }) => data)).toEqual(['before', END.data]);
  });

  test('whoever was revoked is answered 403 on every route, before any handler is asked', async () => {
    await using app = await startApp(adapter, guarded);
    await app.streams.revoke({ principalId: 'ann' });

    const answers = [await app.open('/source', as('ann')), await read(app, 'ann', 'a'), await read(app, 'bob', 'a')];

    expect(answers.map(({ status }) => status)).toEqual([403, 403, 200]);
    expect(app.nest.get(GuardedController).calls).toBe(1);
    expect(app.streams.connections.count).toBe(1);
  });

  test('a client that comes back with the id of the end is answered 403, so that it does not come back again', async () => {
    await using app = await startApp(adapter, guarded);
    const stream = await read(app, 'ann', 'a');
    await app.streams.revoke({ principalId: 'ann' });
    await stream.rest();

    const again = await app.open('/read?topic=a', as('ann', stream.lastEventId));

    expect(again.status).toBe(403);
  });

  test('of one topic ends the streams that read it, and refuses that topic only', async () => {
    await using app = await startApp(adapter, guarded);
    const [both, other, hisOwn] = [
      await read(app, 'ann', 'a', 'b'),
      await read(app, 'ann', 'b'),
      await read(app, 'bob', 'a'),
    ];

    await app.streams.revoke({ principalId: 'ann', topic: 'a' });
    for (const topic of ['a', 'b']) await app.streams.publish(topic, { data: topic });

    expect(await both.rest()).toEqual([END]);
    expect(await other.next()).toMatchObject({ data: 'b' });
    expect(await hisOwn.next()).toMatchObject({ data: 'a' });
    expect((await read(app, 'ann', 'a')).status).toBe(403);
    expect((await read(app, 'ann', 'b')).status).toBe(200);
    expect((await app.open('/source', as('ann'))).status).toBe(200);
  });

  test.each([
    ['news/x', 'news/*', true],
    ['news/x', '**', true],
    ['news/x', 'other/*', false],
    ['news/*', 'news/x', true],
    ['news/*', 'news/*', true],
    ['news/*', 'news/x/y', false],
    ['news/*', '**', true],
    ['**', 'news/*', true],
  ])('of %s concerns a stream of %s: %s', async (topic, wanted, isConcerned) => {
    await using app = await startApp(adapter, guarded);
    const stream = await read(app, 'ann', wanted);
    const { signal } = connectionsOf(app, 'ann')[0]!;

    await app.streams.revoke({ principalId: 'ann', topic });

    expect(signal.aborted).toBe(isConcerned);
    stream.leave();
    expect((await read(app, 'ann', wanted)).status).toBe(isConcerned ? 403 : 200);
  });

  test('an open stream may not take a revoked topic in', async () => {
    await using app = await startApp(adapter, guarded);
    const stream = await read(app, 'ann', 'b');
    const [connection] = connectionsOf(app, 'ann');

    await app.streams.revoke({ principalId: 'ann', topic: 'a' });
    await expect(connection!.subscribe('a')).rejects.toMatchObject({ code: 'forbidden' });
    await expect(connection!.subscribe('*')).rejects.toMatchObject({ code: 'forbidden' });
    for (const topic of ['a', 'b']) await app.streams.publish(topic, { data: topic });

    expect(await stream.next()).toMatchObject({ data: 'b' });
    expect(connection!.topics).toEqual(['b']);
  });

  test('a topic that was added to a stream is revoked like those that it began with', async () => {
    await using app = await startApp(adapter, guarded);
    const stream = await read(app, 'ann', 'b');
    await connectionsOf(app, 'ann')[0]!.subscribe('a');

    await app.streams.revoke({ principalId: 'ann', topic: 'a' });

    expect(await stream.rest()).toEqual([END]);
  });

  test('a subscribe that is being decided while the topic is revoked brings nothing of it', async () => {
    let decide: (answer: boolean) => void = () => undefined;
    const authorize = (_: Principal | null, topic: string) =>
      topic === 'b' || new Promise<boolean>((resolve) => (decide = resolve));
    await using app = await startApp(adapter, { ...guarded, options: { authenticate: byName, authorize } });
    const stream = await read(app, 'ann', 'b');
    const subscribing = connectionsOf(app, 'ann')[0]!
      .subscribe('a')
      .catch(() => undefined);

    await app.streams.revoke({ principalId: 'ann', topic: 'a' });
    decide(true);
    await subscribing;
    for (const topic of ['a', 'b']) await app.streams.publish(topic, { data: `of ${topic}` });
    const heard = await stream.next();

    expect(heard?.data).not.toBe('of a');
  });

  test('a stream that is being decided about while its principal is revoked is refused', async () => {
    let decide: (answer: boolean) => void = () => undefined;
    let isAsked = false;
    const authorize = () => {
      isAsked = true;
      return new Promise<boolean>((resolve) => (decide = resolve));
    };
    await using app = await startApp(adapter, { ...guarded, options: { authenticate: byName, authorize } });
    const opening = app.open('/read?topic=a', as('ann'));
    await until(() => isAsked, 'authorize to be asked');

    await app.streams.revoke({ principalId: 'ann' });
    decide(true);
    await app.streams.publish('a', { data: 'not for her' });
    const answer = await opening;

    expect(answer.status).toBe(403);
    expect(await answer.body()).not.toContain('not for her');
    await until(() => app.streams.connections.count === 0, 'the connection to be freed');
  });

  test('a stream whose handler runs while its principal is revoked is ended as it opens, and its source told', async () => {
    let proceed: () => void = () => undefined;
    let isEntered = false;
    let wasCancelled = false;
    await using app = await startApp(adapter, guarded);
    app.nest.get(GuardedController).createSource = async () => {
      isEntered = true;
      await new Promise<void>((resolve) => (proceed = resolve));
      return new ReadableStream({ cancel: () => void (wasCancelled = true) });
    };
    const opening = app.open('/source', as('ann'));
    await until(() => isEntered, 'the handler to be called');

    await app.streams.revoke({ principalId: 'ann' });
    proceed();

    expect(await (await opening).rest()).toEqual([END]);
    await until(() => wasCancelled, 'the source to be told');
  });

  test('who was authenticated after the revocation is let in, who before is not', async () => {
    const tokens = new Map<string, Principal>();
    await using app = await startApp(adapter, { ...guarded, options: { authenticate: byToken(tokens) } });
    const now = Date.now();
    tokens.set('old', { id: 'ann', issuedAt: now - 1 });
    tokens.set('unknown', { id: 'ann' });
    tokens.set('wrong', { id: 'ann', issuedAt: new Date('never') });
    tokens.set('new', { id: 'ann', issuedAt: new Date(now + 60_000) });

    await app.streams.revoke({ principalId: 'ann' });
    const statuses: Record<string, number> = {};
    for (const token of tokens.keys()) statuses[token] = (await app.open('/source', as(token))).status;

    expect(statuses).toEqual({ old: 403, unknown: 403, wrong: 403, new: 200 });
  });

  test('reinstating lets the principal in again, and only what was taken back', async () => {
    await using app = await startApp(adapter, guarded);
    await app.streams.revoke({ principalId: 'ann' });
    await app.streams.revoke({ principalId: 'ann', topic: 'a' });

    await app.streams.reinstate({ principalId: 'ann' });
    const [a, b] = [await read(app, 'ann', 'a'), await read(app, 'ann', 'b')];
    await app.streams.reinstate({ principalId: 'ann', topic: 'a' });

    expect([a.status, b.status]).toEqual([403, 200]);
    expect((await read(app, 'ann', 'a')).status).toBe(200);
  });

  test('a revocation passes after forMs', async () => {
    await using app = await startApp(adapter, guarded);
    const revokedAt = Date.now();
    await app.streams.revoke({ principalId: 'ann', forMs: 300 });

    const early = await app.open('/source', as('ann'));
    await until(() => Date.now() > revokedAt + 300, 'its time to be over');
    const late = await app.open('/source', as('ann'));

    expect([early.status, late.status]).toEqual([403, 200]);
  });

  test('nobody who is not known is ever meant, not even by strange ids', async () => {
    await using app = await startApp(adapter, {
      options: { hub: { path: 'events' }, authorize: 'public', authenticate: byName },
    });
    const stream = await app.open('/events?topic=a');
    await stream.receive('id: ');

    for (const principalId of ['', 'null', 'undefined', '__proto__', '*']) await app.streams.revoke({ principalId });

    expect(app.streams.connections.list()[0]?.signal.aborted).toBe(false);
    expect((await app.open('/events?topic=a')).status).toBe(200);
    expect((await app.open('/events?topic=a', as('constructor'))).status).toBe(200);
    expect((await app.open('/events?topic=a', as('__proto__'))).status).toBe(403);
  });

  test.each([
    ['no id', {}, 'invalid-options'],
    ['an id that is no string', { principalId: 7 }, 'invalid-options'],
    ['a bad topic', { principalId: 'ann', topic: 'a//b' }, 'invalid-topic'],
    ['no time at all', { principalId: 'ann', forMs: 0 }, 'invalid-options'],
    ['a time that is none', { principalId: 'ann', forMs: Number.NaN }, 'invalid-options'],
  ])('a revocation with %s is refused, and ends nothing', async (_, given, code) => {
    await using app = await startApp(adapter, guarded);
    await app.open('/source', as('ann'));

    await expect(app.streams.revoke(given as { principalId: string })).rejects.toMatchObject({ code });

    expect(connectionsOf(app, 'ann')[0]?.signal.aborted).toBe(false);
  });
});
