import { afterAll, beforeAll } from '@jest/globals';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import type { Engine } from '../../src/engine/engine.js';
import { type RedisEngineOptions, redisEngine } from '../../src/redis/index.js';
import type { EngineFixture } from '../../src/testing/contract/suite.js';
import { engineContract } from '../../src/testing/index.js';
import { ServerProcess } from '../support/server-process.js';
import { redisServer } from '../support/servers/redis.js';

let server: ServerProcess;

beforeAll(async () => {
  server = await ServerProcess.start(redisServer());
});

afterAll(() => server[Symbol.asyncDispose]());

let count = 0;

/** Engines on a log of their own, all with the same client or address. */
function fixtureOf(options: RedisEngineOptions, dispose = (): unknown => undefined): EngineFixture {
  const prefix = `t${++count}`;
  const open = (): Engine => redisEngine({ ...options, prefix });
  return { engine: open(), another: async () => open(), reopen: async () => open(), dispose: () => void dispose() };
}

engineContract(
  'Redis through a client of ioredis with a key prefix',
  () => {
    const client = new Redis(server.port, '127.0.0.1', { keyPrefix: 'app:', db: 2 });
    return fixtureOf({ client }, () => client.disconnect());
  },
  { lacks: ['clock'] },
);

engineContract(
  'Redis through a client of node-redis',
  async () => {
    const client = createClient({ url: `redis://127.0.0.1:${server.port}/1`, keyPrefix: 'app:' });
    client.on('error', () => undefined);
    await client.connect();
    return fixtureOf({ client }, () => client.destroy());
  },
  { lacks: ['clock'] },
);

engineContract('Redis at a URL', () => fixtureOf({ url: `redis://127.0.0.1:${server.port}` }), { lacks: ['clock'] });
