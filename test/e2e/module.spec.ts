import { describe, expect, test } from '@jest/globals';
import { Controller, type DynamicModule, Inject, Injectable, Module, Param } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  type Engine,
  EventStreamService,
  InjectTopic,
  SseModule,
  type SseModuleOptions,
  SseStream,
  type TopicFamily,
  defineTopic,
  getTopicToken,
  memoryEngine,
  type as typeOf,
} from 'nestjs-event-stream';
import { z } from 'zod';
import { type AppOptions, type TestApp, adapters, startApp } from '../support/app.js';
import { TopicController } from '../support/controllers.js';

const ticks = defineTopic('stocks/:symbol', {
  events: { tick: z.object({ price: z.number() }), note: typeOf<string>() },
  history: { maxEvents: 2 },
});

@Controller('stocks')
class StocksController {
  constructor(@InjectTopic(ticks) private readonly topics: TopicFamily<typeof ticks>) {}

  @SseStream(':symbol')
  watch(@Param('symbol') symbol: string) {
    return this.topics({ symbol });
  }
}

@Injectable()
class Config implements SseModuleOptions {
  readonly retryMs = 1_234;
}

@Module({ providers: [Config], exports: [Config] })
class ConfigModule {}

@Injectable()
class OptionsFactory {
  constructor(@Inject(Config) private readonly config: Config) {}

  create(): SseModuleOptions {
    return { retryMs: this.config.retryMs };
  }
}

@Module({ imports: [ConfigModule], providers: [OptionsFactory], exports: [OptionsFactory] })
class FactoryModule {}

const asynchronous: readonly [name: string, app: AppOptions][] = [
  [
    'useFactory with inject and imports',
    {
      module: SseModule.forRootAsync({
        imports: [ConfigModule],
        inject: [Config],
        useFactory: async ({ retryMs }: Config) => ({ retryMs }),
      }),
    },
  ],
  ['useClass', { module: SseModule.forRootAsync({ imports: [ConfigModule], useClass: OptionsFactory }) }],
  ['useExisting', { module: SseModule.forRootAsync({ imports: [FactoryModule], useExisting: OptionsFactory }) }],
];

describe.each(adapters)('on $name', (adapter) => {
  test.each(asynchronous)('forRootAsync takes its options from %s', async (_, given) => {
    await using app = await startApp(adapter, { ...given, controllers: [TopicController] });

    const stream = await app.open('/topic');

    await stream.receive('retry: 1234\n');
  });

  test('forRootAsync has the hub route and topics beside the factory', async () => {
    const module = SseModule.forRootAsync({
      hub: { path: 'events' },
      topics: [ticks],
      useFactory: () => ({ authorize: 'public' }),
    });
    await using app = await startApp(adapter, { module, controllers: [StocksController] });

    expect((await app.open('/events?topic=a')).status).toBe(200);
    expect((await app.open('/stocks/AAPL')).status).toBe(200);
  });

  test('forRootAsync refuses a hub from the factory: routes are made before it runs', async () => {
    const module = SseModule.forRootAsync({ useFactory: () => ({ hub: { path: 'events' }, authorize: 'public' }) });

    await expect(startApp(adapter, { module })).rejects.toMatchObject({ message: expect.stringContaining('hub') });
  });

  test('forRootAsync refuses a hub without authorize', async () => {
    const module = SseModule.forRootAsync({ hub: { path: 'events' }, useFactory: () => ({}) });

    await expect(startApp(adapter, { module })).rejects.toMatchObject({ code: 'invalid-options' });
  });

  test('a module that is not global serves those that import it', async () => {
    const sse = SseModule.forRoot({ isGlobal: false });
    @Module({ imports: [sse], controllers: [TopicController] })
    class FeatureModule {}
    await using app = await startApp(adapter, { module: sse, imports: [FeatureModule] });

    expect((await app.open('/topic')).status).toBe(200);
  });

  test('a module may import SseModule by its bare name, where the global one is known already', async () => {
    @Module({ imports: [SseModule], controllers: [TopicController] })
    class FeatureModule {}
    await using app = await startApp(adapter, { imports: [FeatureModule] });

    expect((await app.open('/topic')).status).toBe(200);
  });

  test('a module that is not global is unknown where it is not imported', async () => {
    @Module({ controllers: [TopicController] })
    class FeatureModule {}
    const given = { options: { isGlobal: false }, imports: [FeatureModule] };

    await expect(startApp(adapter, given)).rejects.toThrow(/dependenc/i);
  });

  test('forFeature makes the topics of a definition injectable, with their schema and history', async () => {
    @Module({ imports: [SseModule.forFeature([ticks])], controllers: [StocksController] })
    class FeatureModule {}
    await using app = await startApp(adapter, { imports: [FeatureModule] });
    const first = await app.open('/stocks/AAPL');
    await first.receive('id: ');

    for (const price of [1, 2, 3]) await app.streams.publish('stocks/AAPL', { type: 'tick', data: { price } });
    const wrong = app.streams.publish('stocks/AAPL', { type: 'tick', data: { price: 'high' } });
    const resumed = await app.open('/stocks/AAPL', { headers: { 'last-event-id': String(first.lastEventId) } });

    await expect(wrong).rejects.toMatchObject({ code: 'schema-mismatch' });
    expect((await resumed.take(3)).map(({ type, data }) => [type, data])).toEqual([
      ['stream.reset', '{"reason":"trimmed","topics":["stocks/AAPL"]}'],
      ['tick', '{"price":2}'],
      ['tick', '{"price":3}'],
    ]);
  });

  test('the topics of a definition that nobody gave to the module are missing, and Nest says the cure', async () => {
    const starting = startApp(adapter, { controllers: [StocksController] });

    await expect(starting).rejects.toThrow(/stocks\/:symbol.*SseModule\.forFeature\(\[definition\]\)/);
  });

  test('getTopicToken() is what the topics of a definition are provided under', async () => {
    await using app = await startApp(adapter, { options: { topics: [ticks] } });

    const topics = app.nest.get<TopicFamily<typeof ticks>>(getTopicToken(ticks), { strict: false });

    expect(topics({ symbol: 'AAPL' }).name).toBe('stocks/AAPL');
  });

  test('two applications in one process never meet', async () => {
    await using one = await startApp(adapter, { controllers: [TopicController] });
    await using two = await startApp(adapter, { controllers: [TopicController] });
    const [first, second] = [await one.open('/topic'), await two.open('/topic')];
    await Promise.all([first.receive('id: '), second.receive('id: ')]);

    await one.streams.publish('topic', { data: 'one' });
    await two.streams.publish('topic', { data: 'two' });
    const inFirst = await first.next();
    await one.nest.close();
    await two.streams.publish('topic', { data: 'three' });

    expect(inFirst?.data).toBe('one');
    expect((await first.rest()).map(({ type }) => type)).toEqual(['stream.end']);
    expect((await second.take(2)).map(({ data }) => data)).toEqual(['two', 'three']);
  });
});

const wrong: readonly [option: string, options: object][] = [
  ['engine', { engine: {} }],
  ['history.maxEvents', { history: { maxEvents: -1 } }],
  ['history', { history: true }],
  ['history.size', { history: { size: 1 } }],
  ['retryMs', { retryMs: 1.5 }],
  ['heartbeatMs', { heartbeatMs: 0 }],
  ['maxLifetimeMs', { maxLifetimeMs: -1 }],
  ['maxPendingBytes', { maxPendingBytes: 10 }],
  ['compression', { compression: 'gzip' }],
  ['limits.topicsPerConnection', { limits: { topicsPerConnection: 0 } }],
  ['limits.patternsPerConnection', { limits: { patternsPerConnection: 0 } }],
  ['drain.windowMs', { drain: { windowMs: '1s' } }],
  ['drain.deadlineMs', { drain: { deadlineMs: NaN } }],
  ['topics', { topics: ticks }],
  ['authenticate', { authenticate: true }],
  ['authorize', { authorize: 'everyone' }],
  ['onError', { onError: 1 }],
  ['heartbeat', { heartbeat: 1 }],
];

const wrongHubs: typeof wrong = [
  ['authorize', { hub: { path: 'events' } }],
  ['hub.path', { hub: {}, authorize: 'public' }],
];

test.each([...wrong, ...wrongHubs])('a wrong option fails at start and is named: %s (%#)', (option, options) => {
  expect(() => SseModule.forRoot(options)).toThrow(
    expect.objectContaining({ code: 'invalid-options', message: expect.stringContaining(option) }),
  );
});

test.each(wrong)('a wrong option from a factory fails at start and is named: %s (%#)', async (option, options) => {
  const module = Test.createTestingModule({ imports: [SseModule.forRootAsync({ useFactory: () => options })] });

  await expect(module.compile()).rejects.toMatchObject({
    code: 'invalid-options',
    message: expect.stringContaining(option),
  });
});

test('options that are undefined are absent', async () => {
  const names = [
    'engine',
    'history',
    'retryMs',
    'heartbeatMs',
    'limits',
    'drain',
    'topics',
    'authorize',
    'hub',
    'onError',
  ];
  const options = Object.fromEntries(names.map((name) => [name, undefined]));
  const module = await Test.createTestingModule({ imports: [SseModule.forRoot(options)] }).compile();

  expect(await module.get(EventStreamService).publish('a', { data: 1 })).toEqual({ id: expect.any(String) });
  await module.close();
});

test('an engine can be given, and is closed with the application', async () => {
  const engine = memoryEngine();
  const module = await Test.createTestingModule({ imports: [SseModule.forRoot({ engine })] }).compile();
  await module.init();
  const streams = module.get(EventStreamService);

  await module.close();

  await expect(streams.publish('a', { data: 1 })).rejects.toMatchObject({ code: 'closed' });
});

const twice: readonly [how: string, ...modules: DynamicModule[]][] = [
  ['forRoot() twice', SseModule.forRoot(), SseModule.forRoot()],
  ['forRoot() beside forRootAsync()', SseModule.forRoot(), SseModule.forRootAsync({ useFactory: () => ({}) })],
  ['two that are not global', SseModule.forRoot({ isGlobal: false }), SseModule.forRoot({ isGlobal: false })],
];

test.each(twice)('%s is refused at the start: each would have a log of its own', async (_, ...imports) => {
  @Module({ imports: imports.slice(1) })
  class FeatureModule {}
  const module = Test.createTestingModule({ imports: [imports[0]!, FeatureModule] });

  await expect(module.compile()).rejects.toMatchObject({
    code: 'invalid-options',
    message: expect.stringMatching(/imported 2 times .* Import it once, .* global.* forFeature\(\)/),
  });
});

describe('one set of options, with an engine in it, for several applications', () => {
  class AppModule {}
  const module = SseModule.forRoot({ engine: memoryEngine() });
  const root = { module: AppModule, imports: [module], controllers: [TopicController] };
  const start = (): Promise<TestApp> => startApp(adapters[0]!, { module: root });

  test.each(['first', 'second'])('works for the %s in turn, and each begins with an empty log', async () => {
    await using app = await start();
    const history = await app.open('/topic', { headers: { 'last-event-id': 'made-up' } });
    expect(await history.next()).toMatchObject({ type: 'stream.reset' });
    await app.streams.publish('topic', { data: 'x' });

    expect(await history.next()).toMatchObject({ data: 'x' });
  });

  test('works for two at once, which never meet, and the end of the one is not that of the other', async () => {
    await using one = await start();
    await using two = await start();
    const stream = await two.open('/topic');
    await stream.receive('id: ');

    await one.streams.publish('topic', { data: 'one' });
    await one.nest.close();
    await two.streams.publish('topic', { data: 'two' });

    expect(await stream.next()).toMatchObject({ data: 'two' });
  });
});

test('an engine without open() that another application has closed is refused at the start', async () => {
  const engine = Object.assign(memoryEngine(), { open: undefined }) as Engine;
  const given = { options: { engine } };
  await (await startApp(adapters[0]!, given)).nest.close();

  await expect(startApp(adapters[0]!, given)).rejects.toMatchObject({
    code: 'invalid-options',
    message: expect.stringMatching(/memory engine is closed.* useFactory.* open\(\)/),
  });
});

test.each([
  ['an unknown option', { heartbeat: 1 }],
  ['no object', 5],
])('@SseStream() with %s fails where it is written', (_, options) => {
  expect(() => SseStream('path', options as object)).toThrow(expect.objectContaining({ code: 'invalid-options' }));
});
