import { expect, jest, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { redisEngine } from '../../src/redis/index.js';
import { Recorder, append, holesOf, read, textsOf } from '../support/redis.js';
import { replicated } from '../support/servers/redis.js';
import { RedisSentinel } from '../support/servers/redis-sentinel.js';
import { until } from '../support/until.js';

jest.setTimeout(30_000);

test('the log and its live delivery go on when the sentinel makes the replica the master', async () => {
  await using servers = await RedisSentinel.start();
  const options = { sentinels: [{ host: '127.0.0.1', port: servers.sentinel.port }], name: 'log' };
  const publisher = redisEngine({ options, driver: 'ioredis', timeoutMs: 15_000 });
  const client = new Redis({ ...options, retryStrategy: () => 50, sentinelRetryStrategy: () => 50 });
  client.on('error', () => undefined);
  const subscriber = redisEngine({ client, timeoutMs: 15_000, probeMs: 500 });
  const recorder = await Recorder.start(subscriber);
  const from = await subscriber.subscribe(['a']);
  const appending = Array.from({ length: 300 }, (_, n) => append(publisher, 'a', `${n}`));
  await Promise.all(appending);
  await replicated(servers.master.port);
  await servers.master.kill('SIGKILL');
  for (let n = 300; n < 600; n++) appending.push(append(publisher, 'a', `${n}`));
  await Promise.all(appending);

  const { entries } = await read(subscriber, ['a'], from);
  expect(textsOf(entries)).toEqual(appending.map((_, n) => `${n}`));
  await until(() => recorder.states.includes('resumed') && !recorder.isInterrupted, 'live delivery', 15_000);
  const { seq } = await append(publisher, 'a', 'after');
  await until(() => recorder.entries.some((entry) => entry.seq === seq), 'the event after it');
  expect(recorder.outOfTurn).toEqual([]);
  await Promise.all([publisher.close(), subscriber.close()]);
  client.disconnect();
});

test('a failover that loses the newest events is seen by whoever had them, and by nobody else', async () => {
  await using servers = await RedisSentinel.start();
  const options = { sentinels: [{ host: '127.0.0.1', port: servers.sentinel.port }], name: 'log' };
  const engine = redisEngine({ options, driver: 'ioredis', timeoutMs: 15_000 });
  const kept = await append(engine, 'a', 'kept');
  await replicated(servers.master.port);
  servers.link.swallow(true);
  const lost = [];
  for (let n = 0; n < 10; n++) lost.push(await append(engine, 'a', 'lost'));
  await servers.master.kill('SIGKILL');

  for (let n = 0; n < 20; n++) await append(engine, 'a', 'new');
  expect(textsOf((await read(engine, ['a'])).entries)).toEqual(['kept', ...Array<string>(20).fill('new')]);
  for (const position of lost) expect(await holesOf(engine, ['a'], position)).toEqual(['diverged a']);
  expect(await holesOf(engine, ['a'], kept)).toEqual([]);
  await engine.close();
});
