import { SseError } from '../errors.js';
import { encodeComment, encodeEvent, encodeRetry } from '../wire/encode.js';
import type { ConnectionLimits } from './admission.js';

/** Why the module ended a stream. */
export type EndReason = 'complete' | 'expired' | 'revoked' | 'slow-consumer' | 'lifetime' | 'shutdown' | 'closed';

/** Why a stream is over, also when the module did not end it: the client left, or its source failed. */
export type CloseReason = EndReason | 'disconnected' | 'failed';

/** Whether a client should come back after each reason, unless the caller says otherwise. */
export const RECONNECTS: Readonly<Record<EndReason, boolean>> = {
  complete: false,
  expired: true,
  revoked: false,
  'slow-consumer': true,
  lifetime: true,
  shutdown: true,
  closed: false,
};

/**
 * The id of a last frame that says "do not come back". An `EventSource` reconnects whatever it is told in the stream,
 * and sends this id; the answer is then `204`, which ends it for good (WHATWG HTML 9.2.3).
 */
export const END_ID = 'stream.end';

/**
 * The last frame of a stream.
 *
 * @param place where to resume, when that is newer than the last event
 */
export function encodeEnd(reason: EndReason, reconnect: boolean, retryMs?: number, place?: string): string {
  const frame = encodeEvent({ type: 'stream.end', data: { reason, reconnect }, id: reconnect ? place : END_ID });
  return retryMs === undefined ? frame : encodeRetry(retryMs) + frame;
}

/**
 * The last frame of a stream that has failed. It says nothing of the error but the code of one of this module's own; the
 * id, if there is one, is where to resume behind the failure.
 */
export function encodeFailure(error: unknown, id: string | undefined): string {
  const code = SseError.is(error) ? error.code : undefined;
  return encodeEvent({
    type: 'stream.error',
    data: { message: 'The stream was ended by an error on the server', code },
    id,
  });
}

/** Why a stream was not opened, though the request was in order. */
export type RefusalReason = keyof ConnectionLimits | 'expired' | 'shutdown' | 'unavailable';

/**
 * All of a stream that is not opened now. A status other than 200 would end an `EventSource` for good; this one comes
 * back later.
 */
export function encodeRefusal(reason: RefusalReason, retryMs: number): string {
  if (reason === 'expired' || reason === 'shutdown') return encodeEnd(reason, true, retryMs);
  const why = reason === 'unavailable' ? 'not available at the moment' : 'too many streams are open';
  return `${encodeRetry(retryMs)}${encodeComment(why)}`;
}
