import { describe, expect, test } from '@jest/globals';
import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  NotFoundException,
  RequestMethod,
} from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { type Observable, of } from 'rxjs';
import { SseStream, type SseStreamOptions } from 'nestjs-event-stream';
import { adapters, startApp, transports } from '../support/app.js';
import { streamOf } from '../support/controllers.js';

const nothing: readonly [what: string, handler: () => unknown][] = [
  ['undefined', () => undefined],
  ['null', () => null],
  ['a promise of undefined', async () => undefined],
  ['a promise of null', async () => null],
];

@Controller()
@SseStream({ none: 204 })
class SharedController {
  @SseStream('shared')
  shared(): unknown {
    return undefined;
  }

  @SseStream('own', { none: 404 })
  own(): Observable<number> | undefined {
    return undefined;
  }
}

describe.each(transports)('on $name', (adapter) => {
  test.each(nothing)('where a handler gives %s, the answer is 204 without a body', async (_, handler) => {
    await using app = await startApp(adapter, { controllers: [streamOf(handler, { none: 204 })] });

    const answer = await app.open('/stream');

    expect([answer.status, await answer.body()]).toEqual([204, '']);
    expect(answer.headers.has('content-type')).toBe(false);
    expect(app.streams.connections.count).toBe(0);
  });

  test.each(nothing)('where a handler gives %s, the answer is 404', async (_, handler) => {
    await using app = await startApp(adapter, { controllers: [streamOf(handler, { none: 404 })] });

    const answer = await app.open('/stream');

    expect([answer.status, JSON.parse(await answer.body())]).toEqual([404, { statusCode: 404, message: 'Not Found' }]);
    expect(app.streams.connections.count).toBe(0);
  });

  test.each<[method: string, none: 204 | 404]>([
    ['HEAD', 204],
    ['HEAD', 404],
    ['POST', 204],
    ['POST', 404],
  ])('%s is answered %i, too', async (method, none) => {
    const options = { none, ...(method === 'POST' && { method: RequestMethod.POST }) };
    await using app = await startApp(adapter, { controllers: [streamOf(() => undefined, options)] });

    expect((await app.open('/stream', { method })).status).toBe(none);
  });
});

describe.each(adapters)('on $name', (adapter) => {
  test('a controller says it for its routes, and a route for itself', async () => {
    await using app = await startApp(adapter, { controllers: [SharedController] });

    expect([(await app.open('/shared')).status, (await app.open('/own')).status]).toEqual([204, 404]);
  });

  test.each<[SseStreamOptions, number]>([
    [{ wire: { name: 'own', none: 204 } }, 204],
    [{ wire: { name: 'own', none: 404 } }, 404],
    [{ wire: { name: 'own', none: 204 }, none: 404 }, 404],
    [{ wire: { name: 'own' } }, 500],
    [{}, 500],
  ])('with the options %j it is %i', async (options, status) => {
    await using app = await startApp(adapter, { controllers: [streamOf(() => undefined, options)] });

    expect((await app.open('/stream')).status).toBe(status);
  });

  test('a 404 passes the exception filters of the application', async () => {
    const seen: unknown[] = [];
    @Catch()
    class Filter extends BaseExceptionFilter implements ExceptionFilter {
      override catch(error: unknown, host: ArgumentsHost): void {
        seen.push(error);
        super.catch(error, host);
      }
    }
    await using app = await startApp(adapter, {
      controllers: [streamOf(() => undefined, { none: 404 })],
      configure: (nest) => nest.useGlobalFilters(new Filter(nest.getHttpAdapter())),
    });

    await app.open('/stream');

    expect(seen).toEqual([expect.any(NotFoundException)]);
  });

  test.each([false, 0, ''])('%j is not nothing, and no source either', async (value) => {
    await using app = await startApp(adapter, { controllers: [streamOf(() => value, { none: 204 })] });

    expect((await app.open('/stream')).status).toBe(500);
  });

  test('what a handler gives is streamed all the same', async () => {
    await using app = await startApp(adapter, { controllers: [streamOf(() => of(1), { none: 204 })] });

    expect(await (await app.open('/stream')).next()).toEqual({ data: '1' });
  });
});

test.each([200, '204', null, true])('none: %j is refused when it is decorated', (none) => {
  expect(() => SseStream({ none: none as 204 })).toThrow(
    expect.objectContaining({ code: 'invalid-options', message: expect.stringContaining('none must be 204 or 404') }),
  );
});
