import { describe, expect, test } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { of } from 'rxjs';
import { Connection, type SseConnection, SseStream } from 'nestjs-event-stream';
import { type TestApp, adapters, startApp } from '../support/app.js';

type Method = (this: unknown, ...given: unknown[]) => unknown;

/** Puts a function of its own around a method, as tracing and caching libraries do: with what is known of the method. */
function wrapped(original: Method, wrap: (call: () => unknown) => unknown): Method {
  const wrapper: Method = function (...given) {
    return wrap(() => original.apply(this, given));
  };
  for (const key of Reflect.getMetadataKeys(original) as unknown[])
    Reflect.defineMetadata(key, Reflect.getMetadata(key, original), wrapper);
  return wrapper;
}

function Wrap(wrap: (call: () => unknown) => unknown): MethodDecorator {
  return (_, __, descriptor) => {
    (descriptor as PropertyDescriptor).value = wrapped(descriptor.value as Method, wrap);
  };
}

let calls = 0;
let given: unknown;

@Controller()
class WrappedController {
  @Wrap((call) => (given = call()))
  @SseStream('traced')
  traced(@Connection() connection: SseConnection) {
    return of('traced', typeof connection.id);
  }

  @SseStream('inside')
  @Wrap((call) => (given = call()))
  inside() {
    return of('inside');
  }

  @Wrap(() => ({ cached: true }))
  @SseStream('cached')
  cached() {
    calls++;
    return of(1);
  }

  @Wrap(async (call) => {
    try {
      return await call();
    } catch {
      return { fallback: true };
    }
  })
  @SseStream('fallback')
  fallback(): never {
    throw new Error('no source today');
  }

  @Wrap(async (call) => {
    try {
      return await call();
    } catch {
      return call();
    }
  })
  @SseStream('retried')
  retried() {
    if (calls++ === 0) throw new Error('not yet');
    return of('at last');
  }
}

@Controller()
class ReplacingController {
  constructor() {
    this.cached = wrapped(this.cached, () => ({ replaced: true })) as () => ReturnType<ReplacingController['cached']>;
    this.traced = wrapped(this.traced, (call) => call()) as () => ReturnType<ReplacingController['traced']>;
  }

  @SseStream('replaced')
  cached() {
    return of(1);
  }

  @SseStream('kept')
  traced() {
    return of('kept');
  }
}

const dataOf = async (app: TestApp, path: string) => (await (await app.open(path)).next())?.data;

describe.each(adapters)('on $name', (adapter) => {
  test('a decorator above @SseStream() that wraps the method is called, and what is streamed is kept away from it', async () => {
    await using app = await startApp(adapter, { controllers: [WrappedController] });

    const events = await (await app.open('/traced')).take(2);

    expect(events.map(({ data }) => data)).toEqual(['traced', 'string']);
    expect(await given).toBeUndefined();
  });

  test('a decorator below @SseStream() that wraps the method is given what the handler returns', async () => {
    await using app = await startApp(adapter, { controllers: [WrappedController] });

    expect(await dataOf(app, '/inside')).toBe('inside');
    expect(given).toHaveProperty('subscribe');
  });

  test('a decorator above @SseStream() that does not call the method answers in its place', async () => {
    calls = 0;
    await using app = await startApp(adapter, { controllers: [WrappedController, ReplacingController] });

    expect(JSON.parse(await (await app.open('/cached')).body())).toEqual({ cached: true });
    expect(JSON.parse(await (await app.open('/replaced')).body())).toEqual({ replaced: true });
    expect(calls).toBe(0);
    expect(app.streams.connections.count).toBe(0);
  });

  test('a decorator above @SseStream() may answer in the place of a handler that has failed, or call it again', async () => {
    calls = 0;
    await using app = await startApp(adapter, { controllers: [WrappedController] });

    expect(JSON.parse(await (await app.open('/fallback')).body())).toEqual({ fallback: true });
    expect(await dataOf(app, '/retried')).toBe('at last');
    expect(calls).toBe(2);
  });

  test('a method that its controller has put a wrapper around streams', async () => {
    await using app = await startApp(adapter, { controllers: [ReplacingController] });

    expect(await dataOf(app, '/kept')).toBe('kept');
  });
});
