import { describe, expect, test } from '@jest/globals';
import { type CanActivate, Controller, UseGuards } from '@nestjs/common';
import { NEVER, Observable, of } from 'rxjs';
import { Connection, type SseConnection, SseStream } from 'nestjs-event-stream';
import { adapters, startApp, transports } from '../support/app.js';
import { type HandlerContext, TopicController, streamOf } from '../support/controllers.js';
import { openRaw } from '../support/raw.js';
import { until } from '../support/until.js';

describe.each(transports)('on $name', (adapter) => {
  test('the signal of a connection is aborted within 100 ms of its client leaving', async () => {
    let aborted = (): void => undefined;
    const handler = ({ connection }: HandlerContext) => {
      connection.signal.addEventListener('abort', () => aborted());
      return NEVER;
    };
    await using app = await startApp(adapter, { controllers: [streamOf(handler)] });
    const took: number[] = [];
    for (let n = 0; n < 5; n++) {
      const stream = await app.open('/stream');
      await stream.receive('retry');
      const abort = new Promise<void>((resolve) => (aborted = resolve));
      const leftAt = performance.now();
      stream.leave();
      await abort;
      took.push(performance.now() - leftAt);
    }

    // On a busy machine some take longer, and nothing that waits for a timer is ever faster.
    expect(Math.min(...took)).toBeLessThan(100);
    await until(() => app.streams.connections.count === 0, 'the connections to be freed');
  });

  test('a generator is returned when the client leaves, so that its finally runs', async () => {
    let isOver = false;
    async function* generate({ connection }: HandlerContext) {
      try {
        yield 'a';
        await new Promise((resolve) => connection.signal.addEventListener('abort', resolve));
      } finally {
        isOver = true;
      }
    }
    await using app = await startApp(adapter, { controllers: [streamOf(generate)] });
    const stream = await app.open('/stream');
    await stream.next();

    stream.leave();

    await until(() => isOver, 'the finally block');
  });

  test('a source whose return() hangs holds nobody', async () => {
    let wasReturned = false;
    const hanging = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => undefined),
        return: () => {
          wasReturned = true;
          return new Promise(() => undefined);
        },
      }),
    };
    await using app = await startApp(adapter, { controllers: [streamOf(() => hanging)] });
    const [leaving, staying] = [await app.open('/stream'), await app.open('/stream')];
    await Promise.all([leaving.receive('retry'), staying.receive('retry')]);

    leaving.leave();
    await until(() => wasReturned && app.streams.connections.count === 1, 'the first to be freed');
    const [events] = await Promise.all([staying.rest(), app.nest.close()]);

    expect(events.map(({ type }) => type)).toEqual(['stream.end']);
  });

  test('a ReadableStream is cancelled while a read is pending', async () => {
    let wasCancelled = false;
    const source = () => new ReadableStream({ cancel: () => void (wasCancelled = true) });
    await using app = await startApp(adapter, { controllers: [streamOf(source)] });
    const stream = await app.open('/stream');
    await stream.receive('retry');

    stream.leave();

    await until(() => wasCancelled, 'the cancel');
  });

  test('a source that goes on after its client has left is not listened to', async () => {
    let emit: (value: unknown) => void = () => undefined;
    const source = () => new Observable((observer) => void (emit = (value) => observer.next(value)));
    await using app = await startApp(adapter, { controllers: [streamOf(source), TopicController] });
    const stream = await app.open('/stream');
    await stream.receive('retry');
    stream.leave();
    await until(() => app.streams.connections.count === 0, 'the connection to be freed');

    emit('late');
    emit({ data: undefined });

    expect((await app.open('/topic')).status).toBe(200);
  });
});

describe.each(adapters)('on $name', (adapter) => {
  let enter: () => void;
  let proceed: () => void;
  let connection: SseConnection | undefined;
  let subscribed = 0;

  class SlowGuard implements CanActivate {
    async canActivate(): Promise<boolean> {
      await pause();
      return true;
    }
  }

  @Controller()
  class SlowController {
    @SseStream('guard')
    @UseGuards(SlowGuard)
    guarded(@Connection() given: SseConnection) {
      connection = given;
      return counted();
    }

    @SseStream('handler')
    async handled(@Connection() given: SseConnection) {
      connection = given;
      await pause();
      return counted();
    }
  }

  test.each(['guard', 'handler'])('a client that leaves during the %s opens nothing', async (where) => {
    connection = undefined;
    subscribed = 0;
    const entered = new Promise<void>((resolve) => (enter = resolve));
    const released = new Promise<void>((resolve) => (proceed = resolve));
    pause = async () => {
      enter();
      await released;
    };
    await using app = await startApp(adapter, { controllers: [SlowController] });
    await using client = await openRaw(app.port, `GET /${where} HTTP/1.1`, 'Host: x');
    await entered;

    client.socket.destroy();
    if (where === 'handler')
      await until(() => connection?.signal.aborted, 'the abort before the stream is open', 1_000);
    else await untilServerKnows(app.nest.getHttpServer() as CountingServer);
    proceed();
    await until(() => connection?.signal.aborted, 'the abort');

    expect(subscribed).toBe(0);
    expect(app.streams.connections.count).toBe(0);
  });

  test('a generator made for a client that has left is returned without being started', async () => {
    let isOver = false;
    const released = new Promise<void>((resolve) => (proceed = resolve));
    const handler = async (context: HandlerContext) => {
      ({ connection } = context);
      await released;
      return { [Symbol.asyncIterator]: () => ({ next: () => fail(), return: async () => void (isOver = true) }) };
    };
    connection = undefined;
    await using app = await startApp(adapter, { controllers: [streamOf(handler)] });
    await using client = await openRaw(app.port, 'GET /stream HTTP/1.1', 'Host: x');
    await until(() => connection !== undefined, 'the handler to be called');

    client.socket.destroy();
    await until(() => connection?.signal.aborted, 'the abort');
    proceed();

    await until(() => isOver, 'the source to be told');
    expect(app.streams.connections.count).toBe(0);
  });

  let pause: () => Promise<void> = async () => undefined;

  const counted = () =>
    new Observable((observer) => {
      subscribed++;
      return of('a').subscribe(observer);
    });
});

interface CountingServer {
  getConnections(callback: (error: Error | null, count: number) => void): void;
}

async function untilServerKnows(server: CountingServer): Promise<void> {
  let open = 1;
  await until(() => {
    server.getConnections((_, count) => (open = count));
    return open === 0;
  }, 'the server to see the client leave');
}

function fail(): never {
  throw new Error('This was asked for a value');
}
