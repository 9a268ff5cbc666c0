import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { type Principal, SseHealthIndicator } from 'nestjs-event-stream';
import { createRandom } from '../faults/support/random.mjs';
import { SharedLog, ShakyEngine } from '../faults/support/shaky-engine.js';
import { type TestApp, adapters, startApp } from '../support/app.js';
import { GuardedController, as, byName, byToken } from '../support/people.js';
import type { Stream } from '../support/stream.js';
import { until } from '../support/until.js';

const END = { type: 'stream.end', data: '{"reason":"revoked","reconnect":false}', id: 'stream.end' };

/** Nodes that share a log, to be held with `await using`. */
class Cluster {
  readonly log = new SharedLog();
  readonly engines: ShakyEngine[] = [];
  readonly nodes: TestApp[] = [];

  async start(more: object = {}): Promise<TestApp> {
    const engine = new ShakyEngine(this.log, createRandom(this.nodes.length + 1));
    const adapter = adapters[this.nodes.length % adapters.length]!;
    const options = { authenticate: byName, engine, ...more };
    const node = await startApp(adapter, { controllers: [GuardedController], options });
    this.engines.push(engine);
    this.nodes.push(node);
    return node;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const engine of this.engines) engine.isDown = false;
    for (const node of this.nodes) await node[Symbol.asyncDispose]();
  }
}

async function read(node: TestApp, who: string, ...topics: string[]): Promise<Stream> {
  const query = topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join('&');
  const stream = await node.open(`/read?${query}`, as(who));
  if (stream.status === 200) await stream.receive('id: ');
  return stream;
}

afterEach(() => {
  jest.useRealTimers();
});

describe('revoke', () => {
  test('ends the streams of a principal on every node, and each refuses who comes back', async () => {
    await using cluster = new Cluster();
    const [one, other] = [await cluster.start(), await cluster.start()];
    const streams = [await read(one, 'ann', 'a'), await read(other, 'ann', 'a'), await read(other, 'ann', '**')];
    const his = await read(other, 'bob', 'a');

    await one.streams.revoke({ principalId: 'ann' });

    expect(await Promise.all(streams.map((stream) => stream.rest()))).toEqual([[END], [END], [END]]);
    expect([(await read(one, 'ann', 'a')).status, (await read(other, 'ann', 'a')).status]).toEqual([403, 403]);
    await one.streams.publish('a', { data: 'on' });
    expect(await his.next()).toMatchObject({ data: 'on' });
  });

  test('holds on nodes that are started later, until it is taken back', async () => {
    await using cluster = new Cluster();
    const one = await cluster.start();
    await one.streams.revoke({ principalId: 'ann' });
    await one.streams.revoke({ principalId: 'bob' });
    await one.streams.reinstate({ principalId: 'bob' });

    const later = await cluster.start();

    expect((await read(later, 'ann', 'a')).status).toBe(403);
    expect((await read(later, 'bob', 'a')).status).toBe(200);
    await one.streams.reinstate({ principalId: 'ann' });
    let status = 403;
    while (status === 403) ({ status } = await read(later, 'ann', 'a'));
    expect(status).toBe(200);
  });

  test('is known before a node that has just been started lets anyone in, also where it streams no topics', async () => {
    await using cluster = new Cluster();
    const one = await cluster.start();
    await one.streams.revoke({ principalId: 'ann' });
    const later = await cluster.start();
    cluster.engines[1]!.isDown = true;

    const answers = Promise.all([later.open('/source', as('ann')), later.open('/source', as('bob'))]);
    await until(() => cluster.engines[1]!.calls.read > 0, 'the log to be asked');
    cluster.engines[1]!.restore();
    const [hers, his] = await answers;

    expect([hers.status, his.status]).toEqual([403, 200]);
    expect(later.nest.get(GuardedController).calls).toBe(1);
  });

  test('spares who was authenticated anew since, also on a node that learns of it later', async () => {
    await using cluster = new Cluster();
    const tokens = new Map<string, Principal>([
      ['old', { id: 'ann', issuedAt: Date.now() - 60_000 }],
      ['new', { id: 'ann', issuedAt: Date.now() + 60_000 }],
    ]);
    const one = await cluster.start({ authenticate: byToken(tokens) });
    await one.streams.revoke({ principalId: 'ann' });
    const later = await cluster.start({ authenticate: byToken(tokens) });

    expect((await read(later, 'old', 'a')).status).toBe(403);
    expect((await read(later, 'new', 'a')).status).toBe(200);
  });

  test('reaches a node that was cut off, when it is back', async () => {
    await using cluster = new Cluster();
    const [one, other] = [await cluster.start(), await cluster.start()];
    const stream = await read(other, 'ann', 'a');
    cluster.engines[1]!.break();

    await one.streams.revoke({ principalId: 'ann' });
    cluster.engines[1]!.restore();

    expect(await stream.rest()).toEqual([END]);
  });

  test('no topic of the module can be read, or published to', async () => {
    await using cluster = new Cluster();
    const one = await cluster.start();
    const all = await read(one, 'bob', '**');
    await one.streams.revoke({ principalId: 'ann' });
    await one.streams.publish('a', { data: 1 });

    expect(await all.next()).toMatchObject({ data: '1' });
    expect((await one.open('/read?topic=%2Frevocations', as('bob'))).status).toBe(400);
    await expect(one.streams.publish('/revocations', { data: 1 })).rejects.toMatchObject({ code: 'invalid-topic' });
  });
});

describe('a ticket', () => {
  const open = (node: TestApp, code: string): Promise<Stream> => node.open(`/read?topic=a&ticket=${code}`);

  test('is good on every node, also one that is started later, once', async () => {
    await using cluster = new Cluster();
    const [one, other] = [await cluster.start(), await cluster.start()];
    const expiresAt = new Date(Date.now() + 60_000);
    const codes = Array.from({ length: 3 }, () =>
      one.streams.tickets.issue({ id: 'ann', expiresAt }, { topics: ['a'] }),
    );

    const here = await open(other, codes[0]!);
    expect(here.status).toBe(200);
    expect(other.streams.connections.list()[0]!.principal).toEqual({ id: 'ann', expiresAt: Number(expiresAt) });
    for (const node of [one, other]) expect((await open(node, codes[0]!)).status).toBe(401);
    const later = await cluster.start();
    expect((await open(later, codes[1]!)).status).toBe(200);
    expect((await open(later, codes[0]!)).status).toBe(401);
    expect((await later.open(`/read?topic=b&ticket=${codes[2]}`)).status).toBe(403);
  });

  test('that is shown to two nodes at once opens one stream', async () => {
    await using cluster = new Cluster();
    const nodes = [await cluster.start(), await cluster.start(), await cluster.start()];
    for (let n = 0; n < 20; n++) {
      const code = nodes[n % 3]!.streams.tickets.issue({ id: 'ann' });
      const statuses = await Promise.all(nodes.map(async (node) => (await open(node, code)).status));
      expect(statuses.sort()).toEqual([200, 401, 401]);
    }
  });

  test('stays good while the log cannot be asked whether it was used, and its client is told to come back', async () => {
    await using cluster = new Cluster();
    const [one, other] = [await cluster.start(), await cluster.start()];
    const code = one.streams.tickets.issue({ id: 'ann' });
    await read(other, 'bob', 'a');
    const [, engine] = cluster.engines as [ShakyEngine, ShakyEngine];
    const append = engine.append.bind(engine);
    engine.append = () => Promise.reject(new Error('the line is broken'));

    const refused = await open(other, code);
    expect(refused.status).toBe(200);
    expect(await refused.rest()).toEqual([]);
    expect(refused.text).toMatch(/^retry: \d+\n: not available at the moment\n+$/);
    expect(other.streams.connections.refused).toEqual({ unavailable: 1 });
    expect((await other.open(`/plain?ticket=${code}`)).status).toBe(503);

    engine.append = append;
    expect((await open(other, code)).status).toBe(200);
    expect((await open(one, code)).status).toBe(401);
  });

  test('whose use was stored without its node hearing of it opens no stream, then or later', async () => {
    await using cluster = new Cluster();
    const [one, other] = [await cluster.start(), await cluster.start()];
    const code = one.streams.tickets.issue({ id: 'ann' });
    await read(other, 'bob', 'a');
    const [, engine] = cluster.engines as [ShakyEngine, ShakyEngine];
    engine.break();

    expect(await (await open(other, code)).body()).toContain(': not available at the moment');
    engine.restore();
    expect((await open(one, code)).status).toBe(401);
    let later = await open(other, code);
    for (; later.status === 200; later = await open(other, code)) {
      expect(await later.body()).toContain(': not available at the moment');
    }
    expect(later.status).toBe(401);
  });
});

describe('connections.close', () => {
  test('ends what fits on every node, to come back or not', async () => {
    await using cluster = new Cluster();
    const [one, other] = [await cluster.start(), await cluster.start()];
    const streams = [await read(one, 'ann', 'a'), await read(other, 'ann', 'a')];
    const others = [await read(other, 'ann', 'b'), await read(other, 'bob', 'a')];

    await one.streams.connections.close({ principalId: 'ann', topic: 'a' }, { reconnect: true });
    const ends = await Promise.all(streams.map((stream) => stream.rest()));

    for (const events of ends) expect(events).toMatchObject([{ data: '{"reason":"closed","reconnect":true}' }]);
    for (const topic of ['a', 'b']) await one.streams.publish(topic, { data: 'on' });
    for (const stream of others) expect(await stream.next()).toMatchObject({ data: 'on' });
    expect((await read(other, 'ann', 'a')).status).toBe(200);
  });

  test.each([[{}], [{ principalId: 1 }], [{ id: null }], [{ topic: '' }]])('refuses %j', async (selector: any) => {
    await using cluster = new Cluster();
    const one = await cluster.start();
    const code = expect.stringMatching(/^invalid-(options|topic)$/);

    await expect(one.streams.connections.close(selector)).rejects.toMatchObject({ code });
  });
});

describe('presence', () => {
  test('counts the streams that read a topic on all nodes, by name and by pattern, and who they are', async () => {
    await using cluster = new Cluster();
    const nodes = [await cluster.start(), await cluster.start(), await cluster.start()];
    await read(nodes[0]!, 'ann', 'a');
    await read(nodes[1]!, 'ann', 'a', 'b');
    await read(nodes[1]!, 'bob', '**');
    await read(nodes[2]!, 'cid', 'b');

    const asked = await Promise.all(
      nodes.map((node) => node.streams.presence('a', { members: true, timeoutMs: 4_000 })),
    );

    for (const { members, ...presence } of asked) {
      expect(presence).toEqual({ count: 3, answered: 3, expected: 3 });
      expect([...members!].sort((x, y) => (x.id < y.id ? -1 : 1))).toEqual([
        { id: 'ann', connections: 2 },
        { id: 'bob', connections: 1 },
      ]);
    }
    expect(await nodes[2]!.streams.presence('b', { timeoutMs: 4_000 })).toEqual({ count: 3, answered: 3, expected: 3 });
  });

  test('tells when a node does not answer, and forgets one that has said good-bye', async () => {
    await using cluster = new Cluster();
    const [one, dead, leaving] = [await cluster.start(), await cluster.start(), await cluster.start()];
    for (const node of [one, dead, leaving]) await read(node, 'ann', 'a');
    await one.streams.presence('a', { timeoutMs: 4_000 });
    cluster.engines[1]!.break();
    await leaving.nest.close();

    expect(await one.streams.presence('a', { timeoutMs: 200 })).toEqual({ count: 1, answered: 1, expected: 2 });
  });

  test('counts the streams of its own process with an engine that is nobody else’s', async () => {
    await using node = await startApp(adapters[0]!, {
      controllers: [GuardedController],
      options: { authenticate: byName },
    });
    await read(node, 'ann', 'a');

    expect(await node.streams.presence('a')).toEqual({ count: 1, answered: 1, expected: 1 });
    expect((await node.streams.presence('b', { members: true })).members).toEqual([]);
  });

  test.each([
    ['*', {}],
    ['a', { timeoutMs: 0 }],
    ['a', { timeoutMs: '1' }],
  ])('refuses %j %j', async (topic, options: any) => {
    await using node = await startApp(adapters[0]!, {});

    await expect(node.streams.presence(topic, options)).rejects.toMatchObject({ name: 'SseError' });
  });
});

describe('the health of the engine', () => {
  test('is told by the service, the hook and the indicator, when it breaks and when it is back', async () => {
    await using cluster = new Cluster();
    const states: string[] = [];
    const node = await cluster.start({ hooks: { onEngineState: (state: string) => states.push(state) } });
    const engine = cluster.engines[0]!;
    const indicator = node.nest.get(SseHealthIndicator, { strict: false });
    const stream = await read(node, 'ann', 'a');
    expect([node.streams.engine.name, node.streams.engine.state]).toEqual(['shaky', 'up']);
    expect(await indicator.isHealthy('log')).toEqual({ log: { status: 'up', engine: 'shaky', state: 'up' } });

    engine.break();
    expect(node.streams.engine.state).toBe('degraded');
    engine.shakiness = { ...engine.shakiness, fail: 1 };
    expect(await indicator.isHealthy()).toMatchObject({ sse: { status: 'down', state: 'degraded' } });
    await expect(node.streams.engine.health()).rejects.toThrow();
    engine.shakiness = { ...engine.shakiness, fail: 0 };
    await node.streams.publish('a', { data: 'while it is broken' });
    engine.restore();

    expect(await stream.next()).toMatchObject({ data: '"while it is broken"'.slice(1, -1) });
    await until(() => node.streams.engine.state === 'up', 'the engine to be up');
    expect(states).toEqual(['degraded', 'up']);
  });
});
