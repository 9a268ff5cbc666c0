import { describe, expect, test } from '@jest/globals';
import { type Engine, type SseModuleOptions, memoryEngine } from 'nestjs-event-stream';
import { type Adapter, type TestApp, adapters, alone, startApp } from '../support/app.js';
import { TopicController } from '../support/controllers.js';
import { Log } from '../support/log.js';
import { GuardedController, as, byName } from '../support/people.js';
import { openRaw } from '../support/raw.js';
import { until } from '../support/until.js';

const DEADLINE_MS = 200;
/** What the engine has at least, and what a busy machine takes. */
const BOUND_MS = DEADLINE_MS + 500 + 500;

const hang = (): Promise<never> => new Promise(() => undefined);

/** A memory engine that nodes could share, with calls of another kind from when it is told to. */
function changing(calls: Partial<Record<keyof Engine, () => Promise<unknown>>>): Engine & { isChanged: boolean } {
  const engine = alone(memoryEngine());
  const own = { isChanged: false, isShared: true };
  return new Proxy(engine as unknown as Engine & { isChanged: boolean }, {
    get: (target, name) => {
      if (name in own) return own[name as keyof typeof own];
      if (own.isChanged && name in calls) return calls[name as keyof Engine];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
    set: (_, name, value) => Reflect.set(own, name, value),
  });
}

const startWith = (adapter: Adapter, options: SseModuleOptions): Promise<TestApp> =>
  startApp(adapter, {
    controllers: [TopicController, GuardedController],
    options: { authenticate: byName, drain: { deadlineMs: DEADLINE_MS }, ...options },
  });

async function closeTimed(app: TestApp): Promise<number> {
  const startedAt = performance.now();
  await app.nest.close();
  return performance.now() - startedAt;
}

describe.each(adapters)('on $name', (adapter) => {
  test.each<[what: string, names: readonly (keyof Engine)[]]>([
    ['none of its calls settles', ['append', 'read', 'subscribe', 'heads', 'health', 'close']],
    ['it cannot be closed', ['close']],
    ['it stores nothing', ['append']],
  ])('an engine of which %s does not hold the application beyond the deadline of the drain', async (_, names) => {
    const engine = changing(Object.fromEntries(names.map((name) => [name, hang])));
    await using app = await startWith(adapter, { engine });
    await app.streams.presence('topic');
    const stream = await app.open('/topic');
    await stream.receive('id: ');
    const log = new Log();
    app.nest.useLogger(log);

    engine.isChanged = true;
    const [closedMs, events] = await Promise.all([closeTimed(app), stream.rest()]);
    app.nest.useLogger(false);

    expect(closedMs).toBeLessThan(BOUND_MS);
    expect(events.map(({ type }) => type)).toEqual(['stream.end']);
    expect(log.text.includes('engine has not closed within 500 ms')).toBe(names.includes('close'));
  });

  test('what is under way with the engine has what the drain has left', async () => {
    const order: string[] = [];
    const slow = async (name: string, ms: number): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      order.push(name);
    };
    const engine = changing({ append: () => slow('append', 600), close: () => slow('close', 600) });
    await using app = await startWith(adapter, { engine, drain: { deadlineMs: 3_000 } });
    await app.streams.presence('topic');

    engine.isChanged = true;
    await app.nest.close();

    expect(order).toEqual(['append', 'close']);
  });

  test('a request whose guard waits for the engine is cut at the deadline', async () => {
    const engine = changing({ read: hang, subscribe: hang, append: hang });
    engine.isChanged = true;
    let isAsked = false;
    const authenticate: typeof byName = (request) => {
      isAsked = true;
      return byName(request);
    };
    await using app = await startWith(adapter, { engine, authenticate });
    await using client = await openRaw(app.port, 'GET /source HTTP/1.1', 'Host: x', 'Authorization: ann');
    await until(() => isAsked, 'the guard to be asked');

    const closedMs = await closeTimed(app);
    await client.closed();

    expect(closedMs).toBeGreaterThanOrEqual(DEADLINE_MS - 10);
    expect(closedMs).toBeLessThan(BOUND_MS);
    expect(client.text).toBe('');
  });

  test('who comes while the application closes is refused without asking the engine', async () => {
    const engine = changing({ read: hang, subscribe: hang, append: hang });
    engine.isChanged = true;
    await using app = await startWith(adapter, { engine, drain: { windowMs: 800, deadlineMs: DEADLINE_MS } });
    const streams = await Promise.all(Array.from({ length: 4 }, () => app.open('/topic')));
    await Promise.all(streams.map((stream) => stream.receive('retry: ')));
    const closing = app.nest.close();
    await streams[0]!.rest();

    const refused = await app.open('/source', as('ann'));
    const events = await refused.rest();
    await closing;

    expect(events.map(({ data }) => data)).toEqual(['{"reason":"shutdown","reconnect":true}']);
  });
});
