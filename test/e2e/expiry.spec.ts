import { describe, expect, test } from '@jest/globals';
import { EventSource } from 'eventsource';
import { type Principal } from 'nestjs-event-stream';
import { type AppOptions, type TestApp, adapters, startApp } from '../support/app.js';
import { GuardedController, as, byToken } from '../support/people.js';
import { until } from '../support/until.js';

const END = { type: 'stream.end', data: '{"reason":"expired","reconnect":true}' };
const HOUR = 3_600_000;

/** Some who are known by their tokens, each with the ms that are left of their time. */
function withTokens(lefts: Readonly<Record<string, number>>): { tokens: Map<string, Principal>; given: AppOptions } {
  const now = Date.now();
  const tokens = new Map(Object.entries(lefts).map(([token, left]) => [token, { id: 'ann', expiresAt: now + left }]));
  return { tokens, given: { controllers: [GuardedController], options: { authenticate: byToken(tokens) } } };
}

const callsOf = (app: TestApp): number => app.nest.get(GuardedController).calls;

describe.each(adapters)('on $name', (adapter) => {
  test.each(['/read?topic=a', '/source'])('%s ends when its principal expires, and not before', async (path) => {
    const { tokens, given } = withTokens({});
    await using app = await startApp(adapter, given);
    const expiresAt = Date.now() + 300;
    tokens.set('short', { id: 'ann', expiresAt });

    const stream = await app.open(path, as('short'));

    expect(await stream.rest()).toEqual([expect.objectContaining(END)]);
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt);
    expect(Date.now()).toBeLessThan(expiresAt + 5_000);
    await until(() => app.streams.connections.count === 0, 'the connection to be freed');
  });

  test.each([(at: number) => at, (at: number) => new Date(at)])('an expiry is a date or ms', async (form) => {
    const { tokens, given } = withTokens({});
    await using app = await startApp(adapter, given);
    tokens.set('short', { id: 'ann', expiresAt: form(Date.now() + 1_500) });

    expect(await (await app.open('/source', as('short'))).rest()).toEqual([END]);
  });

  test('with a fresh credential it comes back and misses nothing, nor gets anything twice', async () => {
    const { given } = withTokens({ short: 2_000, fresh: HOUR });
    await using app = await startApp(adapter, given);
    const first = await app.open('/read?topic=a', as('short'));
    await first.receive('id: ');
    for (const n of [1, 2]) await app.streams.publish('a', { data: n });
    const before = await first.rest();
    for (const n of [3, 4]) await app.streams.publish('a', { data: n });

    const second = await app.open('/read?topic=a', as('fresh', first.lastEventId));
    await second.receive('id: ');
    await app.streams.publish('a', { data: 5 });

    expect(before.map(({ data }) => data)).toEqual(['1', '2', END.data]);
    expect((await second.take(3)).map(({ data }) => data)).toEqual(['3', '4', '5']);
  });

  test('with the one that has just expired it is told to come back later, and no handler is called', async () => {
    const { given } = withTokens({ expired: -1_000 });
    await using app = await startApp(adapter, { ...given, options: { ...given.options, retryMs: 1_000 } });
    await app.streams.publish('a', { data: 'not for her' });

    const answer = await app.open('/read?topic=a', as('expired', 'aaaaaa.0.0'));

    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(await answer.rest()).toEqual([END]);
    expect(answer.retries).toHaveLength(1);
    expect(answer.retries[0]).toBeGreaterThanOrEqual(1_000);
    expect(answer.retries[0]).toBeLessThanOrEqual(3_000);
    expect(callsOf(app)).toBe(0);
    expect(app.streams.connections.count).toBe(0);
    expect(app.streams.connections.refused).toEqual({ expired: 1 });
  });

  test('being told to come back later moves no cursor: with a fresh credential nothing is missing', async () => {
    const { tokens, given } = withTokens({});
    await using app = await startApp(adapter, given);
    tokens.set('token', { id: 'ann', expiresAt: Date.now() + 1_000 });
    const first = await app.open('/read?topic=a', as('token'));
    await first.receive('id: ');
    await first.rest();
    await app.streams.publish('a', { data: 'missed' });
    const second = await app.open('/read?topic=a', as('token', first.lastEventId));
    await second.rest();

    tokens.set('token', { id: 'ann', expiresAt: Date.now() + HOUR });
    const third = await app.open('/read?topic=a', as('token', second.lastEventId ?? first.lastEventId));

    expect(second.lastEventId).toBeUndefined();
    expect(await third.next()).toMatchObject({ data: 'missed' });
  });

  test.each([
    ['on a first connect', -1_000, undefined],
    ['on a first connect at the very end', 0, undefined],
    ['on a resume a minute later', -60_001, 'aaaaaa.0.0'],
    ['on a resume a day later', -24 * HOUR, 'aaaaaa.0.0'],
  ])('%s an expired credential is 401, and no handler is called', async (_, left, lastEventId) => {
    const { given } = withTokens({ expired: left });
    await using app = await startApp(adapter, given);

    const answer = await app.open('/read?topic=a', as('expired', lastEventId));

    expect(answer.status).toBe(401);
    expect(callsOf(app)).toBe(0);
    expect(app.streams.connections.refused).toEqual({});
  });

  test('the hub route takes one that has expired for nobody it knows, or tells it to come back', async () => {
    const { given } = withTokens({ expired: -1_000, ancient: -HOUR });
    const options = { ...given.options, hub: { path: 'events' }, authorize: (by: Principal | null) => by !== null };
    await using app = await startApp(adapter, { options });

    expect((await app.open('/events?topic=a', as('expired'))).status).toBe(403);
    expect((await app.open('/events?topic=a', as('ancient', 'aaaaaa.0.0'))).status).toBe(403);
    expect(await (await app.open('/events?topic=a', as('expired', 'aaaaaa.0.0'))).rest()).toEqual([END]);
  });

  test('an expired principal that was revoked is 403, not told to come back', async () => {
    const { given } = withTokens({ expired: -1_000 });
    await using app = await startApp(adapter, given);
    await app.streams.revoke({ principalId: 'ann' });

    expect((await app.open('/read?topic=a', as('expired', 'aaaaaa.0.0'))).status).toBe(403);
  });

  test('an EventSource with an expired token asks no more often than it is told, and stops when it is refused', async () => {
    const { tokens, given } = withTokens({ token: 300 });
    const retryMs = 100;
    await using app = await startApp(adapter, { ...given, options: { ...given.options, retryMs } });
    const askedAt: number[] = [];
    let isRefused = false;
    const source = new EventSource(`${app.url}/read?topic=a`, {
      fetch: async (url, init) => {
        askedAt.push(performance.now());
        const answer = await fetch(url, { ...init, headers: { ...init.headers, authorization: 'token' } });
        isRefused ||= answer.status === 401;
        return answer;
      },
    });

    try {
      await until(() => app.streams.connections.count === 1, 'the stream to open');
      await app.streams.publish('a', { data: 1 });
      await until(() => askedAt.length >= 6, 'five requests with the expired token', 10_000);
      // A minute later.
      tokens.set('token', { id: 'ann', expiresAt: Date.now() - 61_000 });
      await until(() => isRefused && source.readyState === source.CLOSED, 'the EventSource to give up');
    } finally {
      source.close();
    }

    const waits = askedAt.slice(1).map((at, n) => at - askedAt[n]!);
    for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(retryMs - 5);
    expect(callsOf(app)).toBe(1);
    expect(app.streams.connections.refused.expired).toBe(askedAt.length - 2);
  }, 15_000);

  test('an EventSource whose page gets a fresh token in time misses nothing', async () => {
    const { tokens, given } = withTokens({});
    await using app = await startApp(adapter, { ...given, options: { ...given.options, retryMs: 20 } });
    tokens.set('token', { id: 'ann', expiresAt: Date.now() + 1_000 });
    const heard: string[] = [];
    const source = new EventSource(`${app.url}/read?topic=a`, {
      fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, authorization: 'token' } }),
    });
    source.onmessage = ({ data }) => heard.push(String(data));

    try {
      await until(() => app.streams.connections.count === 1, 'the stream to open');
      await app.streams.publish('a', { data: 1 });
      await until(() => (app.streams.connections.refused.expired ?? 0) > 1, 'the expiry');
      await app.streams.publish('a', { data: 2 });
      tokens.set('token', { id: 'ann', expiresAt: Date.now() + HOUR });
      await until(() => heard.length === 2, 'what was missed');
    } finally {
      source.close();
    }

    expect(heard).toEqual(['1', '2']);
  });
});
