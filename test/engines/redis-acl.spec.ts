import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { EVERY_TOPIC } from '../../src/engine/engine.js';
import { redisEngine } from '../../src/redis/index.js';
import { KEEP, Recorder, append, eventually, holesOf, read } from '../support/redis.js';
import { ServerProcess } from '../support/server-process.js';
import { ask, redisServer } from '../support/servers/redis.js';
import { until } from '../support/until.js';

/** The user of the page: what stands there is what is tried. */
const [, page = ''] = /```text\n(ACL SETUSER app [^`]+)\n```/.exec(readFileSync('docs/engines/redis.md', 'utf8')) ?? [];
const APP = page.replaceAll('\n', ' ').trim().split(/ +/);

let server: ServerProcess;

beforeAll(async () => {
  server = await ServerProcess.start(redisServer());
  expect(await ask(server.port, ...APP)).toBe('+OK\r\n');
});

afterAll(() => server[Symbol.asyncDispose]());

describe.each(['ioredis', 'redis'] as const)('with the rights of the page, and no others, through %s', (driver) => {
  test('the engine does all of its work, and the server refuses it nothing', async () => {
    const credentials = { username: 'app', password: 'secret' };
    const at = { host: '127.0.0.1', port: server.port };
    const options = driver === 'ioredis' ? { ...at, ...credentials } : { socket: at, ...credentials };
    const warnings: Error[] = [];
    await ask(server.port, 'ACL', 'LOG', 'RESET');
    await ask(server.port, 'CONFIG', 'SET', 'maxmemory', '1gb', 'maxmemory-policy', 'allkeys-lru');
    await ask(server.port, 'SCRIPT', 'FLUSH');
    await ask(server.port, 'FLUSHALL');
    const engine = redisEngine({ driver, options, sweepMs: 20, probeMs: 20, onWarning: (w) => void warnings.push(w) });
    const recorder = await Recorder.start(engine);
    await engine.subscribe(['a', EVERY_TOPIC]);
    const brief = { maxEvents: 2, maxBytes: 10_000, maxAgeMs: 10 };
    for (const id of ['1', '2', '3']) await append(engine, 'a', 'x', KEEP, id);
    await Promise.all(['4', '5', '6'].map((id) => append(engine, 'brief', 'x', brief, id)));
    await append(engine, 'a', 'x', { ...KEEP, maxAgeMs: Infinity });
    await append(engine, 'none', 'x', { ...KEEP, maxEvents: 0 });
    const from = await engine.locate(['a'], '2');
    await until(() => recorder.entries.length >= 8, 'all to be delivered');
    await eventually(async () => !(await engine.list('')).names.includes('brief'), 'the idle topic to be forgotten');
    await ask(server.port, 'DEL', '{sse}:names');

    expect((await engine.list('')).names).toContain('a');
    expect((await read(engine, ['a'])).entries).toHaveLength(4);
    expect(await holesOf(engine, ['a'], from as never)).toEqual([]);
    expect((await engine.heads(['a'])).topics[0]).toBeDefined();
    await engine.health();
    engine.unsubscribe(['a', EVERY_TOPIC]);
    await until(() => warnings.length === 1, 'the warning of evictions');
    expect(recorder.states).toEqual([]);
    await engine.close();
    expect(await ask(server.port, 'ACL', 'LOG')).toBe('*0\r\n');
  });
});

test('who has no channels can neither forge nor hear', async () => {
  await ask(server.port, 'ACL', 'SETUSER', 'other', 'on', '>other', 'resetchannels', '~other:*', '+@all');
  const other = new Redis(server.port, { username: 'other', password: 'other' });
  for (const call of [
    other.publish('{sse}:live:0:all', 'x'),
    other.publish('{sse}:live:0:topic:a', 'x'),
    other.subscribe('{sse}:live:0:all'),
    other.psubscribe('*'),
    other.ssubscribe('{sse}:live:0:all'),
    other.hget('{sse}:lane', 'l'),
  ]) {
    await expect(call).rejects.toThrow('NOPERM');
  }
  other.disconnect();
});
