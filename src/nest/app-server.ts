import type { Server } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { refuseStreams } from '../http/late-requests.js';
import { SilentSockets } from '../http/silent-sockets.js';
import type { AnyServer } from '../http/silent-sockets.js';

/** The server underneath the application's adapter, if it has one. */
@Injectable()
export class AppServer {
  readonly #adapterHost: HttpAdapterHost;
  readonly #silentSockets = new SilentSockets();

  constructor(@Inject(HttpAdapterHost) adapterHost: HttpAdapterHost) {
    this.#adapterHost = adapterHost;
  }

  /** To be called before it listens. */
  watch(): void {
    // There is no adapter in an application context without HTTP.
    const server = this.#adapterHost.httpAdapter?.getHttpServer() as AnyServer | undefined;
    if (typeof server?.on === 'function') this.#silentSockets.watch(server);
  }

  /**
   * Nothing is to keep it open any more. See `SilentSockets.close`.
   *
   * @param retryMs makes the time that one client is told to wait which still asks for a stream
   */
  close(deadlineMs: number, retryMs: () => number): void {
    this.#silentSockets.close(deadlineMs);
    this.#refuseStreams(retryMs);
  }

  /**
   * Once Fastify closes, it answers whatever is asked with `503` (`return503OnClosing`), before any route hears of it, for as long as the
   * `preClose` hooks of its plugins take: of 20 clients that the drain had told to come back, that ended 20 for good.
   */
  #refuseStreams(retryMs: () => number): void {
    const { httpAdapter } = this.#adapterHost;
    if (httpAdapter?.getType() !== 'fastify') return;
    const { initialConfig } = httpAdapter.getInstance<{ initialConfig?: { return503OnClosing?: boolean } }>();
    if (initialConfig?.return503OnClosing !== false) refuseStreams(httpAdapter.getHttpServer() as Server, retryMs);
  }
}
