import type { Connection } from '../connection/connection.js';
import type { RawResponse } from '../connection/response-writer.js';

/** A stream route between the start of its interceptor and the opening of the stream. */
export interface PendingStream {
  readonly connection: Connection;
  /** The client has come back to a stream that had ended for good: the handler is not asked again. */
  readonly isOver: boolean;
  /** What the handler returned, kept away from other interceptors. */
  result?: { readonly value: unknown } | undefined;
}

// Keyed by the response, so that two applications in one process never meet. An interceptor and a decorated method
// have nothing else in common.
const pending = new WeakMap<object, PendingStream>();

/** Notes what is about to be streamed into a response. */
export function setPending(raw: RawResponse, stream: PendingStream): void {
  pending.set(raw, stream);
}

/** What is about to be streamed into a framework's response, if it is a stream route's. */
export function getPending(response: unknown): PendingStream | undefined {
  return isObject(response) ? pending.get(rawOf(response)) : undefined;
}

/** Node's own response underneath Express's, Fastify's or another adapter's. */
export function rawOf(response: object): RawResponse {
  return ((response as { raw?: unknown }).raw ?? response) as RawResponse;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
