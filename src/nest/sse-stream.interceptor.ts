import { Inject, Injectable } from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor, Type } from '@nestjs/common';
import { Observable } from 'rxjs';
import type { Answer } from '../node/answer.js';
import { arrivalOf } from '../node/arrival.js';
import type { Arrival } from '../node/arrival.js';
import { Reception } from './reception.js';
import { sendDocument } from './send-document.js';

/**
 * Opens the stream of a route that has interceptors of the application's. Completes as soon as it is open, so that the
 * interceptors around it (timeouts, logging, envelopes) end as they do on any route.
 */
@Injectable()
export class SseStreamInterceptor implements NestInterceptor {
  readonly #reception: Reception;

  constructor(@Inject(Reception) reception: Reception) {
    this.#reception = reception;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const reception = this.#reception;
    const exchange = reception.exchangeOf(context);
    if (arrivalOf(exchange.response) !== undefined) return next.handle();
    const route = reception.routeOf(context);
    // By hand, because each operator of RxJS makes a handful of objects for every request.
    return new Observable((subscriber) => {
      const fail = (error: unknown): void => subscriber.error(reception.toException(error, exchange, route));
      let arrival: Arrival;
      try {
        arrival = reception.receive(exchange, route);
      } catch (error) {
        return fail(error);
      }
      let value: unknown;
      const answered = (answer: Answer): void => {
        const { httpAdapter } = reception;
        if (answer === 'unasked') httpAdapter.reply(exchange.response, value);
        else if (answer !== 'sent') sendDocument(answer, httpAdapter, exchange, route.documentHeaders);
        subscriber.next(undefined);
        subscriber.complete();
      };
      const answer = (): void => void arrival.answer().then(answered).catch(fail);
      subscriber.add(
        next.handle().subscribe({ next: (given: unknown) => (value = given), error: fail, complete: answer }),
      );
      subscriber.add(() => arrival.leave());
    });
  }
}

/** A class for one route. */
export function createRouteInterceptor(): Type<SseStreamInterceptor> {
  class RouteInterceptor extends SseStreamInterceptor {}
  return RouteInterceptor;
}
