import { Inject, Injectable } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { ApplicationConfig, MetadataScanner, ModulesContainer } from '@nestjs/core';
import type { SseStreamOptions } from './sse-options.js';
import { ENHANCERS_METADATA, STREAM_METADATA } from './tokens.js';

/** The names that Nest keeps the enhancers of a class or method under, the same in 11 and 12. */
const GUARDS = '__guards__';
const INTERCEPTORS = '__interceptors__';

/** Says of a function that it is itself what `@SseStream()` has made of a method. */
const DECORATED = Symbol('what @SseStream() has made');

type Decorated = Record<typeof DECORATED, unknown>;
type Token = Type<unknown>;

/** What `@SseStream()` puts around a method, each where the other is not wanted. */
export interface RouteEnhancers {
  /** Of this route alone, so that Nest can be left without an instance of just that. */
  readonly interceptor: Token;
  readonly guard: Token;
}

/** A module of the application, as far as is needed here. */
type NestModule = ModulesContainer extends Map<string, infer M> ? M : never;
type Controller = NestModule['controllers'] extends Map<unknown, infer W> ? W : never;

export function markDecorated(method: object): void {
  (method as Decorated)[DECORATED] = method;
}

/**
 * The routes whose streams the decorated methods open themselves. A chain of interceptors takes a fifth to a third of the CPU time of opening a stream, also
 * when the only one in it is the module's own. Nobody can see whether that is there where the application has none around a route, and nothing else
 * around its method: there Nest is left without it.
 */
@Injectable()
export class DirectRoutes {
  readonly #config: ApplicationConfig;
  readonly #modules: ModulesContainer;
  readonly #direct = new Set<Token>();

  constructor(
    @Inject(ApplicationConfig) config: ApplicationConfig,
    @Inject(ModulesContainer) modules: ModulesContainer,
  ) {
    this.#config = config;
    this.#modules = modules;
  }

  /** To be called when all that the application has is known, and Nest is about to make its routes. */
  find(): void {
    const found = new Map<Token, boolean>();
    for (const { controllers } of this.#modules.values()) {
      for (const controller of controllers.values()) {
        for (const handler of handlersOf(controller)) {
          const { guard, interceptor } = enhancersAround(handler) as RouteEnhancers;
          moveBack(guard, handler);
          // Classes that inherit a method share its interceptor.
          found.set(interceptor, found.get(interceptor) !== false && this.#needsNone(controller, handler));
        }
      }
    }
    for (const [token, needsNone] of found) if (needsNone) this.#leaveOut(token);
  }

  has(handler: object): boolean {
    const own = enhancersAround(handler);
    return own !== undefined && this.#direct.has(own.interceptor);
  }

  #needsNone(controller: Controller, handler: object): boolean {
    const isIntercepted =
      this.#config.getGlobalInterceptors().length > 0 ||
      this.#config.getGlobalRequestInterceptors().length > 0 ||
      enhancersOf(INTERCEPTORS, controller.metatype as object).length > 0 ||
      enhancersOf(INTERCEPTORS, handler).length !== 1;
    // What a function around the method gives in its place, the interceptor answers with.
    const isWrapped = (handler as Decorated)[DECORATED] !== handler;
    // For each request Nest looks for its controller's enhancers anew.
    const isStatic = controller.isDependencyTreeStatic();
    const { respond } = Reflect.getMetadata(STREAM_METADATA, handler) as SseStreamOptions;
    return !isIntercepted && !isWrapped && isStatic && respond !== 'negotiate';
  }

  #leaveOut(token: Token): void {
    this.#direct.add(token);
    for (const { injectables } of this.#modules.values()) injectables.delete(token);
  }
}

function enhancersOf(key: string, target: object): readonly unknown[] {
  return (Reflect.getMetadata(key, target) ?? []) as readonly unknown[];
}

function enhancersAround(handler: object): RouteEnhancers | undefined {
  return Reflect.getMetadata(ENHANCERS_METADATA, handler) as RouteEnhancers | undefined;
}

function handlersOf({ metatype, instance }: Controller): object[] {
  const prototype = (metatype as Type | null)?.prototype as object | undefined;
  if (prototype === undefined) return [];
  const methods = new MetadataScanner()
    .getAllMethodNames(prototype)
    .map((name) => (instance as Record<string, unknown> | null)?.[name]);
  return methods.filter(
    (method): method is object => typeof method === 'function' && Reflect.hasMetadata(ENHANCERS_METADATA, method),
  );
}

/** Behind all other guards of the method, wherever they stand. */
function moveBack(guard: Token, handler: object): void {
  const guards = enhancersOf(GUARDS, handler);
  if (guards.at(-1) === guard) return;
  Reflect.defineMetadata(GUARDS, [...guards.filter((each) => each !== guard), guard], handler);
}
