import type { Connection } from '../connection/connection.js';
import { rawOf } from '../http/raw-response.js';
import type { RawResponse } from '../http/raw-response.js';
import type { RefusalReason } from '../wire/words.js';

/** A stream route between the start of its interceptor and the opening of the stream. */
export interface PendingStream {
  readonly connection: Connection;
  /**
   * How the request is answered: by a stream, or without asking the handler, because the stream had ended for good
   * (`over`) or is not to be opened now.
   */
  readonly answer: 'stream' | 'over' | RefusalReason;
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

/** The stream is open, or will never be. */
export function clearPending(raw: RawResponse): void {
  pending.delete(raw);
}

/** What is about to be streamed into a framework's response, if it is a stream route's. */
export function getPending(response: unknown): PendingStream | undefined {
  return isObject(response) ? pending.get(rawOf(response)) : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
