import { Inject, Injectable } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Reception } from './reception.js';

/**
 * Counts the requests of those routes in that have no interceptor: behind all other guards, which say whose a request is, and before pipes and
 * parameter decorators, which may take their time. It refuses nobody.
 */
@Injectable()
export class ArrivalGuard implements CanActivate {
  readonly #reception: Reception;

  constructor(@Inject(Reception) reception: Reception) {
    this.#reception = reception;
  }

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const route = this.#reception.routeOf(context);
    if (route.isDirect) this.#reception.receiveDirectly(this.#reception.exchangeOf(context), route);
    return true;
  }
}
