import { describe, expect, test } from '@jest/globals';
import {
  type CallHandler,
  type CanActivate,
  ClassSerializerInterceptor,
  type ClassSerializerInterceptorOptions,
  Controller,
  type ExecutionContext,
  ForbiddenException,
  Get,
  Injectable,
  type NestInterceptor,
  Scope,
  Sse,
  UseInterceptors,
} from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, Reflector } from '@nestjs/core';
import { catchError, map, of, throwError, timeout } from 'rxjs';
import { EventStreamService, SseStream } from 'nestjs-event-stream';
import { adapters, startApp } from '../support/app.js';
import { TopicController, streamOf } from '../support/controllers.js';

describe.each(adapters)('on $name', (adapter) => {
  const calls: string[] = [];
  const note = (name: string): NestInterceptor => ({
    intercept: (_: ExecutionContext, next: CallHandler<unknown>) => {
      calls.push(`${name} before`);
      return next.handle().pipe(
        map((value) => {
          calls.push(`${name} after ${typeof value}`);
          return { wrapped: value };
        }),
      );
    },
  });

  @Controller()
  @UseInterceptors(note('class'))
  class LayeredController {
    @UseInterceptors(note('above'))
    @SseStream('stream')
    @UseInterceptors(note('below'))
    stream() {
      calls.push('handler');
      return of('a', 'b');
    }
  }

  test('interceptors run once around the opening at every position, and cannot touch an event', async () => {
    calls.length = 0;
    await using app = await startApp(adapter, {
      controllers: [LayeredController],
      configure: (nest) => nest.useGlobalInterceptors(note('global')),
    });

    const events = await (await app.open('/stream')).rest();

    expect(calls.filter((call) => !call.includes('after'))).toEqual([
      'global before',
      'class before',
      'below before',
      'above before',
      'handler',
    ]);
    expect(calls.filter((call) => call.includes('after'))).toHaveLength(4);
    expect(events.slice(0, 2)).toEqual([{ data: 'a' }, { data: 'b' }]);
  });

  test('an interceptor above @SseStream() that never calls the handler answers in its place', async () => {
    let wasCalled = false;
    @Controller()
    class AnsweredController {
      @UseInterceptors({ intercept: () => of({ cached: true }) })
      @SseStream('stream')
      stream() {
        wasCalled = true;
        return of(1);
      }
    }
    await using app = await startApp(adapter, { controllers: [AnsweredController] });

    const answer = await app.open('/stream');

    expect(JSON.parse(await answer.body())).toEqual({ cached: true });
    expect(wasCalled).toBe(false);
  });

  test('a timeout that fires while the handler is pending answers, and the late source is let go', async () => {
    let settle: (value: unknown) => void = () => undefined;
    let signal: AbortSignal | undefined;
    const impatient: NestInterceptor = {
      intercept: (_, next) =>
        next.handle().pipe(
          timeout(50),
          catchError(() => throwError(() => new ForbiddenException('too late'))),
        ),
    };
    await using app = await startApp(adapter, {
      controllers: [
        streamOf(({ connection }) => {
          ({ signal } = connection);
          return new Promise((resolve) => (settle = resolve));
        }),
      ],
      configure: (nest) => nest.useGlobalInterceptors(impatient),
    });

    const answer = await app.open('/stream');
    settle(of('late'));

    expect(answer.status).toBe(403);
    expect(await answer.body()).not.toContain('"late"');
    expect(signal?.aborted).toBe(true);
    expect(app.streams.connections.count).toBe(0);
  });

  test('guards and interceptors given as APP_GUARD and APP_INTERCEPTOR run with their dependencies', async () => {
    @Injectable()
    class ServiceGuard implements CanActivate {
      constructor(private readonly streams: EventStreamService) {}

      canActivate(): boolean {
        return this.streams.connections.count === 0;
      }
    }
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      providers: [
        { provide: APP_GUARD, useClass: ServiceGuard },
        { provide: APP_INTERCEPTOR, useValue: { intercept: (_: unknown, next: CallHandler) => next.handle() } },
      ],
    });

    const first = await app.open('/topic');
    const second = await app.open('/topic');

    expect([first.status, second.status]).toEqual([200, 403]);
  });

  test('ClassSerializerInterceptor hides fields of what @Sse() sends, and none of a stream: SECURITY.md says what to do', async () => {
    class User {
      readonly name = 'ann';
      readonly password = 'hunter2';
    }
    @Controller()
    class UserController {
      @Sse('built-in')
      builtIn() {
        return of({ data: new User() });
      }

      @SseStream('stream')
      stream() {
        return of({ data: new User() });
      }

      @SseStream('plain')
      plain() {
        return of(new User()).pipe(map((user) => withoutPasswords(user)));
      }
    }
    // As class-transformer does for a field with `@Exclude()`.
    const transformerPackage = {
      classToPlain: withoutPasswords,
      plainToInstance: (_: unknown, plain: unknown) => plain,
    };
    await using app = await startApp(adapter, {
      controllers: [UserController],
      configure: (nest) => {
        const options = { transformerPackage } as ClassSerializerInterceptorOptions;
        nest.useGlobalInterceptors(new ClassSerializerInterceptor(nest.get(Reflector), options));
      },
    });
    const dataOf = async (path: string): Promise<string | undefined> => (await (await app.open(path)).next())?.data;

    expect(await dataOf('/built-in')).toBe('{"name":"ann"}');
    expect(await dataOf('/stream')).toBe('{"name":"ann","password":"hunter2"}');
    expect(await dataOf('/plain')).toBe('{"name":"ann"}');
  });

  test('a request-scoped controller is made once for each stream', async () => {
    let made = 0;
    @Controller({ scope: Scope.REQUEST })
    class ScopedController {
      readonly number = ++made;
      constructor(private readonly streams: EventStreamService) {}

      @SseStream('scoped')
      scoped() {
        return of(this.number, typeof this.streams.publish);
      }

      @Get('plain')
      plain() {
        return { number: this.number };
      }
    }
    await using app = await startApp(adapter, { controllers: [ScopedController] });

    const first = await (await app.open('/scoped')).take(2);
    const second = await (await app.open('/scoped')).take(2);

    expect([...first, ...second].map(({ data }) => data)).toEqual(['1', 'function', '2', 'function']);
    expect(made).toBe(2);
  });
});

function withoutPasswords(value: unknown): Record<string, unknown> {
  return JSON.parse(JSON.stringify(value, (key, each: unknown) => (key === 'password' ? undefined : each))) as Record<
    string,
    unknown
  >;
}
