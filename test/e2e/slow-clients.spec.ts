import { describe, expect, test } from '@jest/globals';
import { Observable } from 'rxjs';
import { type OnSlow, SseSignals, defineTopic } from 'nestjs-event-stream';
import { type TestApp, adapters, startApp } from '../support/app.js';
import { TopicController, streamOf } from '../support/controllers.js';
import { type RawClient, openRaw } from '../support/raw.js';
import { until } from '../support/until.js';

const COUNT = 4_000;
const PADDING = 'x'.repeat(4_096);

interface Counted {
  readonly writableLength: number;
}

/** An application with a client that has read the beginning of `/topic` and nothing since. */
async function startWithPaused(adapter: (typeof adapters)[number], onSlow: OnSlow) {
  const topic = defineTopic('topic', { onSlow, history: { maxEvents: 2 * COUNT, maxBytes: Infinity } });
  const app = await startApp(adapter, { controllers: [TopicController], options: { topics: [topic] } });
  const client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x');
  await client.receive('id: ');
  client.socket.pause();
  return { app, client };
}

async function publishMany(app: TestApp): Promise<number> {
  let highest = 0;
  for (let n = 0; n < COUNT; n++) {
    await app.streams.publish('topic', { data: `${n} ${PADDING}` });
    if (n % 100 === 0) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      highest = Math.max(highest, waitingBytes(app));
    }
  }
  return highest;
}

/** What waits in the responses of this process. */
function waitingBytes(app: TestApp): number {
  return app.streams.connections.list().reduce((sum, { request }) => {
    const raw = ((request as { raw?: unknown }).raw ?? request) as { socket: Counted };
    return sum + raw.socket.writableLength;
  }, 0);
}

const numbersOf = (client: RawClient): number[] =>
  [...client.text.matchAll(/^data: (\d+) x/gm)].map(([, n]) => Number(n));

describe.each(adapters)('on $name', (adapter) => {
  test('a client that does not read costs the process one write, and gets everything when it reads again', async () => {
    const { app, client } = await startWithPaused(adapter, 'resume');
    await using owned = app;
    await using reading = client;

    const highest = await publishMany(owned);
    reading.socket.resume();
    await reading.receive(`data: ${COUNT - 1} x`);

    expect(highest).toBeLessThan(2 * 65_536 + 16_384);
    expect(numbersOf(reading)).toEqual(Array.from({ length: COUNT }, (_, n) => n));
    expect(reading.text).not.toContain('stream.reset');
  });

  test('with onSlow disconnect a client that falls behind is ended, and told why', async () => {
    const { app, client } = await startWithPaused(adapter, 'disconnect');
    await using owned = app;
    await using reading = client;

    await publishMany(owned);
    reading.socket.resume();
    await reading.receive('stream.end');

    expect(reading.text).toContain('data: {"reason":"slow-consumer","reconnect":true}');
    expect(numbersOf(reading).length).toBeLessThan(COUNT);
    await until(() => owned.streams.connections.count === 0, 'the connection to be freed');
  });

  test('with onSlow skip a client that falls behind goes on at the newest event, and is told', async () => {
    const { app, client } = await startWithPaused(adapter, 'skip');
    await using owned = app;
    await using reading = client;
    const heard: unknown[] = [];
    const signals = owned.nest.get(SseSignals);
    signals.on('behind', ({ lag }) => void heard.push(['behind', lag > 1_000 && lag <= COUNT]));
    signals.on('reset', ({ reason, topics }) => void heard.push(['reset', reason, topics]));

    await publishMany(owned);
    reading.socket.resume();
    await reading.receive(`data: ${COUNT - 1} x`);
    await owned.streams.publish('topic', { data: 'live' });
    await reading.receive('data: live');

    const numbers = numbersOf(reading);
    const [before = '', after = ''] = reading.text.split('event: stream.reset');
    expect(after).toContain('data: {"reason":"skipped","topics":["topic"]}');
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers.length).toBeLessThan(COUNT);
    expect(before).toContain('data: 0 x');
    expect(heard.slice(0, 2)).toEqual([
      ['behind', true],
      ['reset', 'skipped', ['topic']],
    ]);
  });

  test('a slow client makes no other wait', async () => {
    const { app, client } = await startWithPaused(adapter, 'resume');
    await using owned = app;
    await using _slow = client;
    await using quick = await openRaw(owned.port, 'GET /topic HTTP/1.1', 'Host: x');
    await quick.receive('id: ');

    await publishMany(owned);
    await quick.receive(`data: ${COUNT - 1} x`);

    expect(numbersOf(quick)).toEqual(Array.from({ length: COUNT }, (_, n) => n));
  });

  test('an Observable that nobody can slow down ends with slow-consumer when too much waits', async () => {
    let emit: (value: string) => void = () => undefined;
    const source = () => new Observable((observer) => void (emit = (value) => observer.next(value)));
    await using app = await startApp(adapter, {
      controllers: [streamOf(source, { maxPendingBytes: 65_536 })],
    });
    await using client = await openRaw(app.port, 'GET /stream HTTP/1.1', 'Host: x');
    await client.receive('retry');
    client.socket.pause();

    let highest = 0;
    for (let n = 0; n < COUNT && app.streams.connections.list()[0]?.signal.aborted === false; n++) {
      emit(`${n} ${PADDING}`);
      highest = Math.max(highest, waitingBytes(app));
      if (n % 8 === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    }
    client.socket.resume();
    await client.receive('{"reason":"slow-consumer","reconnect":true}');

    expect(highest).toBeLessThan(2 * 65_536 + 16_384);
  });

  test('with onSlow disconnect a client that has stopped reading for good is ended too', async () => {
    const { app, client } = await startWithPaused(adapter, 'disconnect');
    await using owned = app;
    await using _silent = client;
    const { signal } = owned.streams.connections.list()[0]!;

    await publishMany(owned);

    await until(() => signal.aborted, 'the end of the stream', 1_000);
  });

  test('a client that does not take its end is cut after the stall timeout', async () => {
    const source = () => new Observable((observer) => observer.next(PADDING.repeat(4_000)));
    await using app = await startApp(adapter, { controllers: [streamOf(source, { stallTimeoutMs: 300 })] });
    await using silent = await openRaw(app.port);
    silent.socket.pause();
    silent.socket.write('GET /stream HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => app.streams.connections.count === 1, 'the stream to open');
    const endedAt = performance.now();

    app.streams.connections.list()[0]?.close();
    await until(() => app.streams.connections.count === 0, 'the connection to be cut');

    expect(performance.now() - endedAt).toBeGreaterThan(300);
  });

  test('a client that reads the end of its stream slowly gets it', async () => {
    const text = PADDING.repeat(8_000);
    const source = () => new Observable((observer) => (observer.next(text), observer.complete()));
    const stallTimeoutMs = 1_500;
    await using app = await startApp(adapter, { controllers: [streamOf(source, { stallTimeoutMs })] });
    await using slow = await openRaw(app.port);
    slow.socket.pause();
    slow.socket.write('GET /stream HTTP/1.1\r\nHost: x\r\n\r\n');
    const startedAt = performance.now();
    slow.readInParts(text.length / 20);

    slow.socket.resume();
    await until(() => slow.text.slice(-200).includes('"reason":"complete"'), 'the end', 40_000);

    expect(performance.now() - startedAt).toBeGreaterThan(stallTimeoutMs);
  }, 60_000);
});
