import { expect, jest, test } from '@jest/globals';
import { adapters, alone, startApp } from '../support/app.js';
import { TopicController } from '../support/controllers.js';
import { PostgresLab, newSchema, persist } from '../support/postgres.js';
import { until } from '../support/until.js';

jest.setTimeout(60_000);

test('while PostgreSQL takes no writes the engine is degraded, told once, and up when it does', async () => {
  await using lab = await PostgresLab.start();
  const states: string[] = [];
  const engine = alone(lab.engine({ schema: newSchema(), timeoutMs: 800 }));
  await persist(() => engine.heads([]));
  const options = { engine, hooks: { onEngineState: (state: string) => void states.push(state) } };
  await using app = await startApp(adapters[0]!, { controllers: [TopicController], options });
  const stream = await app.open('/topic');
  const publish = () => app.streams.publish('topic', { data: 'x' });
  await publish();
  await stream.next();

  await setReadOnly(lab, 'on');
  await until(
    () => app.streams.engine.state === 'degraded' || void publish().catch(() => undefined),
    'a write to fail',
  );
  // Longer than it takes to ask the server whether it is there, which it is.
  for (const end = performance.now() + 3_000; performance.now() < end;) {
    await expect(publish()).rejects.toMatchObject({ name: 'SseError' });
    await app.streams.engine.health();
  }
  expect([states, app.streams.engine.state]).toEqual([['degraded'], 'degraded']);
  await setReadOnly(lab, 'off');

  // Nobody publishes any more.
  await until(() => app.streams.engine.state === 'up', 'it to be up', 15_000);
  expect(states).toEqual(['degraded', 'up']);
});

/** For the sessions that there are, too. */
async function setReadOnly(lab: PostgresLab, value: 'on' | 'off'): Promise<void> {
  await using client = await lab.begin('ROLLBACK');
  await client.query('SET default_transaction_read_only = off');
  await client.query(`ALTER SYSTEM SET default_transaction_read_only = ${value}`);
  await client.query('SELECT pg_reload_conf()');
}
