import { Inject, Injectable } from '@nestjs/common';
import type { ExceptionFilter, Type } from '@nestjs/common';
import { ContextIdFactory, ExternalContextCreator, ModulesContainer } from '@nestjs/core';
import type { StreamRequest } from '../http/stream-request.js';

/** The name that Nest keeps the filters of a class or method under, the same in 11 and 12. */
const FILTERS = '__exceptionFilters__';

/** A request and what it is answered with, as the framework has them. */
interface Answered {
  readonly request: StreamRequest;
  readonly response: object;
}

/**
 * Shows an error that ended an open stream to the exception filters of its route, in Nest's order. They can log and
 * report it; the response is over.
 */
@Injectable()
export class FailureFilters {
  readonly #contexts: ExternalContextCreator;
  readonly #modules: ModulesContainer;

  constructor(
    @Inject(ExternalContextCreator) contexts: ExternalContextCreator,
    @Inject(ModulesContainer) modules: ModulesContainer,
  ) {
    this.#contexts = contexts;
    this.#modules = modules;
  }

  /** Rejects with what has failed on the way to them, or in one of them. */
  async tell(error: unknown, controller: Type, handler: object, { request, response }: Answered): Promise<void> {
    const fail = (): never => {
      throw error;
    };
    Reflect.defineMetadata(FILTERS, await this.#filtersOf(controller, handler, request), fail);
    const only = { guards: false, interceptors: false, filters: true };
    const route = this.#contexts.create(this, fail, 'tell', undefined, undefined, undefined, undefined, only, 'http');
    try {
      await route(request, response, ignore);
    } catch (thrown) {
      // No filter wanted it (Nest has then logged it), or one tried to answer.
      if (thrown !== error && !isOfAnswered(thrown)) throw thrown;
    }
  }

  /** Instances in place of classes: outside of the router Nest does not find those of a controller's module. */
  async #filtersOf(controller: Type, handler: object, request: StreamRequest): Promise<readonly ExceptionFilter[]> {
    const given = [controller, handler].flatMap(
      (target) => (Reflect.getMetadata(FILTERS, target) ?? []) as (ExceptionFilter | Type<ExceptionFilter>)[],
    );
    const filters = given.map((filter) =>
      typeof filter === 'function' ? this.#instanceOf(filter, controller, request) : filter,
    );
    return filters.filter((filter) => filter !== undefined);
  }

  #instanceOf(filter: Type<ExceptionFilter>, controller: Type, request: StreamRequest): ExceptionFilter | undefined {
    for (const module of this.#modules.values()) {
      if (!module.controllers.has(controller)) continue;
      const wrapper = module.injectables.get(filter);
      // Only of a request that Nest has made instances for, it has asked the application's context strategy, which may throw.
      if (wrapper === undefined || wrapper.isDependencyTreeStatic())
        return wrapper?.instance as ExceptionFilter | undefined;
      const contextId = ContextIdFactory.getByRequest(request);
      const isTreeDurable = wrapper.isDependencyTreeDurable();
      const host = wrapper.getInstanceByContextId(
        contextId.getParent?.({ token: wrapper.token, isTreeDurable }) ?? contextId,
      );
      return host.instance as ExceptionFilter | undefined;
    }
    return undefined;
  }
}

/** What Node and Fastify say to who answers a request once more. */
const ANSWERED = new Set([
  'ERR_HTTP_HEADERS_SENT',
  'ERR_HTTP2_HEADERS_SENT',
  'ERR_HTTP2_INVALID_STREAM',
  'ERR_STREAM_WRITE_AFTER_END',
  'FST_ERR_REP_ALREADY_SENT',
]);

function isOfAnswered(thrown: unknown): boolean {
  return ANSWERED.has(String((thrown as { code?: unknown } | undefined | null)?.code));
}

function ignore(): void {
  // There is no next handler: this one has answered.
}
