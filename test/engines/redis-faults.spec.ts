import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import { SseError } from '../../src/errors.js';
import {
  OpenEngine,
  Recorder,
  append,
  connectionsOf,
  drivers,
  eventually,
  holesOf,
  read,
  textsOf,
} from '../support/redis.js';
import { ServerProcess } from '../support/server-process.js';
import { ask, durableRedisServer } from '../support/servers/redis.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

jest.setTimeout(30_000);

let server: ServerProcess;
let proxy: TcpProxy;

beforeEach(async () => {
  server = await ServerProcess.start(durableRedisServer);
  proxy = await TcpProxy.start(server.port);
});

afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const codeOf = (error: unknown): string => (SseError.is(error) ? error.code : String(error));

/** Appends texts one after the other until it is stopped, several at once, and keeps what became of each. */
function startPublishing(engine: OpenEngine['engine'], writers: number) {
  const acknowledged: string[] = [];
  const uncertain: string[] = [];
  const failed: string[] = [];
  let isStopped = false;
  const write = async (writer: number): Promise<void> => {
    for (let n = 0; !isStopped; n++) {
      const text = `${writer}:${n}`;
      try {
        await append(engine, `t/${writer % 3}`, text);
        acknowledged.push(text);
      } catch (error) {
        (codeOf(error) === 'engine-uncertain' ? uncertain : failed).push(text);
      }
    }
  };
  const writing = Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  const stop = async (): Promise<void> => {
    isStopped = true;
    await writing;
  };
  return { acknowledged, uncertain, failed, stop };
}

describe.each(drivers)('the Redis engine through $name', ({ open }) => {
  const engineAt = (port: number, options = {}) => OpenEngine.over(open(port), { timeoutMs: 3_000, ...options });

  test('what was acknowledged is in the log exactly once when the server is killed twice under load', async () => {
    await using publisher = await engineAt(server.port);
    await using subscriber = await engineAt(server.port);
    const topics = ['t/0', 't/1', 't/2'];
    const recorder = await Recorder.start(subscriber.engine);
    await subscriber.engine.subscribe(topics);
    const publishing = startPublishing(publisher.engine, 20);

    for (let round = 1; round <= 2; round++) {
      const before = publishing.acknowledged.length;
      await until(() => publishing.acknowledged.length > before + 500, 'events before the server is killed');
      await server.kill('SIGKILL');
      await until(() => recorder.isInterrupted, 'the sink to be told');
      await server.start();
      await until(() => !recorder.isInterrupted, 'delivery to be restored', 10_000);
    }
    await until(() => recorder.entries.length > 1_200, 'events after the last kill', 10_000);
    await publishing.stop();

    const { entries } = await read(subscriber.engine, topics);
    const stored = textsOf(entries);
    expect(new Set(stored).size).toBe(stored.length);
    const maybe = new Set(publishing.uncertain);
    expect(stored.filter((text) => !maybe.has(text)).sort()).toEqual([...publishing.acknowledged].sort());
    for (const topic of topics) {
      const own = entries.filter((entry) => entry.topic === topic);
      expect(own.map(({ prev }) => prev)).toEqual([0, ...own.slice(0, -1).map(({ seq }) => seq)]);
    }
    expect(recorder.states).toEqual(['interrupted', 'resumed', 'interrupted', 'resumed']);
    expect(recorder.outOfTurn).toEqual([]);
  });

  test('an event whose acknowledgement was lost is stored once, and its publisher gets its position', async () => {
    await using opened = await engineAt(proxy.port);
    await using other = await engineAt(server.port);
    // The server knows the script of several: that it does not would be an answer, too.
    await Promise.all(['first', 'with it', 'and it'].map((text) => append(opened.engine, 'a', text)));
    proxy.mute(true);
    const appending = Promise.all([append(opened.engine, 'a', 'second'), append(opened.engine, 'a', 'third')]);
    await eventually(async () => (await read(other.engine, ['a'])).entries.length === 5, 'the events to be stored');
    proxy.mute(false);
    proxy.cut();

    const positions = await appending;
    const { entries } = await read(other.engine, ['a']);
    expect(textsOf(entries)).toEqual(['first', 'with it', 'and it', 'second', 'third']);
    expect(positions.map(({ seq }) => seq)).toEqual(entries.slice(3).map(({ seq }) => seq));
  });

  test('events keep the order of their calls, each once, however often connections are cut', async () => {
    await using opened = await engineAt(proxy.port, { timeoutMs: 10_000 });
    const appending: Promise<unknown>[] = [];
    for (let n = 0; n < 2_000; n++) {
      appending.push(append(opened.engine, 'a', `${n}`));
      if (n % 100 === 99) await delay(1);
      if (n % 400 === 399) proxy.cut();
      if (n % 500 === 499) await ask(server.port, 'SCRIPT', 'FLUSH');
    }
    await Promise.all(appending);

    const { entries } = await read(opened.engine, ['a']);
    expect(textsOf(entries)).toEqual(Array.from({ length: 2_000 }, (_, n) => `${n}`));
  });

  test('a call during an outage rejects within its deadline: nothing was stored', async () => {
    await using opened = await engineAt(server.port, { timeoutMs: 1_000 });
    await append(opened.engine, 'a');
    await server.kill();
    // The client finds out by this one.
    await append(opened.engine, 'a').catch(() => undefined);

    const started = Date.now();
    const settled = await Promise.allSettled([
      append(opened.engine, 'a'),
      read(opened.engine, ['a']),
      opened.engine.heads(['a']),
      opened.engine.list(''),
      opened.engine.locate(['a'], 'x'),
      opened.engine.health(),
    ]);
    expect(Date.now() - started).toBeLessThan(3_000);
    const codes = settled.map((each) => each.status === 'rejected' && codeOf(each.reason));
    expect(codes).toEqual(Array<string>(6).fill('engine-failed'));
  });

  test('an event that was sent into a black hole is uncertain, and the log goes on when the network is back', async () => {
    await using opened = await engineAt(proxy.port, { timeoutMs: 1_000 });
    await append(opened.engine, 'a', 'before');
    proxy.swallow(true);

    await expect(append(opened.engine, 'a', 'lost')).rejects.toMatchObject({ code: 'engine-uncertain' });
    await expect(read(opened.engine, ['a'])).rejects.toMatchObject({ code: 'engine-failed' });
    proxy.swallow(false);
    proxy.cut();
    await eventually(
      () =>
        append(opened.engine, 'a', 'after').then(
          () => true,
          () => false,
        ),
      'the log to go on',
    );
    // ioredis sends the lost one again by itself.
    const texts = textsOf((await read(opened.engine, ['a'])).entries);
    expect([
      ['before', 'after'],
      ['before', 'lost', 'after'],
    ]).toContainEqual(texts);
  });

  test('what is wiped begins anew in another epoch, for those who read and those who publish', async () => {
    await using opened = await engineAt(server.port);
    const recorder = await Recorder.start(opened.engine);
    await opened.engine.subscribe(['a']);
    const before = await append(opened.engine, 'a', 'before');
    await ask(server.port, 'FLUSHALL');

    expect(await holesOf(opened.engine, ['a'], before)).toEqual(['epoch a']);
    const after = await append(opened.engine, 'a', 'after');
    expect([after.seq, after.epoch === before.epoch]).toEqual([1, false]);
    await until(() => recorder.entries.length === 2, 'the live delivery to go on');
    expect(recorder.states).toEqual([]);
  });

  test('all nodes agree on the epoch when they find the log empty at the same time', async () => {
    await using one = await engineAt(server.port);
    await using two = await engineAt(server.port);
    const asking = [one, two].flatMap(({ engine }) => [
      engine.heads([]).then(({ upTo }) => upTo),
      read(engine, ['a']).then(({ upTo }) => upTo),
      engine.list('').then(({ upTo }) => upTo),
      append(engine, 'a'),
    ]);

    expect(new Set((await Promise.all(asking)).map(({ epoch }) => epoch)).size).toBe(1);
  });

  test('a log that lost its newest events and uses their numbers again is seen to have diverged', async () => {
    await using opened = await engineAt(server.port);
    const kept = await append(opened.engine, 'a', 'kept');
    await ask(server.port, 'COPY', '{sse}:lane', '{saved}:lane');
    await ask(server.port, 'COPY', '{sse}:log:a', '{saved}:log:a');
    const lost = await append(opened.engine, 'a', 'lost');
    await ask(server.port, 'COPY', '{saved}:lane', '{sse}:lane', 'REPLACE');
    await ask(server.port, 'COPY', '{saved}:log:a', '{sse}:log:a', 'REPLACE');

    expect(await holesOf(opened.engine, ['a'], lost)).toEqual(['ahead a']);
    await until(() => Date.now() > lost.at + 1, 'the clock to go on');
    const again = await append(opened.engine, 'a', 'again');
    expect(again.seq).toBe(lost.seq);
    expect(await holesOf(opened.engine, ['a'], lost)).toEqual(['diverged a']);
    expect(await holesOf(opened.engine, ['a'], kept)).toEqual([]);
  });

  test('close settles what is under way, leaves no connection behind, and the client usable', async () => {
    const { client, end } = await open(proxy.port);
    const opened = await OpenEngine.over(Promise.resolve({ client, end: () => undefined }), { timeoutMs: 10_000 });
    const recorder = await Recorder.start(opened.engine);
    await opened.engine.subscribe(['a']);
    await append(opened.engine, 'a');
    proxy.swallow(true);
    const calls = [append(opened.engine, 'a'), read(opened.engine, ['a']), opened.engine.subscribe(['b'])];
    const settled = Promise.allSettled(calls);
    await delay(20);
    const started = Date.now();
    await opened.engine.close();

    const codes = (await settled).map((each) => each.status === 'rejected' && codeOf(each.reason));
    expect(codes).toEqual(['engine-uncertain', 'closed', 'closed']);
    expect(Date.now() - started).toBeLessThan(1_500);
    expect(recorder.states).toEqual([]);
    proxy.swallow(false);
    proxy.cut();
    await using again = await OpenEngine.over(Promise.resolve({ client, end }));
    await append(again.engine, 'a', 'after');
    await eventually(async () => (await connectionsOf(server.port)).length === 1, 'one connection to be left');
  });
});

test('what a client drops when its connection is lost is sent again', async () => {
  // Its promises never settle.
  const client = new Redis(proxy.port, { autoResendUnfulfilledCommands: false, retryStrategy: () => 20 });
  client.on('error', () => undefined);
  await using opened = await OpenEngine.over(Promise.resolve({ client, end: () => client.disconnect() }));
  await append(opened.engine, 'a', 'first');
  proxy.swallow(true);
  const appending = [append(opened.engine, 'a', 'second'), append(opened.engine, 'a', 'third')];
  await delay(20);
  proxy.swallow(false);
  proxy.cut();
  await Promise.all(appending);

  expect(textsOf((await read(opened.engine, ['a'])).entries)).toEqual(['first', 'second', 'third']);
});

test('through ioredis an answer that came while this process stood still is taken, however late', async () => {
  const timeoutMs = 500;
  await using opened = await OpenEngine.over(drivers[0]!.open(server.port), { timeoutMs });
  await append(opened.engine, 'a', 'first');
  // The server knows both scripts: one that it does not know takes two answers.
  await read(opened.engine, ['a']);
  // It answers nothing before this process stands still.
  await server.kill('SIGSTOP');
  const appended = append(opened.engine, 'a', 'second');
  const found = read(opened.engine, ['a']);
  // Until both have been sent.
  for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
  void server.kill('SIGCONT');
  for (const until = performance.now() + 3 * timeoutMs; performance.now() < until;);

  expect(await appended).toMatchObject({ seq: 2 });
  expect((await found).upTo).toMatchObject({ seq: expect.any(Number) });
});
