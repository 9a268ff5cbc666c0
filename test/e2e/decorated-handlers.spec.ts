import { describe, expect, test } from '@jest/globals';
import * as common from '@nestjs/common';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  Param,
  SetMetadata,
  type Type,
  UseGuards,
  UseInterceptors,
  applyDecorators,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { NEVER, map, of, timeout } from 'rxjs';
import { Connection, EventStreamService, type SseConnection, SseStream } from 'nestjs-event-stream';
import { type TestApp, adapters, startApp } from '../support/app.js';

const roles: unknown[] = [];
const handlers: unknown[] = [];

@Injectable()
class RolesGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    handlers.push(context.getHandler());
    roles.push(this.reflector.getAllAndMerge<string[]>('roles', [context.getHandler(), context.getClass()]));
    return true;
  }
}

const Stream = (path: string) =>
  applyDecorators(UseGuards(RolesGuard), SseStream(path), SetMetadata('roles', ['composed']));

@Controller()
@SetMetadata('roles', ['class'])
class RolesController {
  @SetMetadata('roles', ['above'])
  @UseGuards(RolesGuard)
  @SseStream('above')
  above() {
    return of(1);
  }

  @SseStream('below')
  @UseGuards(RolesGuard)
  @SetMetadata('roles', ['below'])
  below() {
    return of(1);
  }

  @Stream('composed')
  composed() {
    return of(1);
  }
}

class Base {
  constructor(readonly streams: EventStreamService) {}

  @SseStream(':id')
  stream(@Param('id') id: string, @Connection() _: SseConnection) {
    return of(`${this.constructor.name} ${id}`);
  }
}

const envelope: NestInterceptor = { intercept: (_, next) => next.handle().pipe(map((value: unknown) => ({ value }))) };

@Controller('inherits')
class InheritingController extends Base {}

@Controller('intercepted')
@UseInterceptors(envelope, { intercept: (_, next) => next.handle().pipe(timeout(50)) })
class InterceptedController extends Base {}

@Controller('overrides')
class OverridingController extends Base {
  @SseStream('own/:id')
  override stream(@Param('id') id: string, @Connection() connection: SseConnection) {
    return super.stream(`own ${id}`, connection);
  }
}

const inherited: Type[] = [InheritingController, InterceptedController, OverridingController];

/** Nest 11 has no `@SseSignal()`. */
const SseSignal = (common as { SseSignal?: () => ParameterDecorator }).SseSignal;
const testWithSignal = SseSignal === undefined ? test.skip : test;

const dataOf = async (app: TestApp, path: string) => (await (await app.open(path)).next())?.data;

describe.each(adapters)('on $name', (adapter) => {
  test('guards find the metadata of a route, wherever it stands, on the method of the controller', async () => {
    await using app = await startApp(adapter, { controllers: [RolesController], providers: [RolesGuard] });
    roles.length = handlers.length = 0;

    for (const path of ['/above', '/below', '/composed']) expect(await dataOf(app, path)).toBe('1');

    expect(roles).toEqual([
      ['above', 'class'],
      ['below', 'class'],
      ['composed', 'class'],
    ]);
    const { prototype } = RolesController;
    expect(handlers).toEqual([prototype.above, prototype.below, prototype.composed]);
  });

  test('a handler is inherited, and may be overridden with decorators of its own', async () => {
    await using app = await startApp(adapter, { controllers: inherited });

    expect(await dataOf(app, '/inherits/1')).toBe('InheritingController 1');
    expect(await dataOf(app, '/intercepted/2')).toBe('InterceptedController 2');
    expect(await dataOf(app, '/overrides/own/3')).toBe('OverridingController own 3');
  });

  test('two applications with one controller, of which one has interceptors, never meet', async () => {
    const started: string[] = [];
    @Controller()
    class SharedController {
      @SseStream('cut')
      cut(@Connection() { signal }: SseConnection) {
        signal.addEventListener('abort', () => started.push('aborted'));
        return new Promise<typeof NEVER>(() => undefined);
      }

      @SseStream('stream')
      stream() {
        return of('here');
      }
    }
    const impatient: NestInterceptor = { intercept: (_, next) => next.handle().pipe(timeout(50)) };
    const intercepted = () =>
      startApp(adapter, {
        controllers: [SharedController],
        configure: (nest) => nest.useGlobalInterceptors(envelope, impatient),
      });
    await using before = await intercepted();
    await using plain = await startApp(adapter, { controllers: [SharedController] });
    await using after = await intercepted();

    for (const app of [before, plain, after]) expect(await dataOf(app, '/stream')).toBe('here');
    const answers = await Promise.all([before, after].map((app) => app.open('/cut')));

    expect(answers.map(({ status }) => status)).toEqual([500, 500]);
    expect(started).toEqual(['aborted', 'aborted']);
    expect([before, after].map((app) => app.streams.connections.count)).toEqual([0, 0]);
  });

  testWithSignal('@SseSignal() is aborted when the stream is over', async () => {
    let signal: AbortSignal | undefined;
    @Controller()
    class SignalController {
      @SseStream('stream')
      stream(@(SseSignal!()) given: AbortSignal) {
        signal = given;
        return of('one');
      }
    }
    await using app = await startApp(adapter, { controllers: [SignalController] });

    const stream = await app.open('/stream');
    expect(signal).toBeInstanceOf(AbortSignal);
    await stream.rest();

    expect(signal?.aborted).toBe(true);
  });

  test('@UseInterceptors(), @UseGuards() and @SseStream() compose in any order', async () => {
    const order: string[] = [];
    const heard = (name: string): NestInterceptor => ({
      intercept: (_, next) => {
        order.push(name);
        return next.handle();
      },
    });
    const First = applyDecorators(UseInterceptors(heard('first')), SseStream('first'));
    const Last = applyDecorators(SseStream('last'), UseInterceptors(heard('last')));
    @Controller()
    class ComposedController {
      @First
      first() {
        return of('first');
      }

      @Last
      last() {
        return of('last');
      }
    }
    await using app = await startApp(adapter, { controllers: [ComposedController] });

    expect([await dataOf(app, '/first'), await dataOf(app, '/last')]).toEqual(['first', 'last']);
    expect(order).toEqual(['first', 'last']);
  });
});
