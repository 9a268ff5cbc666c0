import { afterAll, beforeAll } from '@jest/globals';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { redisEngine } from '../../src/redis/index.js';
import { engineContract } from '../../src/testing/index.js';
import { ServerProcess } from '../support/server-process.js';
import { redisServer } from '../support/servers/redis.js';

let server: ServerProcess;

beforeAll(async () => {
  server = await ServerProcess.start(redisServer());
});

afterAll(() => server[Symbol.asyncDispose]());

let count = 0;

engineContract(
  'Redis through a client of ioredis with a key prefix',
  () => {
    const client = new Redis(server.port, '127.0.0.1', { keyPrefix: 'app:', db: 2 });
    const open = (prefix = `t${++count}`) => ({ prefix, engine: redisEngine({ client, prefix }) });
    const { prefix, engine } = open();
    return {
      engine,
      another: async () => open(prefix).engine,
      reopen: async () => open(prefix).engine,
      dispose: () => client.disconnect(),
    };
  },
  { lacks: ['clock'] },
);

engineContract(
  'Redis through a client of node-redis',
  async () => {
    const client = createClient({ url: `redis://127.0.0.1:${server.port}/1`, keyPrefix: 'app:' });
    client.on('error', () => undefined);
    await client.connect();
    const open = (prefix = `t${++count}`) => ({ prefix, engine: redisEngine({ client, prefix }) });
    const { prefix, engine } = open();
    return {
      engine,
      another: async () => open(prefix).engine,
      reopen: async () => open(prefix).engine,
      dispose: () => client.destroy(),
    };
  },
  { lacks: ['clock'] },
);

engineContract(
  'Redis at a URL',
  () => {
    const url = `redis://127.0.0.1:${server.port}`;
    const open = (prefix = `t${++count}`) => ({ prefix, engine: redisEngine({ url, prefix }) });
    const { prefix, engine } = open();
    return { engine, another: async () => open(prefix).engine, reopen: async () => open(prefix).engine };
  },
  { lacks: ['clock'] },
);
