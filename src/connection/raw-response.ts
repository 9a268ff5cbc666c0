import { ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type { Socket } from 'node:net';

/** The response underneath any of Nest's adapters. */
export type RawResponse = ServerResponse | Http2ServerResponse;

/**
 * The socket, when bytes with HTTP/1.1 chunk framing may go straight to it: the message is chunked, nothing of it waits
 * in the response, and nobody has put a `write` of their own in between. `ServerResponse.write` would frame the same bytes
 * again for every client, at twice the cost.
 */
export function frameableSocket(raw: RawResponse): Socket | undefined {
  if ('stream' in raw || hasForeignWrite(raw)) return undefined;
  const { socket } = raw;
  const isDirect = raw.chunkedEncoding && socket !== null && raw.writableLength === socket.writableLength;
  return isDirect ? socket : undefined;
}

/** Whether somebody (a compression middleware) has put a `write` of their own in between, which need not call back. */
export function hasForeignWrite(target: RawResponse | Socket): boolean {
  if ('stream' in target) return Object.hasOwn(target, 'write');
  return target instanceof ServerResponse && target.write !== ServerResponse.prototype.write;
}

/** A compression middleware holds written bytes back until it is told to flush. */
export function flushCompression(raw: RawResponse): void {
  const { flush } = raw as { flush?: () => void };
  flush?.call(raw);
}

/** Drops what waits, and the connection with it; on HTTP/2 the stream. */
export function destroyResponse(raw: RawResponse): void {
  if ('stream' in raw && raw.stream !== undefined) raw.stream.destroy();
  else raw.destroy();
}

/** Drops the connection that the response is on, whatever else is on it. */
export function destroySocketOf(raw: RawResponse): void {
  if ('stream' in raw) raw.stream?.session?.destroy();
  else raw.destroy();
}

/** Lets go of the keep-alive connection once the response has been sent: the server is closing, nobody must come back on it. */
export function closeSocketBehind(raw: RawResponse): void {
  const { socket } = raw;
  if ('stream' in raw) {
    const session = raw.stream?.session;
    raw.once('finish', () => session?.close());
  } else raw.once('finish', () => socket?.destroySoon());
}
