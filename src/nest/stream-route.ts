import type { Type } from '@nestjs/common';
import type { AnsweringConnection, ConnectionRoute } from '../connection/connection-host.js';
import { exchangeOf } from '../http/exchange-of.js';
import type { Begin } from '../topic/begin.js';
import { EVENT_STREAM } from '../wire/dialect.js';
import type { FailureFilters } from './failure-filters.js';
import { resolveSettings } from './resolve-options.js';
import type { ResolvedSettings } from './resolve-options.js';
import type { SseRuntime } from './runtime.js';
import type { SseStreamOptions } from './sse-options.js';
import { STREAM_METADATA } from './tokens.js';

/** What all streams of one route share. */
export class StreamRoute implements ConnectionRoute {
  readonly options: SseStreamOptions;
  readonly settings: ResolvedSettings;
  readonly begin: Begin | undefined;
  readonly dialect = EVENT_STREAM;
  readonly #runtime: SseRuntime;
  readonly #filters: FailureFilters;
  readonly #controller: Type;
  readonly #handler: object;

  constructor(runtime: SseRuntime, filters: FailureFilters, controller: Type, handler: object) {
    this.#runtime = runtime;
    this.#filters = filters;
    this.#controller = controller;
    this.#handler = handler;
    this.options = optionsOf(controller, handler);
    this.begin = this.options.from;
    this.settings = resolveSettings(runtime.options.settings, this.options, '@SseStream()');
  }

  onFailed(connection: AnsweringConnection, error: unknown): void {
    this.#runtime.callbacks.tell(error, { connection });
    const failed = (thrown: unknown): void => this.#runtime.report(thrown, { connection });
    void this.#filters.tell(error, this.#controller, this.#handler, connection).catch(failed);
  }

  onListenerFailed(connection: AnsweringConnection, error: unknown): void {
    this.#runtime.report(error, { connection });
  }

  endAbandoned(connection: AnsweringConnection): void {
    const failed = (error: unknown): void => this.onFailed(connection, error);
    exchangeOf(connection.request, connection.response).abandon({ failed });
  }

  cutRequest({ request, response }: AnsweringConnection): void {
    exchangeOf(request, response).destroy();
  }

  addressOf({ request, response }: AnsweringConnection): string | undefined {
    return exchangeOf(request, response).address;
  }
}

function optionsOf(controller: Type, handler: object): SseStreamOptions {
  const own = Reflect.getMetadata(STREAM_METADATA, handler) as SseStreamOptions;
  const shared = Reflect.getMetadata(STREAM_METADATA, controller) as SseStreamOptions | undefined;
  if (shared === undefined) return own;
  const set = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...shared, ...Object.fromEntries(set), headers: { ...shared.headers, ...own.headers } };
}
