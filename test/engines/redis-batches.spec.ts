import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { SseError } from '../../src/errors.js';
import { KEEP, OpenEngine, Recorder, append, drivers, eventually, read, textsOf } from '../support/redis.js';
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

const TOPICS = ['a', 'b', 'c'];
const topicOf = (n: number): string => TOPICS[n % TOPICS.length]!;
const texts = (count: number): string[] => Array.from({ length: count }, (_, n) => `${n}`);

/** Appends so many events in one turn, so that they go together. What became of each: its position, or the code of its error. */
function appendTogether({ engine }: OpenEngine, count: number, of = topicOf) {
  const settled = texts(count).map((text, n) =>
    append(engine, of(n), text).catch((error: unknown) => (SseError.is(error) ? error.code : String(error))),
  );
  return Promise.all(settled);
}

/** How often scripts were run on the server. */
async function callsOf(port: number): Promise<number> {
  const stats = await ask(port, 'INFO', 'commandstats');
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

/** Checks that the log has just these texts in this order, linked without a gap. */
async function expectLog({ engine }: OpenEngine, topics: readonly string[], expected: readonly string[]) {
  const { entries, holes } = await read(engine, topics);
  expect([textsOf(entries), holes]).toEqual([expected, []]);
  for (const topic of topics) {
    const own = entries.filter((entry) => entry.topic === topic);
    expect(own.map(({ prev }) => prev)).toEqual([0, ...own.map(({ seq }) => seq)].slice(0, own.length));
  }
  return entries;
}

describe.each(drivers)('appends that come together through $name', ({ open }) => {
  const engineAt = (port: number, options = {}) => OpenEngine.over(open(port), { timeoutMs: 10_000, ...options });

  test('go in few calls, get their own positions, and are delivered in order and once', async () => {
    await using opened = await engineAt(server.port);
    await using other = await engineAt(server.port);
    const recorder = await Recorder.start(other.engine);
    await other.engine.subscribe(TOPICS);
    await append(opened.engine, 'first');
    const before = await callsOf(server.port);
    const positions = await appendTogether(opened, 300);

    // Of 64 at most; and those that the server did not know the script for.
    expect((await callsOf(server.port)) - before).toBeLessThanOrEqual(10);
    const entries = await expectLog(opened, TOPICS, texts(300));
    expect(positions).toMatchObject(entries.map(({ seq, at }) => ({ seq, at })));
    await until(() => recorder.entries.length === 300, 'the delivery');
    expect(textsOf(recorder.entries)).toEqual(texts(300));
  });

  test('are stored once when the answer to all of them is lost', async () => {
    await using opened = await engineAt(proxy.port);
    await using other = await engineAt(server.port);
    const topics = [...TOPICS, 'warm'];
    await appendTogether(opened, 2, () => 'warm');
    proxy.mute(true);
    const appending = appendTogether(opened, 200);
    await eventually(async () => (await read(other.engine, TOPICS)).entries.length === 200, 'them to be stored');
    proxy.mute(false);
    proxy.cut();

    const positions = await appending;
    const entries = await expectLog(other, topics, ['0', '1', ...texts(200)]);
    expect(positions).toMatchObject(entries.slice(2).map(({ seq, at }) => ({ seq, at })));
  });

  test('keep the order of their calls beside lone ones, however often connections are cut and scripts are forgotten', async () => {
    await using opened = await engineAt(proxy.port);
    const appending: Promise<unknown>[] = [];
    for (let n = 0; n < 1_500; n++) {
      appending.push(append(opened.engine, topicOf(n), `${n}`));
      // Bursts of 1 to 100, so that some go alone and some together.
      if ((n * 7) % 100 < 8) await new Promise(setImmediate);
      if (n % 300 === 299) proxy.cut();
      if (n % 400 === 399) await ask(server.port, 'SCRIPT', 'FLUSH');
    }
    await Promise.all(appending);

    await expectLog(opened, TOPICS, texts(1_500));
  });
});

describe('one of several that cannot be stored', () => {
  test.each([0, 5, 9])('does not spoil the others: number %i of ten', async (bad) => {
    await using opened = await OpenEngine.over(drivers[0]!.open(server.port));
    await append(opened.engine, 'a', 'before');
    await ask(server.port, 'SET', '{sse}:log:bad', 'not a list');
    const outcomes = await appendTogether(opened, 10, (n) => (n === bad ? 'bad' : topicOf(n)));

    expect(outcomes.map((outcome) => typeof outcome === 'string')).toEqual(texts(10).map((_, n) => n === bad));
    expect(outcomes[bad]).toBe('engine-uncertain');
    await expectLog(opened, TOPICS, ['before', ...texts(10).filter((_, n) => n !== bad)]);
    expect((await opened.engine.heads(['bad'])).topics).toEqual([undefined]);
  });

  test('does not spoil the others when it fails behind its own being stored', async () => {
    await using opened = await OpenEngine.over(drivers[0]!.open(server.port));
    await ask(server.port, 'SET', '{sse}:ids:a', 'no ids');
    const appended = await Promise.allSettled([
      append(opened.engine, 'b', '1'),
      append(opened.engine, 'a', '2', KEEP, 'own'),
      append(opened.engine, 'b', '3'),
    ]);

    // The key of the ids is removed with the first event of a topic.
    expect(appended.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    await ask(server.port, 'SET', '{sse}:ids:a', 'no ids');
    const again = await Promise.allSettled([
      append(opened.engine, 'b', '4'),
      append(opened.engine, 'a', '5', KEEP, 'other'),
      append(opened.engine, 'b', '6'),
    ]);
    expect(again.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await expectLog(opened, ['b'], ['1', '3', '4', '6']);
  });

  test('is refused before anything is sent when it is too large', async () => {
    await using opened = await OpenEngine.over(drivers[0]!.open(server.port));
    const large = Buffer.alloc(opened.engine.maxEventBytes + 1);
    const outcomes = await Promise.allSettled([
      append(opened.engine, 'a', '0'),
      opened.engine.append({ topic: 'a', data: large, retention: KEEP }),
      append(opened.engine, 'a', '1'),
    ]);

    expect(outcomes[1]).toMatchObject({ status: 'rejected', reason: { code: 'invalid-event' } });
    await expectLog(opened, ['a'], ['0', '1']);
  });
});

test('memory that is full from some event on refuses whole calls: nothing is stored in part', async () => {
  await using opened = await OpenEngine.over(drivers[0]!.open(server.port));
  await appendTogether(opened, 2);
  const used = Number(/used_memory:(\d+)/.exec(await ask(server.port, 'INFO', 'memory'))?.[1]);
  await ask(server.port, 'CONFIG', 'SET', 'maxmemory', `${used + 400_000}`, 'maxmemory-policy', 'noeviction');
  const large = 'x'.repeat(2_000);
  const outcomes = await Promise.allSettled(
    texts(600).map((text, n) => append(opened.engine, topicOf(n), text + large)),
  );
  await ask(server.port, 'CONFIG', 'SET', 'maxmemory', '0');

  const stored = outcomes.flatMap((outcome, n) => (outcome.status === 'fulfilled' ? [`${n}${large}`] : []));
  expect([stored.length > 0, stored.length < 600]).toEqual([true, true]);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'engine-failed' });
  }
  await expectLog(opened, TOPICS, ['0', '1', ...stored]);
  const after = await appendTogether(opened, 3);
  expect(after.every((position) => typeof position === 'object')).toBe(true);
});

test('one that may not write a key of several is refused it alone', async () => {
  await ask(server.port, 'ACL', 'SETUSER', 'some', 'on', '>secret', '+@all', '&*');
  await ask(server.port, 'ACL', 'SETUSER', 'some', '~{sse}:lane', '~{sse}:names', '~{sse}:*:a', '~{sse}:*:b');
  await using opened = OpenEngine.at(`redis://some:secret@127.0.0.1:${server.port}`);
  const outcomes = await appendTogether(opened, 9);

  expect(outcomes.map((outcome) => (typeof outcome === 'string' ? outcome : 'stored'))).toEqual(
    texts(9).map((_, n) => (topicOf(n) === 'c' ? 'engine-failed' : 'stored')),
  );
  await expectLog(
    opened,
    ['a', 'b'],
    texts(9).filter((_, n) => topicOf(n) !== 'c'),
  );
});
