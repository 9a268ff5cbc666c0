import * as common from '@nestjs/common';
import {
  BadRequestException,
  ForbiddenException,
  HttpException,
  Inject,
  Injectable,
  UnauthorizedException,
} from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Observable } from 'rxjs';
import { TicketUsed } from '../access/identity.js';
import { SseError } from '../errors.js';
import { exchangeOf } from '../http/exchange-of.js';
import { Arrival } from '../node/arrival.js';
import { Node } from '../node/node.js';
import { StreamRefused } from '../node/stream-refused.js';
import { StreamRoutes } from './stream-route.js';

/** Where `@SseSignal()` of Nest 12 looks for something with a `signal`; Nest 11 has no such decorator. */
const SIGNAL_CARRIER = 'SSE_ABORT_CONTROLLER' in common ? common.SSE_ABORT_CONTROLLER : undefined;

/**
 * Opens the stream of a route. Completes as soon as it is open, so that the interceptors around it (timeouts, logging,
 * envelopes) end as they do on any route.
 */
@Injectable()
export class SseStreamInterceptor implements NestInterceptor {
  readonly #node: Node;
  readonly #routes: StreamRoutes;
  readonly #adapterHost: HttpAdapterHost;

  constructor(
    @Inject(Node) node: Node,
    @Inject(StreamRoutes) routes: StreamRoutes,
    @Inject(HttpAdapterHost) adapterHost: HttpAdapterHost,
  ) {
    this.#node = node;
    this.#routes = routes;
    this.#adapterHost = adapterHost;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<undefined> {
    const http = context.switchToHttp();
    const exchange = exchangeOf(http.getRequest<object>(), http.getResponse<object>());
    const route = this.#routes.of(context.getClass(), context.getHandler());
    // By hand, because each operator of RxJS makes a handful of objects for every request.
    return new Observable((subscriber) => {
      const fail = (error: unknown): void => subscriber.error(this.#toHttpException(error, exchange.response));
      let arrival: Arrival;
      try {
        arrival = new Arrival(this.#node, exchange, route);
        if (SIGNAL_CARRIER !== undefined)
          Object.defineProperty(exchange.request, SIGNAL_CARRIER, { value: arrival.stream, configurable: true });
        arrival.enter();
      } catch (error) {
        return fail(error);
      }
      let value: unknown;
      const answered = (isAnswered: boolean): void => {
        if (!isAnswered) this.#adapterHost.httpAdapter.reply(exchange.response, value);
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

  #toHttpException(error: unknown, response: object): unknown {
    if (!(error instanceof StreamRefused)) return toHttpException(error);
    const { status, message, retryAfterS } = error;
    if (retryAfterS !== undefined) this.#adapterHost.httpAdapter.setHeader(response, 'Retry-After', `${retryAfterS}`);
    return new HttpException(message, status, { cause: error });
  }
}

/** A name that a client has made up is its mistake, not the server's. */
function toHttpException(error: unknown): unknown {
  if (error instanceof TicketUsed) return new UnauthorizedException();
  if (!SseError.is(error) || error instanceof HttpException) return error;
  if (error.code === 'invalid-topic' || error.code === 'too-many-topics') {
    return new BadRequestException(error.message, { cause: error });
  }
  if (error.code === 'forbidden') return new ForbiddenException(error.message, { cause: error });
  return error;
}
