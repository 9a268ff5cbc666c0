import { afterAll, beforeAll } from '@jest/globals';
import { natsEngine } from '../../src/nats/index.js';
import { engineContract } from '../../src/testing/index.js';
import { ServerProcess } from '../support/server-process.js';
import { NATS } from '../support/servers/nats.js';

let server: ServerProcess;
let count = 0;

beforeAll(async () => {
  server = await ServerProcess.start(NATS);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

engineContract(
  'nats',
  async () => {
    const stream = `contract-${++count}`;
    // 10,000 heads are as many questions: 0.4 s, and on a busy machine more than the 5 s of an engine that is told nothing.
    const open = () => natsEngine({ servers: `127.0.0.1:${server.port}`, prefix: stream, timeoutMs: 30_000 });
    const engine = open();
    // The server says how large an event may be.
    await engine.health();
    return { engine, another: async () => open(), reopen: async () => open() };
  },
  { lacks: ['clock', 'housekeeping'] },
);
