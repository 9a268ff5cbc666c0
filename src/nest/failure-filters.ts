import { Inject, Injectable } from '@nestjs/common';
import type { ExceptionFilter, Type } from '@nestjs/common';
import { ContextIdFactory, ExternalContextCreator, ModulesContainer } from '@nestjs/core';
import type { StreamRequest } from '../connection/sse-connection.js';

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

  /** Never throws. */
  async tell(error: unknown, controller: Type, handler: object, { request, response }: Answered): Promise<void> {
    const fail = (): never => {
      throw error;
    };
    Reflect.defineMetadata(FILTERS, await this.#filtersOf(controller, handler, request), fail);
    const only = { guards: false, interceptors: false, filters: true };
    const route = this.#contexts.create(this, fail, 'tell', undefined, undefined, undefined, undefined, only, 'http');
    try {
      await route(request, response, ignore);
    } catch {
      // No filter wanted it (Nest has then logged it), or one tried to write to the response that has ended.
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
      const contextId = ContextIdFactory.getByRequest(request);
      const wrapper = module.injectables.get(filter);
      const host = wrapper?.isDependencyTreeStatic() === false ? wrapper.getInstanceByContextId(contextId) : undefined;
      return (host?.instance ?? wrapper?.instance) as ExceptionFilter | undefined;
    }
    return undefined;
  }
}

function ignore(): void {
  // There is no next handler: this one has answered.
}
