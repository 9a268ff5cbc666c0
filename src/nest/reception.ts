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
import type { ExecutionContext, HttpServer } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { TicketUsed } from '../access/identity.js';
import { SseError } from '../errors.js';
import { exchangeOf } from '../http/exchange-of.js';
import type { Exchange } from '../http/exchange.js';
import { NothingThere } from '../node/answer.js';
import { Arrival } from '../node/arrival.js';
import { NotAcceptable } from '../node/negotiation.js';
import { Node } from '../node/node.js';
import { StreamRefused } from '../node/stream-refused.js';
import { StreamRoutes } from './stream-route.js';
import type { StreamRoute } from './stream-route.js';
import { retryAfterOf, toUpstreamException } from './upstream-exception.js';

/** Where `@SseSignal()` of Nest 12 looks for something with a `signal`; Nest 11 has no such decorator. */
const SIGNAL_CARRIER = 'SSE_ABORT_CONTROLLER' in common ? common.SSE_ABORT_CONTROLLER : undefined;

/** Receives the requests of stream routes, and says in Nest's words what fails of them. */
@Injectable()
export class Reception {
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

  get httpAdapter(): HttpServer {
    return this.#adapterHost.httpAdapter;
  }

  routeOf(context: ExecutionContext): StreamRoute {
    return this.#routes.of(context.getClass(), context.getHandler());
  }

  exchangeOf(context: ExecutionContext): Exchange {
    const http = context.switchToHttp();
    return exchangeOf(http.getRequest<object>(), http.getResponse<object>());
  }

  /** Counts a request in, which is answered with {@link Arrival.answer} once its handler has been asked. */
  receive(exchange: Exchange, route: StreamRoute): Arrival {
    return this.#enter(new Arrival(this.#node, exchange, route));
  }

  /** Counts a request in, which is answered as soon as its handler has returned. */
  receiveDirectly(exchange: Exchange, route: StreamRoute): void {
    try {
      this.#enter(new DirectArrival(this.#node, exchange, route, (error) => this.toException(error, exchange, route)));
    } catch (error) {
      throw this.toException(error, exchange, route);
    }
  }

  toException(error: unknown, exchange: Exchange, { commit, isNegotiated }: StreamRoute): unknown {
    if (error instanceof StreamRefused) {
      const { status, message, retryAfterS } = error;
      if (retryAfterS !== undefined) this.httpAdapter.setHeader(exchange.response, 'Retry-After', `${retryAfterS}`);
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

  #enter<T extends Arrival>(arrival: T): T {
    const { stream } = arrival;
    if (SIGNAL_CARRIER !== undefined)
      Object.defineProperty(stream.request, SIGNAL_CARRIER, { value: stream, configurable: true });
    arrival.enter();
    return arrival;
  }
}

/** The way of a request to its stream where no interceptor is around its handler: the decorated method opens the stream. */
class DirectArrival extends Arrival {
  readonly #toException: (error: unknown) => unknown;

  constructor(node: Node, exchange: Exchange, route: StreamRoute, toException: (error: unknown) => unknown) {
    super(node, exchange, route);
    this.#toException = toException;
  }

  override async ask(handler: () => unknown): Promise<void> {
    try {
      await super.ask(handler);
      await this.answer();
    } catch (error) {
      throw this.#toException(error);
    } finally {
      this.leave();
    }
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
