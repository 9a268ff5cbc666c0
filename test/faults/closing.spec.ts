import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Engine } from 'nestjs-event-stream';
import { natsEngine } from 'nestjs-event-stream/nats';
import { postgresEngine } from 'nestjs-event-stream/postgres';
import { redisEngine } from 'nestjs-event-stream/redis';
import { type TestApp, adapters, startApp } from '../support/app.js';
import { TopicController } from '../support/controllers.js';
import { NATS } from '../support/servers/nats.js';
import { postgresServer, urlOf } from '../support/servers/postgres.js';
import { redisServer } from '../support/servers/redis.js';
import { ServerProcess, type ServerSpec } from '../support/server-process.js';

const DEADLINE_MS = 200;
/** What the engine has at least, and what a busy machine takes: less than a call of an engine may. */
const BOUND_MS = DEADLINE_MS + 500 + 1_000;

const engines: readonly [name: string, spec: ServerSpec, open: (port: number) => Engine][] = [
  [
    'redis (ioredis)',
    redisServer(),
    (port) => redisEngine({ options: { host: '127.0.0.1', port }, driver: 'ioredis' }),
  ],
  [
    'redis (redis)',
    redisServer(),
    (port) => redisEngine({ options: { url: `redis://127.0.0.1:${port}` }, driver: 'redis' }),
  ],
  ['postgres', postgresServer, (port) => postgresEngine({ connectionString: urlOf(port) })],
  ['nats', NATS, (port) => natsEngine({ servers: [`127.0.0.1:${port}`], storage: 'memory' })],
];

// With the deadlines that the engines have by themselves: five seconds.
describe.each(engines)('%s', (_, spec, open) => {
  let server: ServerProcess;
  let app: TestApp;
  beforeEach(async () => {
    server = await ServerProcess.start(spec);
    app = await startApp(adapters[0]!, {
      controllers: [TopicController],
      options: { engine: open(server.port), drain: { deadlineMs: DEADLINE_MS } },
    });
  });
  afterEach(async () => {
    await server.kill('SIGCONT');
    await server[Symbol.asyncDispose]();
  });

  test.each(['SIGSTOP', 'SIGKILL'] as const)('after %s does not hold the application that closes', async (signal) => {
    await app.streams.presence('topic');
    const stream = await app.open('/topic');
    await stream.receive('id: ');

    await server.kill(signal);
    const publishing = app.streams.publish('topic', { data: 'late' }).catch((error: unknown) => error);
    const startedAt = performance.now();
    const [, events] = await Promise.all([app.nest.close(), stream.rest()]);
    const closedMs = performance.now() - startedAt;

    expect(closedMs).toBeLessThan(BOUND_MS);
    expect(events.map(({ type }) => type)).toEqual(['stream.end']);
    // Its caller is told, whatever the server has made of it.
    expect(await publishing).toBeDefined();
  });
});
