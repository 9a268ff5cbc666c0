import { describe, expect, test } from '@jest/globals';
import { SseSignals } from 'nestjs-event-stream';
import { type TestApp, adapters, startApp } from '../support/app.js';
import { TopicController } from '../support/controllers.js';
import { FrameCounter, FrameCounterModule, type FrameCounterOptions } from '../support/frame-counter.js';
import { until } from '../support/until.js';

describe.each(adapters)('on $name a room of somebody else', (adapter) => {
  const start = (options?: FrameCounterOptions): Promise<TestApp> =>
    startApp(adapter, { controllers: [TopicController], imports: [FrameCounterModule.forRoot(options)] });
  const counter = (app: TestApp): FrameCounter => app.nest.get(FrameCounter);

  test('hears of every stream that is over, with what has gone out on it', async () => {
    await using app = await start();
    const stream = await app.open('/topic');
    await stream.receive('id: ');
    for (const n of [1, 2, 3]) {
      await app.streams.publish('topic', { data: n });
      await stream.receive(`data: ${n}\n\n`);
    }
    await app.streams.connections.close({ topic: 'topic' });
    const body = await stream.body();
    await until(() => counter(app).streams === 1, 'the stream to be over');

    expect(counter(app)).toMatchObject({ streams: 1, frames: 4, events: 3 });
    // Node counts the frames of the chunked coding as well, and the head is not counted.
    expect(counter(app).bytes).toBeGreaterThanOrEqual(Buffer.byteLength(body));
  });

  test('has options of its own', async () => {
    await using app = await start({ except: 'disconnected' });
    const [left, closed] = [await app.open('/topic'), await app.open('/topic')];
    for (const stream of [left, closed]) await stream.receive('id: ');
    left.leave();
    await until(() => app.streams.connections.count === 1, 'the one to have left');
    await app.streams.connections.close({ topic: 'topic' });
    await until(() => app.streams.connections.count === 0, 'the other to be over');

    expect(counter(app).streams).toBe(1);
  });

  test('may listen beside others, and stop', async () => {
    await using app = await start();
    const heard: string[] = [];
    const signals = app.nest.get(SseSignals);
    const stop = signals.on('opened', ({ connection }) => void heard.push(connection.id));
    signals.on('published', ({ topic, bytes }) => void heard.push(`${topic}: ${bytes}`));
    const first = await app.open('/topic');
    await first.receive('id: ');
    stop();
    await (await app.open('/topic')).receive('id: ');
    await app.streams.publish('topic', { data: 'x' });

    expect(heard).toEqual([expect.any(String), 'topic: 9']);
  });
});
