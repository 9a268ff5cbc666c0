import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { destroyResponse } from '../connection/raw-response.js';
import { encodeRefusal } from '../connection/end-reason.js';
import { streamHeaders } from '../wire/headers.js';

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Once Fastify closes, it answers whatever is asked with `503` (`return503OnClosing`), before any route hears of it, for as long as the
 * `preClose` hooks of its plugins take: of 20 clients that the drain had told to come back, that ended 20 for
 * good. From then on, who wants an event stream is told by this listener, in front of Fastify's, to come back.
 */
@Injectable()
export class LateRequests {
  readonly #adapterHost: HttpAdapterHost;

  constructor(@Inject(HttpAdapterHost) adapterHost: HttpAdapterHost) {
    this.#adapterHost = adapterHost;
  }

  /** @param retryMs makes the time that one client is told to wait */
  refuse(retryMs: () => number): void {
    const { httpAdapter } = this.#adapterHost;
    if (httpAdapter?.getType() !== 'fastify') return;
    const { initialConfig } = httpAdapter.getInstance<{ initialConfig?: { return503OnClosing?: boolean } }>();
    if (initialConfig?.return503OnClosing === false) return;
    const server = httpAdapter.getHttpServer() as Server;
    const listeners = server.listeners('request') as Listener[];
    server.removeAllListeners('request');
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      if (wantsStream(request)) answer(request, response, retryMs());
      else for (const listener of listeners) listener.call(server, request, response);
    });
  }
}

/** As an `EventSource` asks. Those who post may speak another protocol over their streams. */
function wantsStream({ method, headers }: IncomingMessage): boolean {
  return ['GET', 'HEAD'].includes(String(method)) && headers.accept?.includes('text/event-stream') === true;
}

function answer(request: IncomingMessage, response: ServerResponse, retryMs: number): void {
  // What a page of another origin may read is for the application's CORS settings to say, and they are not asked any more.
  if (request.headers.origin !== undefined) return destroyResponse(response);
  const http2 = request.httpVersionMajor > 1;
  response.writeHead(200, streamHeaders({ http2, own: http2 ? {} : { Connection: 'close' } }));
  response.end(request.method === 'HEAD' ? undefined : encodeRefusal('shutdown', retryMs));
}
