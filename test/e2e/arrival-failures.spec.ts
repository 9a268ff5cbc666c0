import { describe, expect, test } from '@jest/globals';
import {
  type CallHandler,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  HttpException,
  type NestInterceptor,
  Param,
  type Type,
  UseFilters,
  UseInterceptors,
} from '@nestjs/common';
import { catchError, finalize, of, tap, throwError } from 'rxjs';
import { EventStreamService, SseStream } from 'nestjs-event-stream';
import { adapters, startApp } from '../support/app.js';
import { until } from '../support/until.js';

const passing: NestInterceptor = { intercept: (_, next) => next.handle() };

// What fails is answered in the same way whether the application has interceptors or none.
const variants = adapters.flatMap((adapter) =>
  [false, true].map((isIntercepted) => ({
    adapter,
    isIntercepted,
    name: `${adapter.name}${isIntercepted ? ', behind an interceptor' : ''}`,
  })),
);

const seen: string[] = [];

function filter(name: string): Type<ExceptionFilter> {
  @Catch()
  class Filter implements ExceptionFilter {
    catch(error: Error, host: { switchToHttp(): { getResponse(): unknown } }): void {
      seen.push(`${name}: ${error instanceof HttpException ? error.getStatus() : error.message}`);
      const response = host.switchToHttp().getResponse() as { raw?: object } & Record<
        string,
        (given: unknown) => unknown
      >;
      if (response.raw === undefined) response['status']?.(418);
      else response['code']?.(418);
      response['send']?.(name);
    }
  }
  return Filter;
}

@Controller('filtered')
@UseFilters(filter('class'))
class FilteredController {
  constructor(private readonly streams: EventStreamService) {}

  @UseFilters(filter('above'))
  @SseStream('above')
  above() {
    return this.streams.topic('forbidden');
  }

  @SseStream('below')
  @UseFilters(filter('below'))
  below() {
    return this.streams.topic('forbidden');
  }

  @SseStream('class')
  class() {
    return this.streams.topic('forbidden');
  }

  @SseStream('handler')
  async handler(): Promise<never> {
    await Promise.resolve();
    throw new Error('the handler');
  }

  @SseStream('pipe/:id')
  pipe(@Param('id', { transform: () => Promise.reject(new Error('the pipe')) }) id: string) {
    return of(id);
  }

  @SseStream('no-source')
  noSource(): unknown {
    return 42;
  }
}

@Controller('plain')
class UnfilteredController {
  constructor(private readonly streams: EventStreamService) {}

  @SseStream()
  plain() {
    return this.streams.topic('forbidden');
  }
}

describe.each(variants)('on $name', ({ adapter, isIntercepted }) => {
  test.each([
    ['/filtered/above', 'above: 403'],
    ['/filtered/below', 'below: 403'],
    ['/filtered/class', 'class: 403'],
    ['/plain', 'global: 403'],
    ['/filtered/handler', 'class: the handler'],
    ['/filtered/pipe/1', 'class: the pipe'],
    ['/filtered/no-source', 'class: An @SseStream() route must return'],
  ])('the nearest exception filter answers what fails at %s, once', async (path, expected) => {
    seen.length = 0;
    await using app = await startApp(adapter, {
      controllers: [FilteredController, UnfilteredController],
      options: { authorize: () => false },
      configure: (nest) => {
        nest.useGlobalFilters(new (filter('global'))());
        if (isIntercepted) nest.useGlobalInterceptors(passing);
      },
    });

    const answer = await app.open(path);
    const body = await answer.body();

    expect([answer.status, body]).toEqual([418, seen[0]?.split(':')[0]]);
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatch(expected);
    expect(app.streams.connections.count).toBe(0);
  });
});

describe.each(adapters)('on $name', (adapter) => {
  const told: string[] = [];
  const listening = (name: string): NestInterceptor => ({
    intercept: (context: ExecutionContext, next: CallHandler<unknown>) => {
      const response = context.switchToHttp().getResponse<{ raw?: { headersSent: boolean }; headersSent?: boolean }>();
      const isSent = () => (response.raw ?? response).headersSent;
      return next.handle().pipe(
        tap({
          next: (value) => told.push(`${name} ${typeof value} ${isSent() === true ? 'open' : 'not open'}`),
          error: (error: Error) => told.push(`${name} ${error.constructor.name}`),
        }),
        finalize(() => told.push(`${name} is done`)),
      );
    },
  });

  @Controller()
  class HeardController {
    constructor(private readonly streams: EventStreamService) {}

    @UseInterceptors(listening('above'))
    @SseStream('topic')
    @UseInterceptors(listening('below'))
    topic() {
      return this.streams.topic('topic');
    }

    @UseInterceptors(listening('above'))
    @SseStream('forbidden')
    @UseInterceptors(listening('below'))
    forbidden() {
      return this.streams.topic('forbidden');
    }

    @UseInterceptors({
      intercept: (_, next) => next.handle().pipe(catchError(() => throwError(() => new HttpException('later', 425)))),
    })
    @SseStream('replaced')
    replaced(): never {
      throw new Error('too early');
    }
  }

  const open = (path: string) => {
    told.length = 0;
    return startApp(adapter, {
      controllers: [HeardController],
      options: { authorize: (_, topic) => topic === 'topic' },
    }).then(async (app) => ({ app, answer: await app.open(path) }));
  };

  test('an interceptor below @SseStream() ends when the stream is open, one above it when the handler has returned', async () => {
    const { app, answer } = await open('/topic');
    await using _ = app;
    await answer.receive('id: ');

    await until(() => told.includes('below is done'), 'the interceptors to be done');

    expect(told).toEqual(['above undefined not open', 'above is done', 'below undefined open', 'below is done']);
  });

  test('what authorize refuses is an error to interceptors below @SseStream() only', async () => {
    const { app, answer } = await open('/forbidden');
    await using _ = app;

    expect(answer.status).toBe(403);
    expect(told).toEqual(['above undefined not open', 'above is done', 'below ForbiddenException', 'below is done']);
  });

  test('an interceptor may answer what the handler has thrown with another error', async () => {
    const { app, answer } = await open('/replaced');
    await using _ = app;

    expect(answer.status).toBe(425);
    expect(app.streams.connections.count).toBe(0);
  });
});
