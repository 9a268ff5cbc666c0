import { Controller, RequestMethod, type Type } from '@nestjs/common';
import {
  Connection,
  EventStreamService,
  type SseConnection,
  SseStream,
  type SseStreamOptions,
} from 'nestjs-event-stream';
import type { SseModuleOptions } from 'nestjs-event-stream';
import { type Adapter, type TestApp, startApp } from '../../support/app.js';
import { until } from '../../support/until.js';
import { type Bytewise, beats } from './bytewise.js';

/** What a handler is given. */
export interface Asked {
  readonly streams: EventStreamService;
  readonly connection: SseConnection;
}

/** A controller of one route, which answers by GET or by POST. */
export function routeOf(path: string, options: SseStreamOptions, handler: (asked: Asked) => unknown): Type {
  @Controller()
  class RouteController {
    constructor(private readonly streams: EventStreamService) {}

    @SseStream(path, options)
    answer(@Connection() connection: SseConnection) {
      return handler({ streams: this.streams, connection });
    }
  }
  return RouteController;
}

export const POST = { method: RequestMethod.POST } as const;

/** An application whose streams have all that may be between events: signs of life, and when to come back. */
export async function serve(
  adapter: Adapter,
  controllers: readonly Type[],
  options: SseModuleOptions = {},
): Promise<TestApp> {
  return startApp(adapter, { controllers, options: { heartbeatMs: 10, retryMs: 10, ...options } });
}

/** Some values, with a sign of life in their midst. */
export async function* slowly(wire: Bytewise, values: readonly unknown[]): AsyncGenerator<unknown> {
  for (const [at, value] of values.entries()) {
    if (at === Math.ceil(values.length / 2)) await until(beats(wire), 'a sign of life');
    yield value;
  }
}

/** The same, and then a failure whose text nobody may read. */
export async function* failing(wire: Bytewise, values: readonly unknown[]): AsyncGenerator<unknown> {
  yield* slowly(wire, values);
  throw new Error(SECRET);
}

export const SECRET = 'connect ECONNREFUSED 10.0.0.7:5432';
