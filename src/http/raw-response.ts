import { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';

/** The response underneath any of Nest's adapters. */
export type RawResponse = ServerResponse | Http2ServerResponse;

/** Node's own response underneath Express's, Fastify's or another adapter's. */
export function rawOf(response: object): RawResponse {
  return ((response as { raw?: unknown }).raw ?? response) as RawResponse;
}

/** Whether it goes over HTTP/2, where a response is a stream among others on one connection. */
export function isHttp2(raw: RawResponse): raw is Http2ServerResponse {
  return 'stream' in raw;
}

/** A response whose head has been sent, or will be with the first byte. */
export interface StartedResponse {
  readonly raw: RawResponse;
  /** Whether its head says that the body is packed. */
  readonly isGzip: boolean;
}

/**
 * The socket, when bytes with HTTP/1.1 chunk framing may go straight to it: the message is chunked, nothing of it waits
 * in the response, and nobody has put a `write` of their own in between. `ServerResponse.write` would frame the same bytes
 * again for every client, at twice the cost.
 */
export function frameableSocket(raw: RawResponse): Socket | undefined {
  if (isHttp2(raw) || hasForeignWrite(raw)) return undefined;
  const { socket } = raw;
  // One that is none of Node's has no length.
  const isDirect = raw.chunkedEncoding && raw.writableLength === socket?.writableLength;
  return isDirect ? socket : undefined;
}

/**
 * Whether somebody has put a `write` of their own in between, which need not call back: a compression middleware, or who has made the
 * whole response.
 */
export function hasForeignWrite(target: RawResponse): boolean {
  if (isHttp2(target)) return Object.hasOwn(target, 'write');
  return !(target instanceof ServerResponse) || target.write !== ServerResponse.prototype.write;
}

/** Hears of what a method of the response, perhaps a middleware's own, rejects with. */
export interface FailureListener {
  failed(error: unknown): void;
}

/** What a middleware has put in the place of a method of Node's may return anything, a promise that rejects among it. */
function watch(returned: unknown, listener: FailureListener): void {
  if (isPromise(returned)) Promise.resolve(returned).catch((error: unknown) => listener.failed(error));
}

export function isPromise(returned: unknown): returned is PromiseLike<unknown> {
  return typeof returned === 'object' && returned !== null && 'then' in returned;
}

/** Writes through the response, and tells a compression middleware, which would hold the bytes back, to flush. */
export function writeThrough(raw: RawResponse, bytes: Buffer, listener: FailureListener): boolean {
  const hasRoom: unknown = (raw as ServerResponse).write(bytes);
  watch(hasRoom, listener);
  const { flush } = raw as { flush?: () => unknown };
  if (flush !== undefined) watch(flush.call(raw), listener);
  return hasRoom !== false;
}

/** Ends the response, with a last piece if there is one. */
export function endResponse(raw: RawResponse, last: string | Buffer | undefined, listener: FailureListener): void {
  const { end } = raw as { end: (this: RawResponse, last?: string | Buffer) => unknown };
  watch(last === undefined ? end.call(raw) : end.call(raw, last), listener);
}

/** Drops what waits, and the connection with it; on HTTP/2 the stream. */
export function destroyResponse(raw: RawResponse): void {
  if (isHttp2(raw) && raw.stream !== undefined) raw.stream.destroy();
  else destroyHttp1(raw);
}

/** Drops the connection that the response is on, whatever else is on it. */
export function destroySocketOf(raw: RawResponse): void {
  if (isHttp2(raw)) raw.stream?.session?.destroy();
  else destroyHttp1(raw);
}

function destroyHttp1(raw: RawResponse): void {
  const { socket } = raw;
  try {
    raw.destroy();
  } catch {
    // A middleware's own has failed, whose response is of no use any more.
    socket?.destroy();
  }
}

/** Lets go of the keep-alive connection once the response has been sent: the server is closing, nobody must come back on it. */
export function closeSocketBehind(raw: RawResponse): void {
  const socket = raw.socket as Partial<Socket> | null | undefined;
  if (isHttp2(raw)) {
    const session = raw.stream?.session;
    raw.once('finish', () => session?.close());
  } else raw.once('finish', () => socket?.destroySoon?.());
}
