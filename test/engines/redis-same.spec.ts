import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import type { AppendRequest, Retention } from '../../src/engine/engine.js';
import { AppendCalls } from '../../src/redis/append-calls.js';
import type { AppendAnswer } from '../../src/redis/append-calls.js';
import type { Argument } from '../../src/redis/driver.js';
import { WINDOW } from '../../src/redis/script.js';
import type { Script } from '../../src/redis/script.js';
import { ServerProcess } from '../support/server-process.js';
import { redisServer } from '../support/servers/redis.js';

jest.setTimeout(60_000);

const SEED = Date.now() % 1_000_000;
const CASES = 60;
const TOPICS = ['a', 'b/c', 'ü', 'd'];
const MINUTE = 60_000;
/** Ahead of the server's clock, so that the lane's is what is written here, and both logs are of the same times. */
const BEGIN = Date.now() + 1_000 * MINUTE;

let server: ServerProcess;
let client: Redis;
let random: () => number;

beforeAll(async () => {
  server = await ServerProcess.start(redisServer());
  client = new Redis(server.port);
});
afterAll(async () => {
  client.disconnect();
  await server[Symbol.asyncDispose]();
});
beforeEach(() => client.flushall());

/** A log of its own prefix, to which numbers are sent without an appender between. */
function logAt(prefix: string) {
  const key = (name: string): string => `{${prefix}}:${name}`;
  const link = {
    appendNames: (topics: readonly string[]) => ({
      keys: ['lane', 'names', ...topics.flatMap((topic) => [`log:${topic}`, `ids:${topic}`])].map(key),
      channels: [...topics.map((topic) => `topic:${topic}`), 'all'].map(key),
    }),
    evaluate: ({ text }: Script, keys: string[], args: readonly Argument[]) =>
      client.callBuffer('EVAL', [text, String(keys.length), ...keys, ...args]),
  };
  const calls = new AppendCalls({ link, inlineBytes: 100, nextEpoch: () => 'abc123', onPublished: () => undefined });
  const setClock = (at: number) => {
    const script = `local lane = redis.call('HGET', KEYS[1], 'l')
      local epoch, seq, _, forgotten, topics = struct.unpack('<c6dddd', lane or struct.pack('<c6dddd', 'abc123', 0, 0, 0, 0))
      redis.call('HSET', KEYS[1], 'l', struct.pack('<c6dddd', epoch, seq, ARGV[1], forgotten, topics))`;
    return client.eval(script, 1, key('lane'), String(at));
  };
  const send = (requests: readonly AppendRequest[], n: number, floor: number): Promise<AppendAnswer> =>
    calls.send({ requests, n, floor, isFull: true });
  return { prefix, send, setClock };
}

/** Everything that a log has, without the process's name; times to live in minutes. */
async function stateOf(prefix: string): Promise<Record<string, unknown>> {
  const state: Record<string, unknown> = {};
  for (const name of (await client.keys(`{${prefix}}:*`)).sort()) {
    const type = await client.type(name);
    const key = name.slice(prefix.length + 3);
    if (type === 'list') state[key] = (await client.lrangeBuffer(name, 0, -1)).map((each) => each.toString('hex'));
    else if (type === 'zset') state[key] = await client.zrange(name, '0', '-1');
    else state[key] = await fieldsOf(name);
    const ms = await client.pttl(name);
    state[`${key} expires`] = ms < 0 ? ms : Math.round(ms / MINUTE);
  }
  return state;
}

async function fieldsOf(name: string): Promise<string[]> {
  const found = Object.entries(await client.hgetallBuffer(name));
  return found.map(([field, value]) => `${field.replace(/^n[\w-]{12}/, 'n')} ${value.toString('hex')}`).sort();
}

const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;

const RETENTIONS: readonly Retention[] = [
  { maxEvents: 1_000, maxBytes: 1e6, maxAgeMs: 10 * MINUTE },
  { maxEvents: 3, maxBytes: 1e6, maxAgeMs: 10 * MINUTE },
  { maxEvents: 1_000, maxBytes: 300, maxAgeMs: 20 * MINUTE },
  { maxEvents: 1_000, maxBytes: 1e6, maxAgeMs: Infinity },
  { maxEvents: 0, maxBytes: 1e6, maxAgeMs: 10 * MINUTE },
  { maxEvents: 5, maxBytes: Infinity, maxAgeMs: Infinity },
];

function randomRequest(retentions: ReadonlyMap<string, Retention>): AppendRequest {
  const topic = pick(TOPICS);
  const data = Buffer.alloc(Math.floor(random() * 150), Math.floor(random() * 256));
  // Now and then of another retention than the others of its topic.
  const retention = random() < 0.1 ? pick(RETENTIONS) : retentions.get(topic)!;
  return { topic, data, retention, id: random() < 0.3 ? pick(['', 'x', 'y', 'ü']) : undefined };
}

/** mulberry32 */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

test(`events that go together leave what they would have left one by one (seed ${SEED})`, async () => {
  random = generator(SEED);
  const listener = new Redis(server.port);
  const heard: Record<string, string[]> = { one: [], many: [] };
  listener.on('pmessageBuffer', (_pattern, channel: Buffer, message: Buffer) => {
    const [, prefix, name] = /^\{(\w+)\}:(.*)$/.exec(channel.toString())!;
    heard[prefix!]!.push(`${name} ${message.toString('hex')}`);
  });
  await listener.psubscribe('{one}:*', '{many}:*');
  for (let step = 0; step < CASES; step++) {
    if (step % 12 === 0) await client.flushall();
    const [one, many] = [logAt('one'), logAt('many')];
    const retentions = new Map(TOPICS.map((topic) => [topic, pick(RETENTIONS)]));
    let at = BEGIN;
    let n = 1;
    for (let call = 0; call < 4; call++) {
      at += Math.floor(random() * 8 * MINUTE);
      for (const log of [one, many]) await log.setClock(at);
      // What is left of what the server has evicted.
      const evicted = random() < 0.2 ? `${pick(['log', 'ids'])}:${pick(TOPICS)}` : undefined;
      if (evicted !== undefined) await client.del(`{one}:${evicted}`, `{many}:${evicted}`);
      const requests = Array.from({ length: 2 + Math.floor(random() * 62) }, () => randomRequest(retentions));
      const single: unknown[] = [];
      for (const [i, request] of requests.entries()) single.push(...(await one.send([request], n + i, n)));
      // Of some that are sent again with others, the server has stored the first.
      const again = random() < 0.5 ? 0 : Math.floor(random() * requests.length);
      if (again > 1) await many.send(requests.slice(0, again), n, n);
      expect(await many.send(requests, n, n)).toEqual(single);
      n += requests.length;
    }
    expect(await stateOf('many')).toEqual(await stateOf('one'));
  }
  await client.publish('{one}:end', 'end');
  while (!heard['one']!.at(-1)?.startsWith('end')) await new Promise(setImmediate);
  expect(heard['many']!.length).toBeGreaterThan(CASES);
  expect(heard['many']).toEqual(heard['one']!.slice(0, -1));
  listener.disconnect();
});

const KEEP = RETENTIONS[0]!;
const some = (count: number): AppendRequest[] =>
  Array.from({ length: count }, (_, i) => ({ topic: 'a', data: Buffer.from(`${i}`), retention: KEEP }));
const seqsOf = (answer: AppendAnswer): unknown => (answer === 'early' ? answer : answer.map((each) => each?.seq));

test('numbers in a row are stored behind the one before them, each once, and not when nobody wants them', async () => {
  const { send } = logAt('many');
  expect(seqsOf(await send(some(3), 2, 1))).toBe('early');
  expect(seqsOf(await send(some(2), 1, 1))).toEqual([1, 2]);
  expect(seqsOf(await send(some(3), 2, 1))).toEqual([2, 3, 4]);
  expect(seqsOf(await send(some(2), 1, 1))).toEqual([1, 2]);
  expect(seqsOf(await send(some(2), 8, 8))).toEqual([5, 6]);
  // Those from 5 to 7 were given up.
  expect(seqsOf(await send(some(4), 5, 5))).toEqual([undefined, undefined, undefined, 5]);
  expect(seqsOf(await send(some(1), 10, 10))).toEqual([7]);
  expect(await client.llen('{many}:log:a')).toBe(7);
});

test('of numbers in a row, one that the server has forgotten is not stored again', async () => {
  const { send } = logAt('many');
  for (let n = 1; n <= WINDOW; n += 27) await send(some(27), n, n);
  expect(seqsOf(await send(some(3), 1, 1))).toEqual([undefined, 2, 3]);
});
