import { expect, jest, test } from '@jest/globals';
import { redisEngine } from 'nestjs-event-stream/redis';
import { adapters, startApp } from '../support/app.js';
import { TopicController } from '../support/controllers.js';
import { ServerProcess } from '../support/server-process.js';
import { ask, redisServer } from '../support/servers/redis.js';
import { until } from '../support/until.js';

jest.setTimeout(40_000);

test('while Redis has no memory for writes the engine is degraded, told once, and up when it has', async () => {
  await using server = await ServerProcess.start(redisServer());
  const states: string[] = [];
  const engine = redisEngine({ url: `redis://127.0.0.1:${server.port}`, timeoutMs: 1_000 });
  const options = { engine, hooks: { onEngineState: (state: string) => void states.push(state) } };
  await using app = await startApp(adapters[0]!, { controllers: [TopicController], options });
  const stream = await app.open('/topic');
  const publish = () => app.streams.publish('topic', { data: 'x' });
  await publish();
  await stream.next();

  await ask(server.port, 'CONFIG', 'SET', 'maxmemory', '1', 'maxmemory-policy', 'noeviction');
  // Longer than it takes to ask the server whether it is there, which it is.
  for (const end = performance.now() + 3_000; performance.now() < end;) {
    await expect(publish()).rejects.toMatchObject({ name: 'SseError' });
    await app.streams.engine.health();
  }
  expect([states, app.streams.engine.state]).toEqual([['degraded'], 'degraded']);
  await ask(server.port, 'CONFIG', 'SET', 'maxmemory', '0');

  // Nobody publishes any more.
  await until(() => app.streams.engine.state === 'up', 'it to be up', 15_000);
  expect(states).toEqual(['degraded', 'up']);
});
