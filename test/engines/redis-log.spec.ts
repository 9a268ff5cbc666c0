import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { APPEND } from '../../src/redis/append-script.js';
import { redisEngine } from '../../src/redis/index.js';
import { WINDOW } from '../../src/redis/script.js';
import { KEEP, OpenEngine, Recorder, append, drivers, eventually, holesOf, read, textsOf } from '../support/redis.js';
import { ServerProcess } from '../support/server-process.js';
import { ask, redisServer } from '../support/servers/redis.js';
import { until } from '../support/until.js';

let server: ServerProcess;

beforeAll(async () => {
  server = await ServerProcess.start(redisServer());
});

afterAll(() => server[Symbol.asyncDispose]());
beforeEach(() => ask(server.port, 'FLUSHALL'));

const engine = (options = {}) => OpenEngine.at(`redis://127.0.0.1:${server.port}`, options);
const SHORT = { ...KEEP, maxAgeMs: 60 };

describe('what the Redis engine keeps', () => {
  test('an event that is too old is not read, exactly, whether something was published since or not', async () => {
    await using opened = engine();
    const retention = { ...KEEP, maxAgeMs: 300 };
    const first = await append(opened.engine, 'a', 'first', retention);
    const second = await append(opened.engine, 'a', 'second', retention);
    await until(() => Date.now() > second.at + 150, 'half of the age');
    const third = await append(opened.engine, 'a', 'third', retention);
    expect((await read(opened.engine, ['a'])).entries.length).toBe(3);
    await until(() => Date.now() > second.at + 310, 'the age');

    expect(textsOf((await read(opened.engine, ['a'])).entries)).toEqual(['third']);
    expect(await holesOf(opened.engine, ['a'], first)).toEqual(['trimmed a']);
    expect(await holesOf(opened.engine, ['a'], second)).toEqual([]);
    await until(() => Date.now() > third.at + 310, 'the age of the last');
    expect((await read(opened.engine, ['a'])).entries).toEqual([]);
    expect(await ask(server.port, 'EXISTS', '{sse}:log:a')).toBe(':0\r\n');
    expect(await holesOf(opened.engine, ['a'], second)).toEqual(['trimmed a']);
    expect(await holesOf(opened.engine, ['a'], third)).toEqual([]);
  });

  test('an own id goes with an event that is too old', async () => {
    await using opened = engine();
    const retention = { ...KEEP, maxAgeMs: 500 };
    const first = await append(opened.engine, 'a', 'x', retention, 'own');
    await append(opened.engine, 'b', 'x', KEEP, 'other');
    expect(await opened.engine.locate(['a', 'b'], 'own')).toEqual(first);
    await until(() => Date.now() > first.at + 510, 'the age');

    expect(await opened.engine.locate(['a', 'b'], 'own')).toBeUndefined();
    const again = await append(opened.engine, 'a', 'x', retention, 'own');
    expect(await opened.engine.locate(['a', 'b'], 'own')).toEqual(again);
  });

  test('what has no age any more does not expire', async () => {
    await using opened = engine();
    await append(opened.engine, 'a', 'x', SHORT, 'own');
    await append(opened.engine, 'a', 'y', { ...KEEP, maxAgeMs: Infinity });

    expect(await ask(server.port, 'PTTL', '{sse}:log:a')).toBe(':-1\r\n');
    expect(await ask(server.port, 'PTTL', '{sse}:ids:a')).toBe(':-1\r\n');
  });

  test('an idle topic is forgotten, and who may have missed something of it is told', async () => {
    await using opened = engine({ sweepMs: 50 });
    const behind = await append(opened.engine, 'idle', '1', SHORT);
    const upToDate = await append(opened.engine, 'idle', '2', SHORT);
    const busy = await append(opened.engine, 'busy');
    expect((await opened.engine.list('')).forgottenUpTo).toBe(0);
    await eventually(async () => (await opened.engine.list('')).names.join() === 'busy', 'the topic to be forgotten');

    expect((await opened.engine.list('idle')).forgottenUpTo).toBe(upToDate.seq);
    expect((await opened.engine.heads(['idle'])).topics).toEqual([undefined]);
    expect(await holesOf(opened.engine, ['idle', 'busy'], behind)).toEqual(['unknown idle']);
    expect(await holesOf(opened.engine, ['idle'], upToDate)).toEqual([]);
    const back = await append(opened.engine, 'idle', 'back', SHORT);
    expect(await holesOf(opened.engine, ['idle'], behind)).toEqual(['unknown idle']);
    expect(await holesOf(opened.engine, ['idle', 'never'], busy)).toEqual([]);
    expect((await read(opened.engine, ['idle'], upToDate)).entries.map(({ seq }) => seq)).toEqual([back.seq]);
  });

  test('the time of positions does not fall when the clock of the server has stepped back', async () => {
    await using opened = engine();
    const before = await append(opened.engine, 'a');
    // An hour ahead, as a server whose clock was wrong has left it.
    const script = `local f = '<c6dddd' local e, s, at, x, y = struct.unpack(f, redis.call('HGET', KEYS[1], 'l'))
      redis.call('HSET', KEYS[1], 'l', struct.pack(f, e, s, at + 3600000, x, y))`;
    await ask(server.port, 'EVAL', script, '1', '{sse}:lane');

    const after = await append(opened.engine, 'a');
    const next = await append(opened.engine, 'a');
    expect([after.at - before.at >= 3_600_000, next.at === after.at]).toEqual([true, true]);
    for (const position of [after, next]) expect(await holesOf(opened.engine, ['a'], position)).toEqual([]);
  });

  test('what processes have appended last is forgotten when they are gone', async () => {
    // One that never sweeps: when it last did would be a field of its own.
    const first = engine();
    await append(first.engine, 'a');
    await first.engine.close();
    // The lane, the topic, and two of the process.
    expect(await ask(server.port, 'HLEN', '{sse}:lane')).toBe(':4\r\n');
    // Eleven minutes ago.
    const script = `for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do if field:sub(1, 1) == 'n' then
      local n, s, at = struct.unpack('<ddd', redis.call('HGET', KEYS[1], field))
      redis.call('HSET', KEYS[1], field, struct.pack('<ddd', n, s, at - 660000)) end end`;
    await ask(server.port, 'EVAL', script, '1', '{sse}:lane');
    await using second = engine({ sweepMs: 50 });
    await append(second.engine, 'a');

    // The lane, the topic, the time of the sweep, and two of the process that is there.
    await eventually(async () => (await ask(server.port, 'HLEN', '{sse}:lane')) === ':5\r\n', 'it to be forgotten');
  });
});

describe('what the server makes of the numbers of a process', () => {
  let client: Redis;
  beforeAll(() => {
    client = new Redis(server.port);
  });
  afterAll(() => client.disconnect());

  /** What an append is answered, by its number and the lowest that is still wanted. */
  async function answer(n: number, floor: number): Promise<unknown> {
    const keys = ['{sse}:lane', '{sse}:names', '{sse}:log:a', '{sse}:ids:a'];
    const event = ['abc123', 'a', `${n}`, '', '1000', '10000', '60000'];
    const args = [APPEND.text, '4', ...keys, ...event, 'node', `${n}`, `${floor}`, '1000', 'topic', 'all'];
    const [status, , seq] = (await client.call('EVAL', args)) as [number, string, number];
    return status === 1 ? seq : status;
  }
  async function stored(): Promise<string[]> {
    await using opened = engine();
    return textsOf((await read(opened.engine, ['a'])).entries);
  }

  test('one that overtakes another is stored after it, and each once', async () => {
    expect([await answer(2, 1), await answer(1, 1), await answer(3, 1), await answer(2, 1)]).toEqual([0, 1, 0, 2]);
    expect([await answer(1, 1), await answer(2, 1), await answer(3, 2), await answer(3, 3)]).toEqual([1, 2, 3, 3]);
    expect(await stored()).toEqual(['1', '2', '3']);
  });

  test('one that is no longer wanted is not stored when it comes late', async () => {
    expect([await answer(1, 1), await answer(3, 3), await answer(2, 2), await answer(2, 1)]).toEqual([1, 2, -1, -1]);
    expect(await stored()).toEqual(['1', '3']);
  });

  test('after so many that the first is forgotten, it is not stored again', async () => {
    for (let n = 1; n <= WINDOW + 1; n++) await answer(n, n);
    expect([await answer(1, 1), await answer(2, 2)]).toEqual([-1, 2]);
  });

  test('after a wipe the first that is still wanted is stored, and those after it in turn', async () => {
    for (let n = 1; n <= 3; n++) await answer(n, 1);
    await ask(server.port, 'FLUSHALL');
    expect([await answer(5, 4), await answer(4, 4), await answer(5, 4)]).toEqual([0, 1, 2]);
  });
});

describe('what the Redis engine does when the server evicts a key', () => {
  const evict = (key: string) => ask(server.port, 'DEL', `{sse}:${key}`);

  test('the lane: it begins anew, and what is left of the old one is not taken for a part of it', async () => {
    await using opened = engine();
    const old = await append(opened.engine, 'a', 'old', KEEP, 'own');
    await evict('lane');

    expect(await holesOf(opened.engine, ['a'], old)).toEqual(['epoch a']);
    expect((await read(opened.engine, ['a'])).entries).toEqual([]);
    expect(await opened.engine.locate(['a'], 'own')).toBeUndefined();
    expect((await opened.engine.list('')).names).toEqual([]);
    await append(opened.engine, 'a', 'new', KEEP, 'new');
    expect(textsOf((await read(opened.engine, ['a'])).entries)).toEqual(['new']);
    expect(await opened.engine.locate(['a'], 'own')).toBeUndefined();
    expect((await opened.engine.list('')).names).toEqual(['a']);
  });

  test('a log: its events are told to be trimmed, before and after the next one', async () => {
    await using opened = engine();
    const [first, second] = [await append(opened.engine, 'a', '1', KEEP, 'own'), await append(opened.engine, 'a', '2')];
    await evict('log:a');

    expect(await holesOf(opened.engine, ['a'], first)).toEqual(['trimmed a']);
    expect(await opened.engine.locate(['a'], 'own')).toBeUndefined();
    await append(opened.engine, 'a', '3', KEEP, 'third');
    expect(await holesOf(opened.engine, ['a'], first)).toEqual(['trimmed a']);
    expect(await holesOf(opened.engine, ['a'], second)).toEqual([]);
    expect(await opened.engine.locate(['a'], 'own')).toBeUndefined();
    expect(await opened.engine.locate(['a'], 'third')).toMatchObject({ seq: 3 });
  });

  test('the names: all topics are listed', async () => {
    await using opened = engine();
    for (const topic of ['a', 'b/1', 'b/2']) await append(opened.engine, topic);
    await evict('names');
    expect((await opened.engine.list('b/')).names).toEqual(['b/1', 'b/2']);

    await evict('names');
    await append(opened.engine, 'b/3');
    expect((await opened.engine.list('')).names).toEqual(['a', 'b/1', 'b/2', 'b/3']);
  });

  test('the own ids: they are found, and what is ambiguous stays so', async () => {
    await using opened = engine();
    const once = await append(opened.engine, 'a', '1', KEEP, 'once');
    await append(opened.engine, 'a', '2', KEEP, 'twice');
    await evict('ids:a');
    await append(opened.engine, 'a', '3', KEEP, 'twice');
    expect(await opened.engine.locate(['a'], 'twice')).toBe('ambiguous');
    expect(await opened.engine.locate(['a'], 'once')).toEqual(once);

    await evict('ids:a');
    expect(await opened.engine.locate(['a'], 'twice')).toBe('ambiguous');
    expect(await opened.engine.locate(['a'], 'once')).toEqual(once);
  });

  test('warns once at start when it may', async () => {
    await ask(server.port, 'CONFIG', 'SET', 'maxmemory', '100mb');
    await ask(server.port, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    const warnings: Error[] = [];
    await using opened = engine({ onWarning: (warning: Error) => warnings.push(warning) });
    await Recorder.start(opened.engine);

    await until(() => warnings.length > 0, 'the warning');
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('allkeys-lru')]);
    await ask(server.port, 'CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    await ask(server.port, 'CONFIG', 'SET', 'maxmemory', '0');
  });
});

describe('what the Redis engine says of a server that refuses', () => {
  test('nothing was stored when the memory is full, and reading goes on', async () => {
    await using opened = engine();
    const before = await append(opened.engine, 'a');
    await ask(server.port, 'CONFIG', 'SET', 'maxmemory', '1');
    await expect(append(opened.engine, 'a')).rejects.toMatchObject({
      code: 'engine-failed',
      message: expect.stringContaining('OOM'),
    });
    expect((await opened.engine.heads(['a'])).topics).toEqual([{ seq: before.seq, at: before.at }]);
    await ask(server.port, 'CONFIG', 'SET', 'maxmemory', '0');

    const after = await append(opened.engine, 'a');
    const { entries } = await read(opened.engine, ['a']);
    expect(entries.map(({ seq, prev }) => [seq, prev])).toEqual([
      [before.seq, 0],
      [after.seq, before.seq],
    ]);
  });

  test('an event is stored whose announcement is forbidden, and health tells', async () => {
    await ask(server.port, 'ACL', 'SETUSER', 'mute', 'on', '>secret', '~*', '+@all', 'resetchannels');
    await using opened = OpenEngine.at(`redis://mute:secret@127.0.0.1:${server.port}`);
    await append(opened.engine, 'a');

    expect((await read(opened.engine, ['a'])).entries.length).toBe(1);
    await expect(opened.engine.health()).rejects.toMatchObject({
      code: 'engine-failed',
      message: expect.stringContaining('channel'),
    });
  });
});

describe('the options of the Redis engine', () => {
  const url = 'redis://127.0.0.1:1';

  test.each([
    [undefined, 'options'],
    [{}, 'exactly one of client, url and options'],
    [{ url, options: {} }, 'exactly one of client, url and options'],
    [{ client: {} }, 'client'],
    [{ client: 'redis' }, 'client'],
    [{ url: '' }, 'url'],
    [{ url, driver: 'valkey' }, 'driver'],
    [{ url, prefix: '' }, 'prefix'],
    [{ url, prefix: 'a{b' }, 'prefix'],
    [{ url, timeoutMs: 0 }, 'timeoutMs'],
    [{ url, timeoutMs: NaN }, 'timeoutMs'],
    [{ url, probeMs: '5' }, 'probeMs'],
    [{ url, inlineBytes: -1 }, 'inlineBytes'],
    [{ url, inlineBytes: Infinity }, 'inlineBytes'],
    [{ url, sweepMs: Infinity }, 'sweepMs'],
    [{ url, onWarning: true }, 'onWarning'],
    [{ url, keyPrefix: 'x' }, 'keyPrefix'],
  ])('%p are refused, and the message names %s', (options: any, named) => {
    expect(() => redisEngine(options)).toThrow(
      expect.objectContaining({ code: 'invalid-options', message: expect.stringContaining(named) }),
    );
  });

  test('a driver goes only with what is made here', () => {
    const client = new Redis({ lazyConnect: true });
    expect(() => redisEngine({ client, driver: 'ioredis' })).toThrow(
      expect.objectContaining({ code: 'invalid-options', message: expect.stringContaining('driver') }),
    );
  });

  test.each(drivers.map(({ name }) => (name === 'ioredis' ? 'ioredis' : 'redis')))(
    'the package %s makes the client, of a URL or of its options',
    async (driver) => {
      const { port } = server;
      const options = driver === 'ioredis' ? { port, db: 4 } : { socket: { port }, database: 4 };
      const engines = [redisEngine({ driver, options }), redisEngine({ driver, url: `redis://127.0.0.1:${port}/4` })];
      for (const each of engines) await append(each, 'a');

      for (const each of engines) expect((await read(each, ['a'])).entries.length).toBe(2);
      for (const each of engines) await each.close();
    },
  );

  test('a client of ioredis may send commands together, and give numbers as texts', async () => {
    const client = new Redis(server.port, { enableAutoPipelining: true, stringNumbers: true });
    const opened = redisEngine({ client });
    const recorder = await Recorder.start(opened);
    await opened.subscribe(['a']);
    const positions = await Promise.all([append(opened, 'a', '1', KEEP, 'own'), append(opened, 'a', '2')]);
    await until(() => recorder.entries.length === 2, 'the events');

    expect((await read(opened, ['a'])).entries.map(({ seq }) => seq)).toEqual(positions.map(({ seq }) => seq));
    expect(await opened.locate(['a'], 'own')).toEqual(positions[0]);
    await opened.close();
    client.disconnect();
  });

  test('a client of ioredis that connects when it is needed is told to', async () => {
    const client = new Redis(server.port, { lazyConnect: true });
    const opened = redisEngine({ client });
    await append(opened, 'a');
    await opened.close();
    expect(client.status).toBe('ready');
    client.disconnect();
  });
});
