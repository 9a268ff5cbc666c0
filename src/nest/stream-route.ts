import { Inject, Injectable } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import type { Answering } from '../connection/stream-host.js';
import { layOver } from '../connection/stream-settings.js';
import type { ResolvedSettings } from '../connection/stream-settings.js';
import { exchangeOf } from '../http/exchange-of.js';
import { HeadCache } from '../http/head-cache.js';
import { varying } from '../http/headers.js';
import type { ArrivalRoute } from '../node/arrival.js';
import type { ResumeAt } from '../node/resume-at.js';
import type { Begin } from '../topic/begin.js';
import { EVENT_STREAM, NAMING_EVENT_STREAM } from '../wire/dialect.js';
import type { Dialect } from '../wire/dialect.js';
import { dialectOf } from '../wire/profile.js';
import type { WireProfile } from '../wire/profile.js';
import { Callbacks } from './callbacks.js';
import { DirectRoutes } from './direct-routes.js';
import { FailureFilters } from './failure-filters.js';
import type { ResolvedOptions } from './resolve-options.js';
import type { SseStreamOptions } from './sse-options.js';
import { RESOLVED_OPTIONS, STREAM_METADATA } from './tokens.js';

/** The stream routes of an application, each made when it is asked for first. */
@Injectable()
export class StreamRoutes {
  readonly options: ResolvedOptions;
  readonly callbacks: Callbacks;
  readonly filters: FailureFilters;
  readonly direct: DirectRoutes;
  readonly #byController = new Map<Type, Map<object, StreamRoute>>();

  constructor(
    @Inject(RESOLVED_OPTIONS) options: ResolvedOptions,
    @Inject(Callbacks) callbacks: Callbacks,
    @Inject(FailureFilters) filters: FailureFilters,
    @Inject(DirectRoutes) direct: DirectRoutes,
  ) {
    this.options = options;
    this.callbacks = callbacks;
    this.filters = filters;
    this.direct = direct;
  }

  of(controller: Type, handler: object): StreamRoute {
    let routes = this.#byController.get(controller);
    if (routes === undefined) this.#byController.set(controller, (routes = new Map<object, StreamRoute>()));
    let route = routes.get(handler);
    if (route === undefined) routes.set(handler, (route = new StreamRoute(this, controller, handler)));
    return route;
  }
}

/** What all streams of one route share. */
export class StreamRoute implements ArrivalRoute {
  readonly heads = new HeadCache();
  readonly headers: SseStreamOptions['headers'];
  readonly settings: ResolvedSettings;
  readonly begin: Begin | undefined;
  readonly resumeAt: ResumeAt | undefined;
  readonly wire: WireProfile | undefined;
  readonly dialect: Dialect;
  readonly none: SseStreamOptions['none'];
  readonly commit: SseStreamOptions['commit'];
  readonly isNegotiated: boolean;
  /** Whether the decorated method opens its streams, and no interceptor. */
  readonly isDirect: boolean;
  /** Those of a document, which no profile has any for. */
  readonly documentHeaders: SseStreamOptions['headers'];
  readonly #routes: StreamRoutes;
  readonly #controller: Type;
  readonly #handler: object;

  constructor(routes: StreamRoutes, controller: Type, handler: object) {
    this.#routes = routes;
    this.#controller = controller;
    this.#handler = handler;
    const options = optionsOf(controller, handler);
    this.isNegotiated = options.respond === 'negotiate';
    this.isDirect = routes.direct.has(handler);
    this.documentHeaders = this.isNegotiated ? varyingByAccept(options.headers) : options.headers;
    this.headers =
      options.wire?.headers === undefined ? this.documentHeaders : { ...options.wire.headers, ...this.documentHeaders };
    this.none = options.none ?? options.wire?.none;
    this.commit = options.commit;
    this.begin = options.from;
    this.resumeAt = options.resumeAt;
    this.settings = layOver(routes.options.settings, options);
    this.wire = options.wire;
    this.dialect = dialectFor(options.wire, this.settings);
  }

  onFailed(stream: Answering, error: unknown): void {
    const { callbacks, filters } = this.#routes;
    const { connection } = stream;
    callbacks.tell(error, { connection });
    const failed = (thrown: unknown): void => callbacks.report(thrown, { connection });
    void filters.tell(error, this.#controller, this.#handler, stream).catch(failed);
  }

  onListenerFailed({ connection }: Answering, error: unknown): void {
    this.#routes.callbacks.report(error, { connection });
  }

  endAbandoned(stream: Answering): void {
    const failed = (error: unknown): void => this.onFailed(stream, error);
    exchangeOf(stream.request, stream.response).abandon({ failed });
  }

  cutRequest({ request, response }: Answering): void {
    exchangeOf(request, response).destroy();
  }

  addressOf({ request, response }: Answering): string | undefined {
    return exchangeOf(request, response).address;
  }
}

/** A `Vary` of the route's own would take the place of what the answer depends on in any case. */
function varyingByAccept(headers: SseStreamOptions['headers']): SseStreamOptions['headers'] {
  if (headers === undefined) return headers;
  return Object.fromEntries(
    Object.entries<string | string[]>(headers).map(([name, value]) => [
      name,
      name.toLowerCase() === 'vary' ? varying(value, 'Accept') : value,
    ]),
  );
}

function dialectFor(wire: WireProfile | undefined, { nameTopics }: ResolvedSettings): Dialect {
  if (wire !== undefined) return dialectOf(wire);
  return nameTopics ? NAMING_EVENT_STREAM : EVENT_STREAM;
}

function optionsOf(controller: Type, handler: object): SseStreamOptions {
  const own = Reflect.getMetadata(STREAM_METADATA, handler) as SseStreamOptions;
  const shared = Reflect.getMetadata(STREAM_METADATA, controller) as SseStreamOptions | undefined;
  if (shared === undefined) return own;
  const set = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...shared, ...Object.fromEntries(set), headers: { ...shared.headers, ...own.headers } };
}
