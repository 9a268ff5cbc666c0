import { afterEach, describe, expect, jest, test } from '@jest/globals';
import {
  Controller,
  Get,
  Inject,
  type NestInterceptor,
  Scope,
  type Type,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { APP_INTERCEPTOR, NestFactory, REQUEST } from '@nestjs/core';
import { of } from 'rxjs';
import { ArrivalGuard } from './arrival.guard.js';
import { DirectRoutes } from './direct-routes.js';
import type { SseStreamOptions } from './sse-options.js';
import { SseStream } from './sse-stream.decorator.js';
import { SseStreamInterceptor } from './sse-stream.interceptor.js';
import { SseModule } from './sse.module.js';

const passing: NestInterceptor = { intercept: (_, next) => next.handle() };

function routeOf(options: SseStreamOptions = {}, ...above: MethodDecorator[]): Type<{ stream(): unknown }> {
  @Controller()
  class RouteController {
    stream() {
      return of('here');
    }
  }
  const { prototype } = RouteController;
  const descriptor = Object.getOwnPropertyDescriptor(prototype, 'stream') as PropertyDescriptor;
  for (const decorate of [SseStream('stream', options), ...above] as MethodDecorator[])
    decorate(prototype, 'stream', descriptor);
  Object.defineProperty(prototype, 'stream', descriptor);
  return RouteController;
}

const wrap: MethodDecorator = (_target, _key, descriptor) => {
  const original = descriptor.value as unknown as (this: unknown, ...given: unknown[]) => unknown;
  const wrapper = function (this: unknown, ...given: unknown[]): unknown {
    return original.apply(this, given);
  };
  for (const key of Reflect.getMetadataKeys(original) as unknown[])
    Reflect.defineMetadata(key, Reflect.getMetadata(key, original), wrapper);
  (descriptor as PropertyDescriptor).value = wrapper;
};

class Scoped {
  constructor(@Inject(REQUEST) readonly request: object) {}
}

function inheriting(base: Type<{ stream(): unknown }>, ...decorators: ClassDecorator[]): Type<{ stream(): unknown }> {
  class InheritingController extends base {}
  for (const decorate of [Controller('inherited'), ...decorators]) decorate(InheritingController);
  return InheritingController;
}

/** Answers whether it is direct for one request to `/stream`, and whether an interceptor of the module's was around that. */
async function ask(controllers: Type<{ stream(): unknown }>[], providers: object[] = []): Promise<[boolean, boolean]> {
  const around = jest.spyOn(SseStreamInterceptor.prototype, 'intercept').mockClear();
  const root = {
    module: class {},
    imports: [SseModule.forRoot()],
    controllers,
    providers: [Scoped, ...providers] as Type[],
  };
  const app = await NestFactory.create(root, { logger: false, abortOnError: false });
  try {
    await app.listen(0, '127.0.0.1');
    const answer = await fetch(`${await app.getUrl()}/stream`, { headers: { accept: 'text/event-stream' } });
    expect(await answer.text()).toContain('data: here');
    const { stream } = (controllers[0] as Type<{ stream(): unknown }>).prototype as { stream: object };
    return [app.get(DirectRoutes).has(stream), around.mock.calls.length > 0];
  } finally {
    await app.close();
  }
}

afterEach(() => void jest.restoreAllMocks());

const plain = [true, false];
const chained = [false, true];

describe('whether Nest is left without the interceptor of a route', () => {
  test('it is where the application has none around it', async () => {
    expect(await ask([routeOf()])).toEqual(plain);
    expect(await ask([routeOf({}, UseGuards({ canActivate: () => true }))])).toEqual(plain);
  });

  test('it is not where the application has one around it', async () => {
    expect(await ask([routeOf({}, UseInterceptors(passing))])).toEqual(chained);
    const ofClass = routeOf();
    UseInterceptors(passing)(ofClass);
    expect(await ask([ofClass])).toEqual(chained);
    expect(await ask([routeOf()], [{ provide: APP_INTERCEPTOR, useValue: passing }])).toEqual(chained);
    class ScopedInterceptor extends Scoped implements NestInterceptor {
      intercept = passing.intercept.bind(passing);
    }
    const scoped = { provide: APP_INTERCEPTOR, useClass: ScopedInterceptor, scope: Scope.REQUEST };
    expect(await ask([routeOf()], [scoped])).toEqual(chained);
  });

  test('it is not where a function is around the method', async () => {
    expect(await ask([routeOf({}, wrap)])).toEqual(chained);
  });

  test('it is not where a client may have a document, or its controller is made for each request', async () => {
    expect(await ask([routeOf({ respond: 'negotiate' })])).toEqual(chained);
    const scoped = routeOf();
    Controller({ scope: Scope.REQUEST })(scoped);
    expect(await ask([scoped])).toEqual(chained);
  });

  test('it is not where a class inherits the method that has one around it, and is where none has', async () => {
    const [one, other] = [routeOf(), routeOf()];
    expect(await ask([one, inheriting(one)])).toEqual(plain);
    expect(await ask([other, inheriting(other, UseInterceptors(passing))])).toEqual(chained);
  });

  test('it is for each application by itself', async () => {
    const shared = routeOf();
    const intercepted = [{ provide: APP_INTERCEPTOR, useValue: passing }];

    expect(await ask([shared], intercepted)).toEqual(chained);
    expect(await ask([shared])).toEqual(plain);
    expect(await ask([shared], intercepted)).toEqual(chained);
  });
});

test('the guard that counts requests in is behind all others of its method, once', async () => {
  const other = { canActivate: () => true };
  const route = routeOf({}, UseGuards(other), Get('stream'));

  await ask([route]);
  await ask([route]);

  const { stream } = route.prototype as { stream: object };
  expect(Reflect.getMetadata('__guards__', stream)).toEqual([other, ArrivalGuard]);
});
