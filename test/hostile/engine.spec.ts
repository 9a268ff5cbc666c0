import { describe, expect, test } from '@jest/globals';
import { type Engine, memoryEngine } from 'nestjs-event-stream';
import { type Adapter, type TestApp, adapters, alone, startApp } from '../support/app.js';
import { TopicController } from '../support/controllers.js';
import { until } from '../support/until.js';

/** The memory engine behind a line that can be cut: each call is refused while it is, with what no client may read. */
function cuttable() {
  const engine = alone(memoryEngine());
  const line = { isCut: false, refused: 0, calls: 0, isFlapping: false };
  const through = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      const isRefused = line.isCut || (line.isFlapping && ++line.calls % 2 === 1);
      if (isRefused) {
        line.refused++;
        throw new Error('redis://:hunter2@db.internal is away');
      }
      return call(...args);
    };
  };
  const cut: Engine = {
    name: 'cuttable',
    isShared: false,
    maxEventBytes: engine.maxEventBytes,
    start: through(engine.start.bind(engine)),
    append: through(engine.append.bind(engine)),
    read: through(engine.read.bind(engine)),
    locate: through(engine.locate.bind(engine)),
    list: through(engine.list.bind(engine)),
    heads: through(engine.heads.bind(engine)),
    // Not counted as a call, or every other call would always be the same one of the two.
    health: async () => {
      if (line.isCut) throw new Error('redis://:hunter2@db.internal is away');
    },
    subscribe: through(engine.subscribe.bind(engine)),
    unsubscribe: engine.unsubscribe.bind(engine),
    close: engine.close.bind(engine),
  };
  return { line, engine: cut };
}

async function startWith(adapter: Adapter) {
  const { line, engine } = cuttable();
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const app = await startApp(adapter, { controllers: [TopicController], options: { engine, onError } });
  return { app, line, errors };
}

async function publish(app: TestApp, from: number, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = from; n < from + count; n++) ids.push((await app.streams.publish('topic', { data: n })).id);
  return ids;
}

describe.each(adapters)('on $name', (adapter) => {
  test('a client that comes while the engine is down gets its head at once, and all that it missed when it is up', async () => {
    const { app, line, errors } = await startWith(adapter);
    await using owned = app;
    const [first = ''] = await publish(owned, 0, 5);
    line.isCut = true;

    const stream = await owned.open('/topic', { headers: { 'last-event-id': first } });
    await stream.receive('retry: 3000\n');
    await until(() => line.refused > 0, 'the engine to be asked');
    line.isCut = false;

    expect((await stream.take(4)).map(({ data }) => data)).toEqual(['1', '2', '3', '4']);
    expect(errors.length).toBeGreaterThan(0);
    expect(stream.text).not.toMatch(/hunter2|stream\.reset/);
  });

  test('while the engine is down in mid-stream publish is refused, and open streams lose nothing', async () => {
    const { app, line } = await startWith(adapter);
    await using owned = app;
    const stream = await owned.open('/topic');
    await stream.receive('id: ');
    await publish(owned, 0, 1);
    line.isCut = true;

    await expect(owned.streams.publish('topic', { data: 'lost' })).rejects.toMatchObject({ code: 'engine-failed' });
    line.isCut = false;
    await publish(owned, 1, 1);

    expect((await stream.take(2)).map(({ data }) => data)).toEqual(['0', '1']);
    expect(owned.streams.connections.count).toBe(1);
  });

  test('an engine that refuses every other call costs time and no event, in replays as live', async () => {
    const { app, line } = await startWith(adapter);
    await using owned = app;
    const [first = ''] = await publish(owned, 0, 600);
    line.isFlapping = true;

    const stream = await owned.open('/topic', { headers: { 'last-event-id': first } });
    const replayed = await stream.take(599);
    line.isFlapping = false;
    await publish(owned, 600, 1);

    expect([...replayed, await stream.next()].map((event) => Number(event?.data))).toEqual(
      Array.from({ length: 600 }, (_, n) => n + 1),
    );
    expect(line.refused).toBeGreaterThan(2);
    expect(stream.text).not.toMatch(/hunter2|stream\.reset/);
  }, 20_000);

  test('a client that leaves while the engine is down is freed, and the application closes', async () => {
    const { app, line } = await startWith(adapter);
    await using owned = app;
    line.isCut = true;
    const stream = await owned.open('/topic');
    await stream.receive('retry');
    stream.leave();
    await until(() => owned.streams.connections.count === 0, 'the connection to be freed');
    const staying = await owned.open('/topic');
    await staying.receive('retry');
    const closingAt = performance.now();

    await owned.nest.close();

    expect(performance.now() - closingAt).toBeLessThan(2_000);
    expect((await staying.rest()).map(({ type }) => type)).toEqual(['stream.end']);
  });
});
