import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { EVERY_TOPIC } from '../../src/engine/engine.js';
import {
  type Driver,
  KEEP,
  type OpenClient,
  OpenEngine,
  Recorder,
  append,
  connectionsOf,
  drivers,
  eventually,
  read,
  subscriptionsOf,
} from '../support/redis.js';
import { ServerProcess } from '../support/server-process.js';
import { ask, redisServer } from '../support/servers/redis.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

jest.setTimeout(30_000);

let server: ServerProcess;
let proxy: TcpProxy;

beforeEach(async () => {
  server = await ServerProcess.start(redisServer());
  proxy = await TcpProxy.start(server.port);
});

afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** One client for the log that always works, and a live delivery through the proxy: what is broken is only that. */
async function openBehindProxy(open: Driver['open'], probeMs: number): Promise<OpenEngine> {
  const { client, end } = await open(server.port);
  const opened = await OpenEngine.over(Promise.resolve({ client, end }), { probeMs, timeoutMs: 1_000 });
  subscribeAt(client, proxy.port);
  return opened;
}

/** A subscriber is made with the client's options. */
function subscribeAt(client: OpenClient['client'], port: number): void {
  const { options } = client as unknown as { options: { port?: number; socket?: { port: number } } };
  if (options.socket === undefined) options.port = port;
  else options.socket.port = port;
}

describe.each(drivers)('the live delivery of the Redis engine through $name', ({ open }) => {
  const engineAt = (port: number, options = {}) => OpenEngine.over(open(port), { timeoutMs: 3_000, ...options });

  test('a connection that a network swallows is found by the probe, and replaced', async () => {
    await using opened = await openBehindProxy(open, 100);
    const recorder = await Recorder.start(opened.engine);
    await opened.engine.subscribe(['a']);
    await append(opened.engine, 'a');
    await until(() => recorder.entries.length === 1, 'the first event');
    proxy.swallow(true);

    await until(() => recorder.isInterrupted, 'the probe to find it', 1_000);
    const missed = await append(opened.engine, 'a', 'missed');
    await expect(opened.engine.subscribe(['b'])).rejects.toMatchObject({ code: 'engine-failed' });
    proxy.swallow(false);
    proxy.cut();
    await until(() => !recorder.isInterrupted, 'delivery to be restored', 10_000);
    const { seq } = await append(opened.engine, 'a', 'after');
    await until(() => recorder.entries.at(-1)?.seq === seq, 'the event after it');
    expect(recorder.entries.map((entry) => entry.seq)).not.toContain(missed.seq);
    expect(recorder.states).toEqual(['interrupted', 'resumed']);
    await eventually(async () => (await subscriptionsOf(server.port)) === 2, 'what was refused to be taken back');
  });

  test('a subscriber whose server is no longer published to is found by the probe', async () => {
    await using replica = await ServerProcess.start(redisServer('--replicaof', `127.0.0.1 ${server.port}`));
    const { client, end } = await open(server.port);
    await using opened = await OpenEngine.over(Promise.resolve({ client, end }), { probeMs: 200 });
    const recorder = await Recorder.start(opened.engine);
    await append(opened.engine, 'fence');
    await eventually(
      async () => (await ask(replica.port, 'EXISTS', '{sse}:lane')) === ':1\r\n',
      'the replica to follow',
    );
    subscribeAt(client, replica.port);
    await opened.engine.subscribe(['a']);
    await append(opened.engine, 'a');
    await until(() => recorder.entries.length === 1, 'the event');
    // As in a failover that the subscriber does not hear of: it stays connected, and each ping is answered.
    subscribeAt(client, server.port);
    await ask(replica.port, 'REPLICAOF', 'NO', 'ONE');

    await until(() => recorder.states.includes('resumed'), 'another connection', 5_000);
    await append(opened.engine, 'a');
    await until(() => recorder.entries.length === 2, 'the next event');
    expect(recorder.states).toEqual(['interrupted', 'resumed']);
  });

  test('delivery that is cut again and again is restored, over one connection', async () => {
    await using opened = await openBehindProxy(open, 1_000);
    const recorder = await Recorder.start(opened.engine);
    await opened.engine.subscribe(['a', EVERY_TOPIC]);
    const base = (await connectionsOf(server.port)).length;
    let isPublishing = true;
    const publishing = (async () => {
      while (isPublishing) await append(opened.engine, 'a');
    })();
    for (let round = 1; round <= 10; round++) {
      proxy.cut();
      await until(() => recorder.states.length === 2 * round, 'delivery to be restored', 5_000);
    }

    isPublishing = false;
    await publishing;
    const { seq } = await append(opened.engine, 'a');
    await until(() => recorder.entries.some((entry) => entry.seq === seq), 'the event after it');
    await eventually(async () => (await connectionsOf(server.port)).length === base, 'no further connection');
    expect(recorder.states).toEqual(Array(10).fill(['interrupted', 'resumed']).flat());
    expect(recorder.outOfTurn).toEqual([]);
  });

  test('a connection that the server refuses at first is made later', async () => {
    await using opened = await openBehindProxy(open, 1_000);
    const recorder = await Recorder.start(opened.engine);
    proxy.refuse(true);
    await expect(opened.engine.subscribe(['a'])).rejects.toMatchObject({ code: 'engine-failed' });
    proxy.refuse(false);

    await until(() => !recorder.isInterrupted, 'the connection to be made', 5_000);
    await opened.engine.subscribe(['a']);
    await append(opened.engine, 'a');
    await until(() => recorder.entries.length === 1, 'the event');
    expect(recorder.states).toEqual(['interrupted', 'resumed']);
  });

  test('who only publishes and reads opens no further connection, and who listens opens one', async () => {
    await using opened = await engineAt(server.port);
    await append(opened.engine, 'a');
    await read(opened.engine, ['a']);
    await Recorder.start(opened.engine);
    expect((await connectionsOf(server.port)).length).toBe(1);

    const topics = Array.from({ length: 10_000 }, (_, n) => `t/${n}`);
    await opened.engine.subscribe(topics);
    expect((await connectionsOf(server.port)).length).toBe(2);
    expect(await subscriptionsOf(server.port)).toBe(10_001);
    opened.engine.unsubscribe(topics);
    await eventually(async () => (await subscriptionsOf(server.port)) === 1, 'only the probe to be left');
  });

  test('10,000 rounds of subscribing and unsubscribing leave nothing behind', async () => {
    await using opened = await engineAt(server.port);
    await Recorder.start(opened.engine);
    for (let n = 0; n < 10_000; n++) {
      const subscribing = opened.engine.subscribe([`t/${n % 10}`]);
      if (n % 10 === 0) await subscribing;
      opened.engine.unsubscribe([`t/${n % 10}`]);
      subscribing.catch(() => undefined);
    }

    await opened.engine.subscribe([]);
    await eventually(async () => (await subscriptionsOf(server.port)) === 1, 'only the probe to be left');
  });

  test('logs with another prefix, database or key prefix do not hear each other', async () => {
    await using one = await engineAt(server.port, { prefix: 'one' });
    await using two = await engineAt(server.port, { prefix: 'two' });
    await using three = OpenEngine.at(`redis://127.0.0.1:${server.port}/3`, { prefix: 'one' });
    const recorders: Recorder[] = [];
    for (const { engine } of [one, two, three]) {
      recorders.push(await Recorder.start(engine));
      await engine.subscribe(['a', EVERY_TOPIC]);
    }
    await append(one.engine, 'a');
    for (const { engine } of [two, three]) await append(engine, 'fence');

    await until(() => recorders[1]!.entries.length > 0 && recorders[2]!.entries.length > 0, 'the fences');
    const heard = recorders.map(({ entries }) => [...new Set(entries.map(({ topic }) => topic))]);
    expect(heard).toEqual([['a'], ['fence'], ['fence']]);
  });

  test('an event that is too large is a hint, unless it cannot be read', async () => {
    await using opened = await engineAt(server.port, { inlineBytes: 100 });
    const recorder = await Recorder.start(opened.engine);
    await opened.engine.subscribe(['a']);
    const large = 'x'.repeat(200);
    const hinted = await append(opened.engine, 'a', large);
    await append(opened.engine, 'a', large, { ...KEEP, maxEvents: 0 });
    await append(opened.engine, 'a', 'small');

    await until(() => recorder.entries.length === 2, 'the events');
    expect(recorder.entries.map(({ data }) => data.byteLength)).toEqual([200, 5]);
    expect(recorder.hints).toEqual([{ topic: 'a', seq: hinted.seq }]);
  });
});
