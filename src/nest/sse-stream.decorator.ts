import { RequestMapping, RequestMethod, Res, SetMetadata, UseGuards, UseInterceptors } from '@nestjs/common';
import type { StreamSource } from '../connection/source.js';
import { SETTING_RULES } from '../connection/stream-settings.js';
import { SseError, describe } from '../errors.js';
import { arrivalOf } from '../node/arrival.js';
import { resumeAtProblem } from '../node/resume-at.js';
import { MAX_TIMER_MS, checkOptions, number, oneOf, problemIn, refuse } from '../rules.js';
import type { Rules } from '../rules.js';
import { beginProblem } from '../topic/begin.js';
import { wireProblem } from '../wire/profile.js';
import type { WireProfile } from '../wire/profile.js';
import { ArrivalGuard } from './arrival.guard.js';
import { markDecorated } from './direct-routes.js';
import type { RouteEnhancers } from './direct-routes.js';
import type { CommitOptions, SseStreamOptions } from './sse-options.js';
import { createRouteInterceptor } from './sse-stream.interceptor.js';
import { ENHANCERS_METADATA, STREAM_METADATA } from './tokens.js';

const RULES: Rules<SseStreamOptions> = {
  ...SETTING_RULES,
  commit: commitProblem,
  from: beginProblem,
  headers: { expected: 'an object', allows: (value) => typeof value === 'object' && value !== null },
  method: { expected: 'a RequestMethod', allows: (value) => typeof value === 'number' && value in RequestMethod },
  none: { expected: '204 or 404', allows: (value) => value === 204 || value === 404 },
  respond: oneOf('stream', 'negotiate'),
  resumeAt: resumeAtProblem,
  wire: wireProblem,
};

function commitProblem(value: unknown, name: string): string | undefined {
  const waitMs = number(1, MAX_TIMER_MS);
  const problem = problemIn<CommitOptions>(value, { waitMs }, `${name}.`);
  if (problem !== undefined || (value as CommitOptions).waitMs !== undefined) return problem;
  return `${name}.waitMs must be ${waitMs.expected}; got undefined`;
}

// Names that Nest keeps its metadata under, the same in 11 and 12. It exports them by different paths.
const ROUTE_ARGUMENTS = '__routeArguments__';
const PASSTHROUGH = '__responsePassthrough__';

/**
 * Makes a route stream what it returns, or promises, as Server-Sent Events: a topic, a selection of topics, an
 * Observable, an async iterable, an iterable or a `ReadableStream`. On a controller class it sets the defaults of its
 * routes. Guards, pipes, interceptors and filters work as on any route; what fails before the stream is open is answered
 * with its own status.
 *
 * @throws SseError `invalid-options`
 *
 * @example
 * ```ts
 * @SseStream(':symbol')
 * watch(@Param('symbol') symbol: string) {
 *   return this.streams.topic(`stocks/${symbol}`);
 * }
 * ```
 */
export function SseStream(options: OptionsWithNone): ClassDecorator & StreamDecorator<Nothing>;
export function SseStream(path: string | string[], options: OptionsWithNone): StreamDecorator<Nothing>;
export function SseStream(options?: SseStreamOptions): ClassDecorator & StreamDecorator;
export function SseStream(path: string | string[], options?: SseStreamOptions): StreamDecorator;
export function SseStream(
  first: string | string[] | SseStreamOptions = {},
  second: SseStreamOptions = {},
): ClassDecorator & StreamDecorator {
  const hasPath = typeof first === 'string' || Array.isArray(first);
  const options = hasPath ? second : first;
  checkOptions('@SseStream()', options, RULES);
  if (options.nameTopics === true && options.wire !== undefined)
    refuse(
      '@SseStream()',
      'nameTopics and wire exclude each other: only clients of this module look for the names of topics',
    );
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor): void => {
    if (key === undefined) {
      if (options.method !== undefined) {
        throw new SseError('invalid-options', '@SseStream() on a class takes no method: it is for each route to say');
      }
      SetMetadata(STREAM_METADATA, options)(target as new () => unknown);
      return;
    }
    if (typeof descriptor?.value !== 'function') {
      throw new SseError(
        'invalid-options',
        `@SseStream() must decorate a method or a class, got ${describe(descriptor?.value)}`,
      );
    }
    descriptor.value = keepResult(
      descriptor.value as Handler,
      addResponseArgument(target, key, descriptor.value as Handler),
    );
    SetMetadata(STREAM_METADATA, options)(target, key, descriptor);
    const enhancers: RouteEnhancers = { guard: ArrivalGuard, interceptor: createRouteInterceptor() };
    SetMetadata(ENHANCERS_METADATA, enhancers)(target, key, descriptor);
    UseGuards(enhancers.guard)(target, key, descriptor);
    UseInterceptors(enhancers.interceptor)(target, key, descriptor);
    RequestMapping({ path: hasPath ? first : '/', method: options.method ?? RequestMethod.GET })(
      target,
      key,
      descriptor,
    );
  };
}

/**
 * Decorates a method that returns what can be streamed, or something that the compiler knows nothing of. The descriptor is optional because
 * `applyDecorators()` of Nest takes nothing else; a property is refused when it is decorated.
 */
export type StreamDecorator<Also = never> = <R>(
  target: object,
  key: string | symbol,
  descriptor?: TypedPropertyDescriptor<(...args: never[]) => R & Streamable<R, Also>>,
) => void;

/** What a handler may give besides a source, where the options say how that is answered. */
type Nothing = undefined | null;

/** The compiler looks at the options of a method; it does not know those of its class. */
type OptionsWithNone = SseStreamOptions & (SaysNone | { readonly wire: WireProfile & SaysNone });

interface SaysNone {
  readonly none: 204 | 404;
}

/** `unknown` when it can be streamed, and otherwise what the compiler is to say. */
type Streamable<R, Also> =
  unknown extends Awaited<R>
    ? unknown
    : [Exclude<Awaited<R>, Also>] extends [StreamSource]
      ? unknown
      : {
          readonly 'an @SseStream() route returns a topic, an Observable, an iterable, or what else is a source': Awaited<R>;
        };

type Handler = (this: unknown, ...args: unknown[]) => unknown;

/**
 * Adds an injected response behind the handler's own arguments. It tells Nest that the response is handled here, so that
 * nothing is sent for the handler's return value.
 */
function addResponseArgument(target: object, key: string | symbol, handler: Handler): number {
  const known = (Reflect.getMetadata(ROUTE_ARGUMENTS, target.constructor, key) ?? {}) as Record<
    string,
    { index: number }
  >;
  const index = Math.max(handler.length, ...Object.values(known).map((argument) => argument.index + 1));
  Res()(target, key, index);
  // A `@Res({ passthrough: true })` of the handler would have Nest send its return value after all.
  Reflect.deleteMetadata(PASSTHROUGH, target.constructor, key);
  return index;
}

/**
 * Keeps what the handler returns for the stream instead of returning it: no interceptor can then map, serialise or time
 * it, and what fails in the handler fails before anything has been sent.
 */
function keepResult(handler: Handler, responseIndex: number): Handler {
  const kept = function (this: unknown, ...args: unknown[]): unknown {
    const call = (): unknown => handler.apply(this, args);
    const arrival = arrivalOf(args[responseIndex]);
    // Without one it is called directly, as in a unit test of the controller.
    return arrival === undefined ? call() : arrival.ask(call);
  };
  for (const metadataKey of Reflect.getMetadataKeys(handler) as unknown[]) {
    Reflect.defineMetadata(metadataKey, Reflect.getMetadata(metadataKey, handler), kept);
  }
  // Other tools find parameters by these.
  Object.defineProperty(kept, 'name', { value: handler.name, configurable: true });
  Object.defineProperty(kept, 'length', { value: handler.length, configurable: true });
  markDecorated(kept);
  return kept;
}
