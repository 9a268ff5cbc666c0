import * as common from '@nestjs/common';
import { BadRequestException, ForbiddenException, HttpException, Inject, Injectable } from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor, Type } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Observable } from 'rxjs';
import type { Connection } from '../connection/connection.js';
import { discard, toSource } from '../connection/source.js';
import type { Source } from '../connection/source.js';
import { SseError } from '../errors.js';
import { exchangeOf } from '../http/exchange-of.js';
import type { Exchange } from '../http/exchange.js';
import { readLastEventId } from '../http/last-event-id.js';
import { clearPending, setPending } from '../node/pending-streams.js';
import type { PendingStream } from '../node/pending-streams.js';
import { parsePosition } from '../topic/position.js';
import { END_ID } from '../wire/words.js';
import type { RefusalReason } from '../wire/words.js';
import { FailureFilters } from './failure-filters.js';
import { SseRuntime } from './runtime.js';
import { StreamRoute } from './stream-route.js';
import { identityOf, isUnavailable, redeemTicket } from './stream.guard.js';

/** Where `@SseSignal()` of Nest 12 looks for something with a `signal`; Nest 11 has no such decorator. */
const SIGNAL_CARRIER = 'SSE_ABORT_CONTROLLER' in common ? common.SSE_ABORT_CONTROLLER : undefined;

/**
 * Opens the stream of a route. Completes as soon as it is open, so that the interceptors around it (timeouts, logging,
 * envelopes) end as they do on any route.
 */
@Injectable()
export class SseStreamInterceptor implements NestInterceptor {
  readonly #runtime: SseRuntime;
  readonly #filters: FailureFilters;
  readonly #adapterHost: HttpAdapterHost;
  readonly #routes = new Map<Type, Map<object, StreamRoute>>();

  constructor(
    @Inject(SseRuntime) runtime: SseRuntime,
    @Inject(FailureFilters) filters: FailureFilters,
    @Inject(HttpAdapterHost) adapterHost: HttpAdapterHost,
  ) {
    this.#runtime = runtime;
    this.#filters = filters;
    this.#adapterHost = adapterHost;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<undefined> {
    const http = context.switchToHttp();
    const exchange = exchangeOf(http.getRequest<object>(), http.getResponse<object>());
    const route = this.#routeOf(context);
    // By hand, because each operator of RxJS makes a handful of objects for every request.
    return new Observable((subscriber) => {
      const fail = (error: unknown): void => subscriber.error(toHttpException(error));
      let pending: PendingStream;
      try {
        pending = this.#prepare(exchange, route);
      } catch (error) {
        return fail(error);
      }
      const opened = (): void => {
        subscriber.next(undefined);
        subscriber.complete();
      };
      let value: unknown;
      const open = (): void => void this.#open(exchange, pending, route, value).then(opened, fail);
      subscriber.add(
        next.handle().subscribe({ next: (given: unknown) => (value = given), error: fail, complete: open }),
      );
      // Nobody waits any more: an error, or a timeout of an interceptor around this one.
      subscriber.add(() => {
        if (pending.connection.state === 'pending') pending.connection.disconnected();
      });
    });
  }

  #routeOf(context: ExecutionContext): StreamRoute {
    const controller = context.getClass();
    const handler = context.getHandler();
    let routes = this.#routes.get(controller);
    if (routes === undefined) this.#routes.set(controller, (routes = new Map<object, StreamRoute>()));
    let route = routes.get(handler);
    if (route === undefined) {
      route = new StreamRoute(this.#runtime, this.#filters, controller, handler);
      routes.set(handler, route);
    }
    return route;
  }

  #prepare(exchange: Exchange, route: StreamRoute): PendingStream {
    const { request, response } = exchange;
    const lastEventId = readLastEventId(request);
    const identity = identityOf(request);
    const connection = this.#runtime.prepare({
      request,
      response,
      route,
      lastEventId,
      principal: identity?.principal ?? null,
      grantedTopics: identity?.topics,
    });
    try {
      if (SIGNAL_CARRIER !== undefined)
        Object.defineProperty(request, SIGNAL_CARRIER, { value: connection, configurable: true });
      const refusal = this.#runtime.admit(connection, identity?.isExpired === true);
      const pending: PendingStream = { connection, answer: lastEventId === END_ID ? 'over' : (refusal ?? 'stream') };
      setPending(exchange.raw, pending);
      exchange.onOver(connection);
      return pending;
    } catch (error) {
      connection.disconnected();
      throw error;
    }
  }

  async #open(exchange: Exchange, pending: PendingStream, route: StreamRoute, value: unknown): Promise<void> {
    const { connection, answer } = pending;
    clearPending(exchange.raw);
    // An interceptor inside this one has answered in the handler's place.
    if (answer === 'stream' && pending.result === undefined)
      return void this.#adapterHost.httpAdapter.reply(exchange.response, value);
    try {
      if (answer === 'over') exchange.sendNoContent();
      else if (answer !== 'stream') await this.#refuse(exchange, connection, answer, route);
      else await this.#stream(exchange, connection, toSource(pending.result?.value), route);
    } catch (error) {
      if (!exchange.hasHead) throw error;
      // No exception filter can answer any more: it ends as any stream that has failed.
      exchange.failed(error);
    }
  }

  async #stream(exchange: Exchange, connection: Connection, source: Source, route: StreamRoute): Promise<void> {
    try {
      const admitted = await this.#admit(exchange, connection, source, route);
      if (admitted === 'stream') return this.#runtime.start(connection, exchange, source);
      discard(source);
      if (admitted !== 'over') await this.#refuse(exchange, connection, admitted, route);
      else if (exchange.isGone) exchange.abandon();
    } catch (error) {
      discard(source);
      throw error;
    }
  }

  async #refuse(exchange: Exchange, connection: Connection, reason: RefusalReason, route: StreamRoute): Promise<void> {
    const isOpen = !exchange.isGone && (await exchange.start(route.options.headers));
    if (isOpen && !exchange.isHead) this.#runtime.refuse(connection, exchange, reason);
    else if (exchange.isGone) exchange.abandon();
  }

  /** Checks what may be read and sends the head. `over`: there is no stream to open. */
  async #admit(
    exchange: Exchange,
    connection: Connection,
    source: Source,
    route: StreamRoute,
  ): Promise<PendingStream['answer']> {
    if (source.kind === 'topics') {
      await connection.admit(source.selection.selectors);
      await connection.select(source.selection.selectors, source.selection.begin ?? route.begin);
    }
    // A source's own id is no place for the topics beside it.
    if (source.kind !== 'topics' && !exchange.isHead && parsePosition(connection.lastEventId) === undefined)
      await connection.takePlace(route.begin);
    if (exchange.isGone || connection.state === 'closed') return 'over';
    if (!exchange.isHead && !(await this.#redeem(exchange))) return 'unavailable';
    const { options, settings } = route;
    const isOpen = await exchange.start(options.headers, settings);
    return isOpen && !exchange.isHead && !exchange.isGone ? 'stream' : 'over';
  }

  /** Uses the ticket up that has let someone in, if it was one. `false`: that could not be done now. */
  async #redeem({ request }: Exchange): Promise<boolean> {
    if (identityOf(request)?.ticket === undefined) return true;
    try {
      await redeemTicket(request, this.#runtime);
      return true;
    } catch (error) {
      if (isUnavailable(error)) return false;
      throw error;
    }
  }
}

/** A name that a client has made up is its mistake, not the server's. */
function toHttpException(error: unknown): unknown {
  if (!SseError.is(error) || error instanceof HttpException) return error;
  if (error.code === 'invalid-topic' || error.code === 'too-many-topics') {
    return new BadRequestException(error.message, { cause: error });
  }
  if (error.code === 'forbidden') return new ForbiddenException(error.message, { cause: error });
  return error;
}
