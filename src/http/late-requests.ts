import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:net';
import { EVENT_STREAM } from '../wire/dialect.js';
import { streamHeaders } from './headers.js';
import { destroyResponse } from './raw-response.js';

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * From now on, who wants an event stream is told to come back, before anything that listens to the server answers.
 *
 * @param retryMs makes the time that one client is told to wait
 */
export function refuseStreams(server: Server, retryMs: () => number): void {
  const listeners = server.listeners('request') as Listener[];
  server.removeAllListeners('request');
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (wantsStream(request)) answer(request, response, retryMs());
    else for (const listener of listeners) listener.call(server, request, response);
  });
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
  response.end(request.method === 'HEAD' ? undefined : EVENT_STREAM.refusal('shutdown', retryMs));
}
