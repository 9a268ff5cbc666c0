import { describe, expect, test } from '@jest/globals';
import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  Injectable,
  Module,
  Scope,
  UseFilters,
} from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { concat, of, throwError } from 'rxjs';
import { SseStream } from 'nestjs-event-stream';
import { type AppOptions, adapters, startApp, transports } from '../support/app.js';
import { type HandlerContext, TopicController, streamOf } from '../support/controllers.js';
import { until } from '../support/until.js';

const SECRET = 'password=hunter2 at db.internal';

/** What filters have seen; provided anew for each application. */
@Injectable()
class Seen {
  readonly errors: { readonly by: string; readonly message: string }[] = [];
}

@Injectable()
@Catch()
class RecordingFilter implements ExceptionFilter {
  constructor(private readonly seen: Seen) {}

  catch(error: Error): void {
    this.seen.errors.push({ by: 'class-ref', message: error.message });
  }
}

@Injectable({ scope: Scope.REQUEST })
@Catch()
class RequestScopedFilter implements ExceptionFilter {
  constructor(private readonly seen: Seen) {}

  catch(error: Error, host: ArgumentsHost): void {
    const { url } = host.switchToHttp().getRequest<{ url: string }>();
    this.seen.errors.push({ by: `request-scoped ${url}`, message: error.message });
  }
}

class RecordingInstance implements ExceptionFilter {
  constructor(
    private readonly by: string,
    private readonly seen: Seen,
  ) {}

  catch(error: Error): void {
    this.seen.errors.push({ by: this.by, message: error.message });
  }
}

const failing = () =>
  concat(
    of('a'),
    throwError(() => new Error(SECRET)),
  );
const seenByInstance = new Seen();

@Controller()
class FailingController {
  @SseStream('stream')
  plain() {
    return failing();
  }

  @SseStream('method-instance')
  @UseFilters(new RecordingInstance('method', seenByInstance))
  instance() {
    return failing();
  }

  @SseStream('method-ref')
  @UseFilters(RecordingFilter)
  ref() {
    return failing();
  }

  @SseStream('method-scoped')
  @UseFilters(RequestScopedFilter)
  scoped() {
    return failing();
  }
}

@Controller()
@UseFilters(RecordingFilter)
class FilteredController {
  @SseStream('stream')
  stream() {
    return failing();
  }
}

const routes: readonly [name: string, path: string, app: AppOptions, by: string][] = [
  ['of a class, given as a class with dependencies', '/stream', { controllers: [FilteredController] }, 'class-ref'],
  ['of a method, given as a class', '/method-ref', { controllers: [FailingController] }, 'class-ref'],
  [
    'of a method, request-scoped',
    '/method-scoped',
    { controllers: [FailingController] },
    'request-scoped /method-scoped',
  ],
  [
    'given as APP_FILTER',
    '/stream',
    { controllers: [FailingController], providers: [{ provide: APP_FILTER, useClass: RecordingFilter }] },
    'class-ref',
  ],
  [
    'given as a global instance',
    '/stream',
    {
      controllers: [FailingController],
      configure: (nest) => nest.useGlobalFilters(new RecordingInstance('global', nest.get(Seen))),
    },
    'global',
  ],
];

describe.each(adapters)('on $name', (adapter) => {
  test.each(routes)('an exception filter %s sees what ended an open stream, the client does not', async (...route) => {
    const [, path, given, by] = route;
    const options = { ...given, providers: [Seen, ...(given.providers ?? [])] };
    await using app = await startApp(adapter, options);

    const stream = await app.open(path);
    const events = await stream.rest();
    const { errors } = app.nest.get(Seen);
    await until(() => errors.length > 0, 'the filter to be called');

    expect(errors).toEqual([{ by, message: SECRET }]);
    expect(events).toEqual([
      { data: 'a' },
      { type: 'stream.error', data: '{"message":"The stream was ended by an error on the server","reconnect":true}' },
    ]);
    expect(stream.text).not.toContain('hunter2');
  });

  test('an exception filter instance on a method sees what ended an open stream', async () => {
    seenByInstance.errors.length = 0;
    await using app = await startApp(adapter, { controllers: [FailingController], providers: [Seen] });

    await (await app.open('/method-instance')).rest();
    await until(() => seenByInstance.errors.length > 0, 'the filter to be called');

    expect(seenByInstance.errors).toEqual([{ by: 'method', message: SECRET }]);
  });

  test('an exception filter of a feature module finds its dependencies there', async () => {
    @Module({ controllers: [FilteredController], providers: [Seen] })
    class FeatureModule {}
    await using app = await startApp(adapter, { imports: [FeatureModule] });

    await (await app.open('/stream')).rest();
    const { errors } = app.nest.get(Seen, { strict: false });
    await until(() => errors.length > 0, 'the filter to be called');

    expect(errors).toEqual([{ by: 'class-ref', message: SECRET }]);
  });

  test('a filter that fails itself, or answers a response that is over, ends nothing else', async () => {
    const filter: ExceptionFilter = {
      catch: (_, host) => {
        host.switchToHttp().getResponse<{ status(code: number): { send(body: string): void } }>().status(500).send('x');
        throw new Error('the filter failed');
      },
    };
    await using app = await startApp(adapter, {
      controllers: [FailingController, TopicController],
      providers: [Seen],
      configure: (nest) => nest.useGlobalFilters(filter),
    });
    const other = await app.open('/topic');

    const events = await (await app.open('/stream')).rest();
    await app.streams.publish('topic', { data: 'still here' });

    expect(events.at(-1)?.type).toBe('stream.error');
    expect(await other.next()).toMatchObject({ data: 'still here' });
  });

  test('an onError option that throws ends nothing else', async () => {
    await using app = await startApp(adapter, {
      controllers: [FailingController, TopicController],
      providers: [Seen],
      options: { onError: () => fail() },
    });
    const other = await app.open('/topic');

    const events = await (await app.open('/stream')).rest();
    await app.streams.publish('topic', { data: 'still here' });

    expect(events.at(-1)?.type).toBe('stream.error');
    expect(await other.next()).toMatchObject({ data: 'still here' });
  });

  test('the onError option hears of it too, with the connection', async () => {
    const heard: { message: string; id: string | undefined }[] = [];
    await using app = await startApp(adapter, {
      controllers: [FailingController],
      providers: [Seen],
      options: {
        onError: (error, { connection }) => heard.push({ message: (error as Error).message, id: connection?.id }),
      },
    });

    await (await app.open('/stream')).rest();

    expect(heard).toEqual([{ message: SECRET, id: expect.any(String) }]);
  });
});

describe.each(transports)('on $name', (adapter) => {
  const sources: readonly [name: string, source: () => unknown][] = [
    ['an Observable that errors synchronously', () => throwError(() => new Error(SECRET))],
    ['an async generator that throws', () => failLater()],
    ['a generator that throws', () => failNow()],
    ['a ReadableStream that errors', () => new ReadableStream({ start: (it) => it.error(new Error(SECRET)) })],
    ['a value that cannot be serialised', () => of({ data: { toJSON: () => fail() } })],
  ];

  test.each(sources)('%s tells the client nothing but that it failed', async (_, source) => {
    await using app = await startApp(adapter, { controllers: [streamOf(source)] });

    const stream = await app.open('/stream');
    const events = await stream.rest();

    expect(events.at(-1)).toMatchObject({ type: 'stream.error' });
    expect(stream.error).toBeUndefined();
    expect(stream.text).not.toMatch(/hunter2|db\.internal|\bat\b.*\.ts/);
  });

  test.each(['map', 'filter'] as const)('a %s that throws ends that stream only, and says nothing', async (step) => {
    const handler = ({ streams }: HandlerContext) =>
      step === 'map' ? streams.topic('topic').map(() => fail()) : streams.topic('topic').filter(() => fail());
    await using app = await startApp(adapter, { controllers: [streamOf(handler), TopicController] });
    const failingStream = await app.open('/stream');
    const other = await app.open('/topic');
    await failingStream.receive('id: ');

    await app.streams.publish('topic', { data: 1 });

    expect((await failingStream.rest()).map(({ type }) => type)).toEqual(['stream.error']);
    expect(failingStream.text).not.toContain('hunter2');
    expect(await other.next()).toMatchObject({ data: '1' });
  });
});

async function* failLater(): AsyncGenerator<string> {
  yield 'a';
  fail();
}

function* failNow(): Generator<string> {
  yield 'a';
  fail();
}

function fail(): never {
  throw new Error(SECRET);
}
