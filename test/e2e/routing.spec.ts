import { describe, expect, test } from '@jest/globals';
import { Controller, Header, HttpCode, type INestApplication, Res, Version, VersioningType } from '@nestjs/common';
import { of } from 'rxjs';
import { EventStreamService, LastEventId, SseStream } from 'nestjs-event-stream';
import { adapters, startApp, transports } from '../support/app.js';
import { TopicController, streamOf } from '../support/controllers.js';
import { openRaw } from '../support/raw.js';

@Controller({ path: 'versioned', version: '1' })
class VersionedController {
  @SseStream()
  one() {
    return of('one');
  }

  @SseStream()
  @Version('2')
  two() {
    return of('two');
  }
}

@Controller('routes')
@SseStream({ retryMs: 111, headers: { 'X-Class': 'class', 'X-Both': 'class' } })
class RoutesController {
  constructor(private readonly streams: EventStreamService) {}

  @SseStream('inherits')
  inherits() {
    return of(1);
  }

  @SseStream('overrides', { retryMs: 222, headers: { 'X-Both': 'route' } })
  overrides() {
    return of(1);
  }

  @SseStream(['first', 'second'])
  several() {
    return of(1);
  }

  @SseStream('header')
  @Header('X-Decorated', 'yes')
  @Header('Content-Type', 'text/plain')
  @Header('Content-Length', '3')
  @Header('ETag', '"x"')
  decorated() {
    return of(1);
  }

  @SseStream('code')
  @HttpCode(207)
  code() {
    return of(1);
  }

  @SseStream('passthrough')
  passthrough(@Res({ passthrough: true }) response: { header(name: string, value: string): unknown }) {
    response.header('X-Passthrough', 'yes');
    return of(1);
  }

  @SseStream('cursor')
  cursor(@LastEventId() id: string | undefined) {
    return of({ id });
  }
}

const configure = (change: (nest: INestApplication) => unknown) => ({
  controllers: [VersionedController],
  configure: change,
});
const versionHeader = { headers: { 'x-version': '2' } };

describe.each(adapters)('on $name', (adapter) => {
  test('URI versioning picks the route', async () => {
    await using app = await startApp(
      adapter,
      configure((nest) => nest.enableVersioning({ type: VersioningType.URI })),
    );

    expect(await (await app.open('/v1/versioned')).next()).toEqual({ data: 'one' });
    expect(await (await app.open('/v2/versioned')).next()).toEqual({ data: 'two' });
    expect((await app.open('/v3/versioned')).status).toBe(404);
  });

  test('header versioning picks the route', async () => {
    const versioning = { type: VersioningType.HEADER, header: 'x-version', defaultVersion: '1' } as const;
    await using app = await startApp(
      adapter,
      configure((nest) => nest.enableVersioning(versioning)),
    );

    const headers = { 'x-version': '1' };
    expect(await (await app.open('/versioned', { headers })).next()).toEqual({ data: 'one' });
    expect(await (await app.open('/versioned', versionHeader)).next()).toEqual({ data: 'two' });
  });

  test('a global prefix is put before stream routes', async () => {
    await using app = await startApp(adapter, {
      controllers: [RoutesController],
      configure: (nest) => nest.setGlobalPrefix('api'),
    });

    expect((await app.open('/api/routes/inherits')).status).toBe(200);
    expect((await app.open('/routes/inherits')).status).toBe(404);
  });

  test('each path of a list is a route', async () => {
    await using app = await startApp(adapter, { controllers: [RoutesController] });

    expect((await app.open('/routes/first')).status).toBe(200);
    expect((await app.open('/routes/second')).status).toBe(200);
  });

  test('@LastEventId() is the header before the query, and undefined without either', async () => {
    await using app = await startApp(adapter, { controllers: [RoutesController] });
    const told = async (path: string, id?: string) =>
      (await (await app.open(path, { headers: id === undefined ? {} : { 'last-event-id': id } })).next())?.data;

    expect(await told('/routes/cursor')).toBe('{}');
    expect(await told('/routes/cursor?lastEventId=q')).toBe('{"id":"q"}');
    expect(await told('/routes/cursor?lastEventId=q', 'h')).toBe('{"id":"h"}');
  });

  test('a body that is sent with GET changes nothing', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    await using client = await openRaw(
      app.port,
      ...['GET /topic HTTP/1.1', 'Host: x', 'Content-Type: application/json', 'Content-Length: 8', '', '{"a": 1}'],
    );
    await client.receive('id: ');

    await app.streams.publish('topic', { data: 'here' });

    await client.receive('data: here');
  });

  test('a client that accepts only JSON gets the stream: the route has nothing else', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });

    const stream = await app.open('/topic', { headers: { accept: 'application/json' } });

    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  });
});

describe.each(transports)('on $name', (adapter) => {
  test('the answer has the headers of an event stream, once each', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });

    const stream = await app.open('/topic');

    expect(stream.status).toBe(200);
    expect(Object.fromEntries(stream.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-store, no-transform',
      'x-accel-buffering': 'no',
      incremental: '?1',
      'x-content-type-options': 'nosniff',
    });
    expect(stream.headers.has('content-length')).toBe(false);
    expect(adapter.isHttp2 && stream.headers.has('connection')).toBe(false);
  });

  test('options on the class are the defaults of its routes', async () => {
    await using app = await startApp(adapter, { controllers: [RoutesController] });

    const inheriting = await app.open('/routes/inherits');
    const overriding = await app.open('/routes/overrides');
    await Promise.all([inheriting.body(), overriding.body()]);

    expect([inheriting.retries, overriding.retries]).toEqual([[111], [222]]);
    expect([inheriting.headers.get('x-both'), inheriting.headers.get('x-class')]).toEqual(['class', 'class']);
    expect([overriding.headers.get('x-both'), overriding.headers.get('x-class')]).toEqual(['route', 'class']);
  });

  test('@Header() adds to the answer, but cannot change what the body is', async () => {
    await using app = await startApp(adapter, { controllers: [RoutesController] });

    const stream = await app.open('/routes/header');

    expect(stream.headers.get('x-decorated')).toBe('yes');
    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(stream.headers.has('content-length')).toBe(false);
    expect(stream.headers.has('etag')).toBe(false);
    expect(await stream.next()).toEqual({ data: '1' });
  });

  test('@HttpCode() leaves the status at 200, the only one an EventSource takes', async () => {
    await using app = await startApp(adapter, { controllers: [RoutesController] });

    expect((await app.open('/routes/code')).status).toBe(200);
  });

  test('a handler may use @Res({ passthrough: true }) beside what it returns', async () => {
    await using app = await startApp(adapter, { controllers: [RoutesController] });

    const stream = await app.open('/routes/passthrough');

    expect(stream.headers.get('x-passthrough')).toBe('yes');
    expect(await stream.next()).toEqual({ data: '1' });
  });

  test('an invalid header in the options is an error that filters answer', async () => {
    const controllers = [streamOf(() => of(1), { headers: { 'X-Bad': 'a\r\nSet-Cookie: b' } }), TopicController];
    await using app = await startApp(adapter, { controllers });

    const answer = await app.open('/stream');

    expect(answer.status).toBe(500);
    expect(answer.headers.has('set-cookie')).toBe(false);
    expect(await answer.body()).not.toContain('X-Bad');
    expect((await app.open('/topic')).status).toBe(200);
  });
});

test('called directly, as in a unit test, a controller method returns the source itself', async () => {
  const source = of(1);
  class PlainController {
    @SseStream()
    stream(_name: string) {
      return source;
    }
  }
  const returned = await Promise.resolve<unknown>(new PlainController().stream('x'));

  expect(returned).toBe(source);
  expect([PlainController.prototype.stream.name, PlainController.prototype.stream.length]).toEqual(['stream', 1]);
});
