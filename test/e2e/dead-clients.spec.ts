import { describe, expect, test } from '@jest/globals';
import { NEVER, Observable } from 'rxjs';
import { type CloseReason, type SseConnection } from 'nestjs-event-stream';
import { type TestApp, adapters, startApp } from '../support/app.js';
import { TopicController, streamOf } from '../support/controllers.js';
import { openRaw } from '../support/raw.js';
import { until } from '../support/until.js';

/** More than the kernel takes in for a client that does not read. */
const FLOOD = 'x'.repeat(32 * 1_048_576);

const freed = (app: TestApp, deadlineMs?: number) =>
  until(() => app.streams.connections.count === 0, 'the connection to be freed', deadlineMs);

/** Notes the reasons for which streams were closed. */
function closing() {
  const reasons: CloseReason[] = [];
  return { reasons, hooks: { onClosed: (_: SseConnection, reason: CloseReason) => void reasons.push(reason) } };
}

describe.each(adapters)('on $name', (adapter) => {
  test('a client that does not read is ended with slow-consumer after the stall timeout', async () => {
    const { reasons, hooks } = closing();
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { stallTimeoutMs: 300, hooks, history: { maxBytes: Infinity } },
    });
    await using client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x');
    await client.receive('id: ');
    client.socket.pause();
    const { signal } = app.streams.connections.list()[0]!;

    const blockedAt = performance.now();
    await app.streams.publish('topic', { data: FLOOD });
    await until(() => signal.aborted, 'the end');
    const stalledMs = performance.now() - blockedAt;
    client.socket.resume();
    await client.receive('{"reason":"slow-consumer","reconnect":true}', 10_000);
    await freed(app);

    expect(stalledMs).toBeGreaterThanOrEqual(300);
    // Without that option it is 120 s.
    expect(stalledMs).toBeLessThan(10_000);
    expect(reasons).toEqual(['slow-consumer']);
  }, 60_000);

  test('one that never reads again is cut when it has not taken its end either', async () => {
    const { reasons, hooks } = closing();
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { stallTimeoutMs: 100, hooks, history: { maxBytes: Infinity } },
    });
    await using client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x');
    await client.receive('id: ');
    client.socket.pause();

    await app.streams.publish('topic', { data: FLOOD });
    await freed(app, 15_000);

    expect(reasons).toEqual(['slow-consumer']);
  }, 30_000);

  test('a client that reads is not ended, however quiet its stream', async () => {
    await using app = await startApp(adapter, {
      controllers: [streamOf(() => NEVER)],
      options: { stallTimeoutMs: 100, heartbeatMs: 400 },
    });
    const stream = await app.open('/stream');

    await stream.receive(/(:\n){3}/);

    expect(app.streams.connections.count).toBe(1);
    expect(stream.text).toMatch(/^retry: 3000\n: heartbeat 400\n(:\n)+$/);
  });

  test('without heartbeats a quiet client is left alone as well', async () => {
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { stallTimeoutMs: 100, heartbeatMs: false },
    });
    const stream = await app.open('/topic');
    await stream.receive('id: ');
    const openedAt = performance.now();
    await until(() => performance.now() - openedAt > 500, 'several stall timeouts');

    await app.streams.publish('topic', { data: 'on' });

    expect(await stream.next()).toMatchObject({ data: 'on' });
  });

  test('a client that was paused for less than the stall timeout misses nothing', async () => {
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { stallTimeoutMs: 2_000, history: { maxBytes: Infinity } },
    });
    await using client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x');
    await client.receive('id: ');
    client.socket.pause();
    await app.streams.publish('topic', { data: FLOOD });
    const pausedAt = performance.now();
    await until(() => performance.now() - pausedAt > 300, 'a while');

    client.socket.resume();
    await until(() => client.socket.bytesRead > FLOOD.length, 'what it was sent', 30_000);
    await app.streams.publish('topic', { data: 'on' });
    await until(() => client.text.slice(-200).includes('data: on'), 'what comes next', 30_000);

    expect(client.text.slice(-200)).not.toContain('stream.end');
  }, 60_000);

  test('a client on a slow link gets something large, however long that takes it', async () => {
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { stallTimeoutMs: 1_500, history: { maxBytes: Infinity } },
    });
    await using client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x');
    await client.receive('id: ');
    const openedAt = performance.now();
    // Twenty parts with a pause of 100 ms after each, together longer than the stall timeout.
    client.readInParts(FLOOD.length / 20);

    await app.streams.publish('topic', { data: FLOOD });
    await app.streams.publish('topic', { data: 'on' });
    await until(() => client.text.slice(-200).includes('data: on'), 'what comes next', 30_000);

    expect(performance.now() - openedAt).toBeGreaterThan(1_500);
    expect(client.text.slice(-200)).not.toContain('stream.end');
  }, 60_000);

  test('what a source goes on to send does not put off the end of a client that takes nothing', async () => {
    let emit: (value: string) => void = () => undefined;
    const source = () => new Observable((observer) => void (emit = (value) => observer.next(value)));
    await using app = await startApp(adapter, {
      controllers: [streamOf(source, { stallTimeoutMs: 300, maxPendingBytes: 256 * 1_048_576 })],
    });
    await using client = await openRaw(app.port, 'GET /stream HTTP/1.1', 'Host: x');
    await client.receive('retry');
    client.socket.pause();
    emit(FLOOD);
    const talking = setInterval(() => emit('more'), 20);

    try {
      const { signal } = app.streams.connections.list()[0]!;
      await until(() => signal.aborted, 'the end of the stream');
    } finally {
      clearInterval(talking);
    }
  });

  test('with stallTimeoutMs false a client may be silent for as long as it likes', async () => {
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { stallTimeoutMs: false, heartbeatMs: 25, history: { maxBytes: Infinity } },
    });
    await using client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x');
    await client.receive('id: ');
    client.socket.pause();
    await app.streams.publish('topic', { data: FLOOD });
    const pausedAt = performance.now();

    await until(() => performance.now() - pausedAt > 500, 'a while');

    expect(app.streams.connections.list()[0]?.signal.aborted).toBe(false);
  });

  test('a route may have a stall timeout of its own', async () => {
    const source = () => new Observable((observer) => observer.next(FLOOD));
    await using app = await startApp(adapter, {
      controllers: [streamOf(source, { stallTimeoutMs: 100 })],
      options: { stallTimeoutMs: false },
    });
    await using client = await openRaw(app.port);
    client.socket.pause();
    client.socket.write('GET /stream HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => app.streams.connections.count === 1, 'the stream to open');
    const { signal } = app.streams.connections.list()[0]!;

    await until(() => signal.aborted, 'the end');
  });

  test.each(['destroy', 'resetAndDestroy'] as const)('a client that vanishes by %s() is freed at once', async (way) => {
    const { reasons, hooks } = closing();
    await using app = await startApp(adapter, { controllers: [TopicController], options: { hooks } });
    await using client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x');
    await client.receive('id: ');

    client.socket[way]();
    await freed(app, 2_000);

    expect(reasons).toEqual(['disconnected']);
  });

  test('a client that vanishes while much waits for it is freed, and its bytes with it', async () => {
    const { reasons, hooks } = closing();
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { hooks, history: { maxBytes: Infinity } },
    });
    await using client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x');
    await client.receive('id: ');
    client.socket.pause();
    await app.streams.publish('topic', { data: FLOOD });

    client.socket.resetAndDestroy();
    await freed(app, 5_000);

    expect(reasons).toEqual(['disconnected']);
  });
});
