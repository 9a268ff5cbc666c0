import { AsyncLocalStorage } from 'node:async_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Catch, Controller, Get, UseFilters } from '@nestjs/common';
import type { ExceptionFilter, INestApplication } from '@nestjs/common';
import { describe, expect, jest, test } from '@jest/globals';
import { Connection, EventStreamService, type SseConnection, SseStream } from 'nestjs-event-stream';
import { Observable, merge } from 'rxjs';
import type { Engine } from '../../src/engine/engine.js';
import { type TestApp, adapters, startApp } from '../support/app.js';
import { engineKinds } from '../support/engines.js';
import type { Stream } from '../support/stream.js';
import { until } from '../support/until.js';

jest.setTimeout(60_000);

/** Who a request is from, as a tracer or nestjs-cls keeps it. */
const current = new AsyncLocalStorage<{ readonly user: string }>();
const user = (): string => current.getStore()?.user ?? 'nobody';

/** What was called for whom, and in whose context. */
let calls: string[] = [];
const note = (what: string, whose: string): void => void calls.push(`${what} of ${whose} as ${user()}`);

@Catch()
class NotingFilter implements ExceptionFilter {
  catch(): void {
    note('filter', 'cid');
  }
}

@Controller()
class ContextController {
  constructor(private readonly streams: EventStreamService) {}

  @Get('filtered')
  @SseStream()
  filtered() {
    const whose = user();
    const topic = this.streams.topic<{ tenant: string }>('events');
    return topic
      .filter(({ data }) => (note('filter()', whose), data.tenant === user()))
      .map(({ data }) => (note('map()', whose), { data: `${data.tenant} for ${user()}` }));
  }

  @Get('source')
  @SseStream()
  source(@Connection() connection: SseConnection) {
    const whose = user();
    connection.signal.addEventListener('abort', () => note('abort', whose));
    return merge(
      new Observable<string>((subscriber) => {
        subscriber.next('begun');
        return () => note('teardown', whose);
      }),
      this.streams
        .topic<string>('observed')
        .asObservable()
        .pipe(
          (events) => new Observable<string>((to) => events.subscribe(({ data }) => to.next(`${data} for ${user()}`))),
        ),
    );
  }

  @Get('generator')
  @SseStream()
  async *generator(@Connection() connection: SseConnection) {
    const whose = user();
    try {
      yield 'begun';
      await new Promise((resolve) => connection.signal.addEventListener('abort', resolve));
    } finally {
      note('finally', whose);
    }
  }

  @Get('failing')
  @SseStream()
  @UseFilters(NotingFilter)
  failing() {
    return this.streams.topic('events').map(() => {
      throw new Error('no');
    });
  }

  @Get('plain')
  @SseStream()
  plain() {
    return this.streams.topic('plain');
  }

  @Get('timed')
  @SseStream({ maxLifetimeMs: 100 })
  timed(@Connection() connection: SseConnection) {
    const whose = user();
    connection.signal.addEventListener('abort', () => note('abort', whose));
    return this.streams.topic('plain');
  }
}

async function start(adapter: (typeof adapters)[number], engine: Engine): Promise<TestApp> {
  calls = [];
  return startApp(adapter, {
    controllers: [ContextController],
    options: {
      engine,
      hooks: {
        onOpened: ({ request }) => note('onOpened', whoseOf(request)),
        onClosed: ({ request }) => note('onClosed', whoseOf(request)),
      },
      onError: (_, { connection }) =>
        note('onError', connection === undefined ? 'nobody' : whoseOf(connection.request)),
    },
    configure: (app) => useContext(app),
  });
}

const whoseOf = (request: object): string =>
  new URL((request as { url: string }).url, 'http://x').searchParams.get('user') ?? '';

/** As the middleware of nestjs-cls and of tracers does it, on both adapters. */
function useContext(app: INestApplication): void {
  app.use((request: object, _: unknown, next: () => void) => current.run({ user: whoseOf(request) }, next));
}

const openAs = async (app: TestApp, path: string, name: string): Promise<Stream> => {
  const stream = await app.open(`/${path}?user=${name}`);
  expect(stream.status).toBe(200);
  return stream;
};

/** As a request of somebody else's would. */
const asAnother = <T>(work: () => Promise<T>): Promise<T> => current.run({ user: 'another' }, work);

/** Resolves when all that was asked for so far is live. */
async function settled(app: TestApp, ...streams: Stream[]): Promise<void> {
  for (const stream of streams) await stream.receive(/^id: ?\S+\n\n/m);
  expect(app).toBeDefined();
}

describe.each(engineKinds)('with $name', ({ open }) => {
  test.each(adapters)('what a stream calls is called in the context of its own request, on $name', async (adapter) => {
    await using log = await open();
    await using app = await start(adapter, log.engine());
    const ann = await openAs(app, 'filtered', 'ann');
    const bob = await openAs(app, 'filtered', 'bob');
    await settled(app, ann, bob);

    await asAnother(() => app.streams.publish('events', { data: { tenant: 'ann' } }));
    await asAnother(() => app.streams.publish('events', { data: { tenant: 'bob' } }));
    expect((await ann.next())?.data).toBe('ann for ann');
    expect((await bob.next())?.data).toBe('bob for bob');

    const sources = [await openAs(app, 'source', 'ann'), await openAs(app, 'source', 'bob')];
    for (const source of sources) await source.receive('begun');
    const observed = (): boolean => sources.every((source) => source.text.includes('x for'));
    while (!observed()) {
      await asAnother(() => app.streams.publish('observed', { data: 'x' }));
      for (const source of sources) await source.next();
    }
    expect(sources.map(({ text }) => /x for \w+/.exec(text)?.[0])).toEqual(['x for ann', 'x for bob']);

    const generator = await openAs(app, 'generator', 'ann');
    await generator.receive('begun');
    const timed = await openAs(app, 'timed', 'bob');
    await timed.rest();
    const failing = await openAs(app, 'failing', 'cid');
    await settled(app, failing);
    await asAnother(() => app.streams.publish('events', { data: { tenant: 'nobody' } }));
    await failing.rest();
    sources[0]?.leave();
    await until(() => calls.some((call) => call.startsWith('teardown of ann')), 'the first to have left');
    await asAnother(async () => app.streams.connections.close({ topic: 'events' }));
    for (const connection of app.streams.connections.list()) {
      await asAnother(async () => connection.close());
    }
    await until(() => app.streams.connections.list().length === 0, 'all to be closed');
    await until(() => calls.filter((call) => call.startsWith('onClosed')).length === 7, 'all to be told');

    const foreign = calls.filter((call) => !/^(\S+) of (\w+) as \2$/.test(call));
    expect(foreign).toEqual([]);
    const kinds = new Set(calls.map((call) => call.split(' ')[0]));
    expect([...kinds].sort()).toEqual(
      ['abort', 'filter', 'filter()', 'finally', 'map()', 'onClosed', 'onError', 'onOpened', 'teardown'].sort(),
    );
  });

  test('what is shared keeps nothing of the first who came', async () => {
    const [express] = adapters;
    await using log = await open();
    await using app = await start(express!, log.engine());
    const first = await firstToCome(app);
    const second = await openAs(app, 'plain', 'bob');
    await settled(app, second);
    await app.streams.publish('plain', { data: 1 });
    await second.next();

    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    await until(
      () => (gc(), first.deref() === undefined),
      'what the first request had with it to be let go of',
      15_000,
    );
    await app.streams.publish('plain', { data: 2 });
    expect((await second.next())?.data).toBe('2');
  });
});

/** Does first what makes connections, subscriptions and timers, and leaves. */
async function firstToCome(app: TestApp): Promise<WeakRef<object>> {
  const store = { user: 'first' };
  await current.run(store, async () => {
    await app.streams.publish('plain', { data: 0 });
    await new Promise<void>((resolve) => {
      const subscription = app.streams
        .topic('plain')
        .filter(() => true)
        .asObservable()
        .subscribe(() => {
          subscription.unsubscribe();
          resolve();
        });
      const again = setInterval(() => void app.streams.publish('plain', { data: 0 }), 5);
      subscription.add(() => clearInterval(again));
    });
    await app.streams.revoke({ principalId: 'dan' });
    await app.streams.presence('plain', { timeoutMs: 1 });
    await app.streams.engine.health();
  });
  return new WeakRef(store);
}
