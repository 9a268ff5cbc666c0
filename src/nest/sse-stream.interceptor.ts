import * as common from '@nestjs/common';
import {
  BadRequestException,
  ForbiddenException,
  HttpException,
  Inject,
  Injectable,
  NotAcceptableException,
  NotFoundException,
  UnauthorizedException,
} from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Observable } from 'rxjs';
import { TicketUsed } from '../access/identity.js';
import { SseError } from '../errors.js';
import { exchangeOf } from '../http/exchange-of.js';
import type { Exchange } from '../http/exchange.js';
import { NothingThere } from '../node/answer.js';
import type { Answer } from '../node/answer.js';
import { Arrival } from '../node/arrival.js';
import { NotAcceptable } from '../node/negotiation.js';
import { Node } from '../node/node.js';
import { StreamRefused } from '../node/stream-refused.js';
import { sendDocument } from './send-document.js';
import { StreamRoutes } from './stream-route.js';
import type { StreamRoute } from './stream-route.js';
import { retryAfterOf, toUpstreamException } from './upstream-exception.js';

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
      const fail = (error: unknown): void => subscriber.error(this.#toException(error, exchange, route));
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
      const { httpAdapter } = this.#adapterHost;
      const answered = (answer: Answer): void => {
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

  #toException(error: unknown, exchange: Exchange, { commit, isNegotiated }: StreamRoute): unknown {
    if (error instanceof StreamRefused) {
      const { status, message, retryAfterS } = error;
      if (retryAfterS !== undefined)
        this.#adapterHost.httpAdapter.setHeader(exchange.response, 'Retry-After', `${retryAfterS}`);
      return new HttpException(message, status, { cause: error });
    }
    const exception = toHttpException(error);
    if (exception !== error || (commit === undefined && !isNegotiated)) return exception;
    // The route waits for its source before it answers: what an upstream server has answered is answered here.
    const upstream = toUpstreamException(error);
    const retryAfter = upstream === error ? undefined : retryAfterOf(error);
    if (retryAfter !== undefined) exchange.setHeader('Retry-After', retryAfter);
    return upstream;
  }
}

/** A name that a client has made up is its mistake, not the server's. */
function toHttpException(error: unknown): unknown {
  if (error instanceof TicketUsed) return new UnauthorizedException();
  if (error instanceof NotAcceptable) return new NotAcceptableException();
  if (error instanceof NothingThere) return new NotFoundException();
  if (!SseError.is(error) || error instanceof HttpException) return error;
  if (error.code === 'invalid-topic' || error.code === 'too-many-topics') {
    return new BadRequestException(error.message, { cause: error });
  }
  if (error.code === 'forbidden') return new ForbiddenException(error.message, { cause: error });
  return error;
}
