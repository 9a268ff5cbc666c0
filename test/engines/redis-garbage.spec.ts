import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { EVERY_TOPIC } from '../../src/engine/engine.js';
import type { LogEntry } from '../../src/engine/engine.js';
import { LiveFeed } from '../../src/feed/live-feed.js';
import { decodeMessage } from '../../src/redis/codec.js';
import { redisEngine } from '../../src/redis/index.js';
import { createRandom } from '../faults/support/random.mjs';
import type { Random } from '../faults/support/random.mjs';
import { adapters, startApp } from '../support/app.js';
import { TopicController } from '../support/controllers.js';
import { OpenEngine, Recorder, append, drivers, eventually } from '../support/redis.js';
import { ServerProcess } from '../support/server-process.js';
import { redisServer } from '../support/servers/redis.js';
import { until } from '../support/until.js';

jest.setTimeout(60_000);

let server: ServerProcess;
/** Somebody else, who may publish to the channels. */
let stranger: Redis;

beforeEach(async () => {
  server = await ServerProcess.start(redisServer());
  stranger = new Redis(server.port, { retryStrategy: () => null });
});

afterEach(async () => {
  stranger.disconnect();
  await server[Symbol.asyncDispose]();
});

interface Claim {
  readonly topic?: string;
  readonly epoch?: string;
  readonly seq?: number;
  readonly prev?: number;
  readonly at?: number;
  readonly topicBytes?: number;
  readonly idBytes?: number;
}

/** A message as our scripts publish it, with any claims. */
function forged({ topic = 'topic', epoch = 'aaaaaa', seq = 1, prev = 0, at = 1, ...lengths }: Claim): Buffer {
  const name = Buffer.from(topic);
  const head = Buffer.alloc(2);
  head.writeUInt16LE(lengths.topicBytes ?? name.length);
  const numbers = Buffer.alloc(28);
  for (const [n, value] of [seq, prev, at].entries()) numbers.writeDoubleLE(value, 8 * n);
  numbers.writeUInt32LE(lengths.idBytes ?? 0, 24);
  return Buffer.concat([Buffer.from(`e${epoch}`), head, name, numbers, Buffer.from('data: forged\n')]);
}

const SOUND = forged({});

/** What no script of ours publishes. */
const GARBAGE: readonly Buffer[] = [
  ...[0, 1, 2, 4, 5, 6, 8, 9, 10, 36, 37, 41].map((length) => SOUND.subarray(0, length)),
  ...['p', 'pppp', 'h', 'e', 'ppppppppp', '\0', 'hello', '{"json":true}'].map((text) => Buffer.from(text)),
  forged({ topicBytes: 65_535 }),
  forged({ idBytes: 2 ** 32 - 1 }),
  forged({ idBytes: 100 }),
  forged({ epoch: '\n\nid: ' }),
  ...[0, -1, 1.5, NaN, Infinity, -Infinity, 2 ** 53, 1e308].map((seq) => forged({ seq })),
  ...[-1, 0.5, NaN, 1, 2].map((prev) => forged({ prev })),
  ...[-1, 0.5, NaN, Infinity].map((at) => forged({ at })),
  Buffer.concat([Buffer.from('haaaaaa\u0005\0topic'), Buffer.alloc(7)]),
  Buffer.concat([Buffer.from('haaaaaa\u0005\0topic'), Buffer.alloc(8)]),
  Buffer.alloc(1_048_576, 0xff),
];

function anyMessage(random: Random, from: Buffer): Buffer {
  if (random.chance(0.2)) return Buffer.from(Array.from({ length: random.int(0, 80) }, () => random.int(0, 256)));
  const message = Buffer.from(from);
  for (let times = random.int(1, 6); times > 0; times--) message[random.int(0, message.length)] = random.int(0, 256);
  return random.chance(0.3) ? message.subarray(0, random.int(0, message.length)) : message;
}

function startRandom(): Random {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  process.stdout.write(`redis garbage: SEED=${seed}\n`);
  return createRandom(seed);
}

/** Publishes to all channels of the log, those of the probes included. */
async function flood(messages: readonly Buffer[]): Promise<void> {
  const channels = [...new Set([...((await stranger.pubsub('CHANNELS')) as string[]), '{sse}:live:0:all'])];
  for (let from = 0; from < messages.length; from += 50) {
    const some = messages.slice(from, from + 50);
    const pipeline = stranger.pipeline();
    for (const message of some) for (const channel of channels) pipeline.publish(channel, message);
    await pipeline.exec();
  }
}

test('what is decoded is sound, whatever the bytes, and nothing throws', () => {
  expect(decodeMessage(SOUND)).toMatchObject({ kind: 'entry', entry: { topic: 'topic', seq: 1, prev: 0, at: 1 } });
  expect(GARBAGE.map((message) => decodeMessage(message))).toEqual(GARBAGE.map(() => undefined));
  const random = startRandom();
  let decoded = 0;
  for (let n = 0; n < 200_000; n++) {
    const message = decodeMessage(anyMessage(random, SOUND));
    if (message === undefined) continue;
    decoded++;
    const seq = message.kind === 'entry' ? message.entry.seq : message.seq;
    if (!/^[0-9a-z]{6}$/.test(message.epoch) || !Number.isSafeInteger(seq) || seq < 1) throw new Error(`case ${n}`);
  }
  expect(decoded).toBeGreaterThan(1_000);
});

describe.each(drivers)('through $name', ({ name, open }) => {
  test('garbage on every channel of the log disturbs no delivery', async () => {
    await using opened = await OpenEngine.over(open(server.port), { probeMs: 500 });
    const recorder = await Recorder.start(opened.engine);
    await opened.engine.subscribe(['topic', EVERY_TOPIC]);
    const random = startRandom();
    const flooding = flood([
      ...GARBAGE,
      forged({ topic: EVERY_TOPIC }),
      ...Array.from({ length: 10_000 }, () => anyMessage(random, SOUND)),
    ]);
    let isFlooded = false;
    void flooding.finally(() => (isFlooded = true));
    const stored: number[] = [];
    while (!isFlooded) stored.push((await append(opened.engine, 'topic', 'ours')).seq);

    const own = () => recorder.entries.filter(({ data }) => Buffer.from(data).toString() === 'ours');
    await until(() => own().some((entry) => entry.seq === stored.at(-1)), 'the last event');
    expect([...new Set(own().map((entry) => entry.seq))]).toEqual(stored);
    expect(recorder.states).toEqual([]);
  });

  test('an application that is flooded with garbage goes on, and its streams', async () => {
    const states: string[] = [];
    const options = name === 'ioredis' ? { port: server.port } : { socket: { port: server.port } };
    const engine = redisEngine({ driver: name === 'ioredis' ? 'ioredis' : 'redis', options });
    await using app = await startApp(adapters[0]!, {
      controllers: [TopicController],
      options: { engine, hooks: { onEngineState: (state) => void states.push(state) } },
    });
    const [one, all] = await Promise.all([app.open('/topic'), app.open('/all')]);
    for (const stream of [one, all]) await stream.receive('id: ');
    await app.streams.publish('topic', { data: 'first' });
    const random = startRandom();
    await flood([...GARBAGE, ...Array.from({ length: 10_000 }, () => anyMessage(random, SOUND))]);

    for (const stream of [one, all]) await stream.receive('data: first');
    await app.streams.publish('topic', { data: 'last' });
    for (const stream of [one, all]) await stream.receive('data: last');
    expect(app.streams.engine.state).toBe('up');
  });

  test('an event that claims to be beyond the log is found out: at once, or by the next audit', async () => {
    await using opened = await OpenEngine.over(open(server.port));
    const { seq, epoch } = await append(opened.engine, 'topic', 'first');
    const heard: LogEntry[] = [];
    const listener = {
      entry: (entry: LogEntry) => void heard.push(entry),
      lateEntry: (entry: LogEntry) => void heard.push(entry),
      restarted: () => void restarts++,
      interrupted: () => undefined,
      caughtUp: () => undefined,
      persist: <T>(call: () => Promise<T>) => call().catch(() => undefined),
    };
    let restarts = 0;
    const feed = new LiveFeed(opened.engine, listener, { auditMs: 300 });
    await feed.subscribe(['topic']);
    for (const at of [0, Number.MAX_SAFE_INTEGER]) {
      const before = restarts;
      await flood([forged({ epoch, seq: Number.MAX_SAFE_INTEGER, prev: seq, at })]);
      await until(() => heard.at(-1)?.seq === Number.MAX_SAFE_INTEGER, 'the forged event');
      await append(opened.engine, 'topic', 'dropped or read');
      await until(() => restarts > before, 'it to be found out');
      const next = await append(opened.engine, 'topic', 'next');
      await until(() => heard.some((entry) => entry.seq === next.seq), 'the next event');
    }
    const random = startRandom();
    const claims = (): Claim => ({
      epoch: random.chance(0.8) ? epoch : 'zzzzzz',
      topic: random.pick(['topic', 'other', '/own', '', '/', 'a/b\n', '*']),
      seq: random.int(1, 2_000),
      prev: random.int(0, 2_000),
      at: random.pick([0, 1, Date.now(), Number.MAX_SAFE_INTEGER]),
    });
    await flood(Array.from({ length: 5_000 }, () => forged(claims())));
    await eventually(async () => {
      const { seq: last } = await append(opened.engine, 'topic', 'last');
      await delay(20);
      return heard.some((entry) => entry.seq === last && Buffer.from(entry.data).toString() === 'last');
    }, 'events to arrive again');
    feed.close();
  });
});
