import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  Catch,
  Controller,
  type ExceptionFilter,
  Injectable,
  type LoggerService,
  Scope,
  UseFilters,
} from '@nestjs/common';
import { type ContextId, ContextIdFactory, type ContextIdStrategy, type HostComponentInfo } from '@nestjs/core';
import { NEVER, Subject } from 'rxjs';
import { SseStream } from 'nestjs-event-stream';
import { type Watch, watchProcess } from '../support/watch.js';
import { type AppOptions, type TestApp, adapters, startApp } from '../support/app.js';
import { type HandlerContext, TopicController, streamOf } from '../support/controllers.js';
import { until } from '../support/until.js';

const OF_SOURCE = 'the source has failed';

let watch: Watch;
let errors: string[];
let source: Subject<unknown>;
beforeEach(() => {
  watch = watchProcess();
  errors = [];
  source = new Subject();
});
afterEach(async () => {
  ContextIdFactory.apply(undefined as never);
  // What has been rejected is told behind the microtasks of its turn.
  await new Promise((resolve) => setImmediate(resolve));
  watch[Symbol.dispose]();
  expect(watch.seen).toEqual([]);
});

/** What the filters of an application have seen. */
@Injectable()
class Seen {
  readonly errors: string[] = [];
}

@Injectable()
@Catch()
class StaticFilter implements ExceptionFilter {
  constructor(private readonly seen: Seen) {}

  catch({ message }: Error): string {
    return String(this.seen.errors.push(message));
  }
}

@Injectable({ scope: Scope.REQUEST, durable: true })
@Catch()
class DurableFilter implements ExceptionFilter {
  constructor(private readonly seen: Seen) {}

  catch({ message }: Error): string {
    return String(this.seen.errors.push(`durable: ${message}`));
  }
}

@Catch()
class BrokenFilter implements ExceptionFilter {
  catch(): never {
    throw new Error('the filter has failed');
  }
}

@Controller()
class FilteredController {
  @SseStream('static')
  @UseFilters(StaticFilter)
  plain() {
    return source;
  }

  @SseStream('broken')
  @UseFilters(new BrokenFilter())
  broken() {
    return source;
  }

  @SseStream('unfiltered')
  unfiltered() {
    return source;
  }
}

/** Of a tenant, because its filter is. */
@Controller()
class DurableController {
  @SseStream('durable')
  @UseFilters(DurableFilter)
  durable() {
    return source;
  }
}

/** Needs a header that a stranger can leave out. */
class ByTenant implements ContextIdStrategy {
  isBroken = false;
  readonly #tenant: ContextId = { id: 1 };

  attach(contextId: ContextId, { headers }: { headers: Record<string, string> }) {
    if (headers['x-tenant'] === undefined) throw new Error('There is no tenant');
    return (info: HostComponentInfo) => {
      if (this.isBroken) throw new Error('The tenant is gone');
      return info.isTreeDurable ? this.#tenant : contextId;
    };
  }
}

class BrokenLogger implements LoggerService {
  log(): never {
    throw new Error('the logger has failed');
  }
  warn = this.log.bind(this);
  error = this.log.bind(this);
}

describe.each(adapters)('on $name', (adapter) => {
  const start = (given: AppOptions = {}): Promise<TestApp> =>
    startApp(adapter, {
      controllers: [TopicController, FilteredController, DurableController],
      providers: [Seen],
      ...given,
      options: { onError: (error) => void errors.push((error as Error).message), ...given.options },
    });

  /** Opens the stream, lets its source fail, and looks whether another stream goes on. */
  async function failAt(app: TestApp, path: string, headers = {}): Promise<void> {
    const other = await app.open('/topic', { headers });
    const stream = await app.open(path, { headers });
    await Promise.all([stream.receive('retry: '), other.receive('id: ')]);

    source.error(new Error(OF_SOURCE));
    expect((await stream.rest()).map(({ type }) => type)).toEqual(['stream.error']);

    await app.streams.publish('topic', { data: 'here' });
    expect(await other.next()).toMatchObject({ data: 'here' });
  }

  test('a context strategy that throws for want of a header is not asked for a filter that needs no request', async () => {
    ContextIdFactory.apply(new ByTenant());
    await using app = await start();

    await failAt(app, '/static');
    await until(() => app.nest.get(Seen).errors.length > 0, 'the filter to be called');

    expect(app.nest.get(Seen).errors).toEqual([OF_SOURCE]);
    expect(errors).toEqual([OF_SOURCE]);
  });

  test('a context strategy that throws when the filters are looked for is told, and ends nothing', async () => {
    const strategy = new ByTenant();
    ContextIdFactory.apply(strategy);
    await using app = await start();
    const stream = await app.open('/durable', { headers: { 'x-tenant': 'a' } });
    await stream.receive('retry: ');

    strategy.isBroken = true;
    source.error(new Error(OF_SOURCE));
    await stream.rest();
    await until(() => errors.length > 1, 'both to be told');

    expect(errors).toEqual([OF_SOURCE, 'The tenant is gone']);
  });

  test('a durable filter is found, with what it depends on', async () => {
    ContextIdFactory.apply(new ByTenant());
    await using app = await start();

    await failAt(app, '/durable', { 'x-tenant': 'a' });
    await until(() => app.nest.get(Seen).errors.length > 0, 'the filter to be called');

    expect(app.nest.get(Seen).errors).toEqual([`durable: ${OF_SOURCE}`]);
  });

  test('what an exception filter throws is told, beside the failure itself', async () => {
    await using app = await start();

    await failAt(app, '/broken');
    await until(() => errors.length > 1, 'both to be told');

    expect(errors).toEqual([OF_SOURCE, 'the filter has failed']);
  });

  test('a logger that throws ends nothing', async () => {
    await using app = await start({
      options: {
        onError: () => fail('onError'),
        hooks: { onOpened: () => fail('onOpened'), onClosed: () => reject('onClosed') },
      },
    });
    app.nest.useLogger(new BrokenLogger());

    await failAt(app, '/unfiltered');
    app.nest.useLogger(false);
  });

  test.each(['throws', 'rejects'])('a listener of a signal that %s is told, and ends nothing', async (how) => {
    const failing = how === 'throws' ? () => fail('the listener') : () => reject('the listener');
    const heard: string[] = [];
    const handler = ({ connection: { signal } }: HandlerContext) => {
      const removed = () => void heard.push('removed');
      signal.addEventListener('abort', failing);
      signal.addEventListener('abort', failing);
      signal.addEventListener('abort', { handleEvent: failing }, { once: true });
      signal.addEventListener('abort', removed);
      signal.removeEventListener('abort', removed);
      signal.addEventListener('abort', () => void heard.push('after'));
      signal.onabort = failing;
      return NEVER;
    };
    await using app = await start({ controllers: [TopicController, streamOf(handler)] });
    const stream = await app.open('/stream');
    await stream.receive('retry: ');

    stream.leave();
    await until(() => errors.length > 2, 'the failures to be told');

    expect(errors).toEqual(['the listener', 'the listener', 'the listener']);
    expect(heard).toEqual(['after']);
  });

  test('an address that cannot be made out ends the stream that is asked for, which is told', async () => {
    let isBroken = false;
    await using app = await start({
      options: { hooks: { onOpened: () => undefined } },
      configure: (nest) => {
        const ip = { get: () => (isBroken ? fail('the proxy is unknown') : '127.0.0.1') };
        if (adapter.isFastify) {
          const fastify = nest.getHttpAdapter().getInstance() as { addHook(name: string, hook: unknown): void };
          fastify.addHook('onRequest', async (request: object) => void Object.defineProperty(request, 'ip', ip));
        } else
          nest.use((request: object, _: unknown, next: () => void) => {
            Object.defineProperty(request, 'ip', ip);
            next();
          });
      },
    });
    const other = await app.open('/topic');
    await other.receive('id: ');

    isBroken = true;
    await app.open('/unfiltered').then(
      (stream) => stream.body(),
      () => undefined,
    );
    await until(() => errors.length > 0, 'the failure to be told');
    await app.streams.publish('topic', { data: 'here' });

    expect(errors).toEqual(['the proxy is unknown']);
    expect(app.streams.connections.count).toBe(1);
    expect(await other.next()).toMatchObject({ data: 'here' });
  });
});

function fail(message: string): never {
  throw new Error(message);
}

/** An asynchronous function in the place of one that nobody waits for. */
function reject(message: string): unknown {
  return Promise.reject(new Error(message));
}
