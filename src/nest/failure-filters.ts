import { Inject, Injectable } from '@nestjs/common';
import type { ExceptionFilter, ExecutionContext, Type } from '@nestjs/common';
import { ContextIdFactory, ExternalContextCreator, ModulesContainer } from '@nestjs/core';

/** The name that Nest keeps the filters of a class or method under, the same in 11 and 12. */
const FILTERS = '__exceptionFilters__';

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
  async tell(error: unknown, context: ExecutionContext): Promise<void> {
    const fail = (): never => {
      throw error;
    };
    Reflect.defineMetadata(FILTERS, await this.#filtersOf(context), fail);
    const only = { guards: false, interceptors: false, filters: true };
    const handler = this.#contexts.create(this, fail, 'tell', undefined, undefined, undefined, undefined, only, 'http');
    try {
      await handler(...context.getArgs<unknown[]>());
    } catch {
      // No filter wanted it (Nest has then logged it), or one tried to write to the response that has ended.
    }
  }

  /** Instances in place of classes: outside of the router Nest does not find those of a controller's module. */
  async #filtersOf(context: ExecutionContext): Promise<readonly ExceptionFilter[]> {
    const given = [context.getClass(), context.getHandler()].flatMap(
      (target) => (Reflect.getMetadata(FILTERS, target) ?? []) as (ExceptionFilter | Type<ExceptionFilter>)[],
    );
    const filters = given.map((filter) => (typeof filter === 'function' ? this.#instanceOf(filter, context) : filter));
    return filters.filter((filter) => filter !== undefined);
  }

  #instanceOf(filter: Type<ExceptionFilter>, context: ExecutionContext): ExceptionFilter | undefined {
    for (const module of this.#modules.values()) {
      if (!module.controllers.has(context.getClass())) continue;
      const contextId = ContextIdFactory.getByRequest(context.switchToHttp().getRequest<Record<string, unknown>>());
      const wrapper = module.injectables.get(filter);
      const host = wrapper?.isDependencyTreeStatic() === false ? wrapper.getInstanceByContextId(contextId) : undefined;
      return (host?.instance ?? wrapper?.instance) as ExceptionFilter | undefined;
    }
    return undefined;
  }
}
