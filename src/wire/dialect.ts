import { SseError } from '../errors.js';
import {
  HEARTBEAT,
  encodeComment,
  encodeCursor,
  encodeEvent,
  encodeFields,
  encodeRetry,
  encodeStart,
} from './encode.js';
import type { SseEvent, SseNotice } from './event.js';
import { fieldsOf } from './payload.js';
import type { Payload } from './payload.js';
import { END, END_ID, FAILURE, RESET, TOPIC_NAME } from './words.js';
import type { EndReason, RefusalReason, ResetReason } from './words.js';

/** How a stream ends that the module ends. */
export interface Ending {
  readonly reason: EndReason;
  /** Whether the client is to come back. */
  readonly reconnect: boolean;
  /** When, in ms; `undefined`: as it was told before. */
  readonly retryMs?: number | undefined;
  /** Where to resume, when that is newer than the last event. */
  readonly place?: string | undefined;
  /** The body of the request, as the framework has parsed it. */
  readonly body?: unknown;
}

/**
 * How a stream speaks: the text of all that the module says in one. Streams of one dialect that stand at the same place share the bytes of
 * every entry.
 */
export interface Dialect {
  /**
   * Whether it is that of clients that know nothing of this module: they cannot be told in the stream that events are missing, nor, in the
   * place of one, that it is not opened now.
   */
  readonly isForeign: boolean;
  /** A sign of life. It has no blank line after it, because fetch-event-source makes an empty message of one. */
  readonly heartbeat: string;
  /**
   * The first bytes: when to come back, and after how long a silence there is a sign of life, both in ms. `false`: not said.
   *
   * @throws SseError `invalid-event`
   */
  start(retryMs: number | false, heartbeatMs: number | false): string;
  /** Adds an entry of the log to what goes out in one write. */
  entry(parts: (string | Uint8Array)[], id: string, payload: Payload, topic: string): void;
  /**
   * An event for one stream alone; with the id of an entry and its topic, what a stream's steps have made of that.
   *
   * @throws SseError `invalid-event`
   */
  event(event: SseEvent | SseNotice, id?: string, topic?: string): string;
  /** Where to resume, without an event. */
  place(id: string): string;
  /** Some events are missing. */
  reset(reason: ResetReason, topics: readonly string[]): string;
  /** The last words. */
  end(ending: Ending): string;
  /**
   * The last words of a stream that has failed: whether the client is to come back, and of the error nothing but the code of one of this
   * module's own; the id, if there is one, is where to resume behind the failure; the body is that of the request.
   */
  failure(error: unknown, reconnect: boolean, id?: string, body?: unknown): string;
  /**
   * All of a stream that is not opened now. A status other than 200 would end an `EventSource` for good; this one comes
   * back later.
   */
  refusal(reason: RefusalReason, retryMs: number): string;
}

/** Server-Sent Events, with the events `stream.reset`, `stream.end` and `stream.error` of this module. */
export const EVENT_STREAM: Dialect = {
  isForeign: false,
  heartbeat: HEARTBEAT,
  start: encodeStart,
  entry(parts, id, payload) {
    parts.push(`id: ${id}\n`, fieldsOf(payload), '\n');
  },
  event: (event, id) => (id === undefined ? encodeEvent(event) : `id: ${id}\n${encodeFields(event)}\n`),
  place: encodeCursor,
  reset: (reason, topics) => encodeEvent({ type: RESET, data: { reason, topics } }),
  end: encodeEnd,
  failure(error, reconnect, id) {
    const code = SseError.is(error) ? error.code : undefined;
    return encodeEvent({
      type: FAILURE,
      data: { message: 'The stream was ended by an error on the server', code, reconnect },
      id,
    });
  },
  refusal(reason, retryMs) {
    if (reason === 'expired' || reason === 'shutdown') return encodeEnd({ reason, reconnect: true, retryMs });
    const why = reason === 'unavailable' ? 'not available at the moment' : 'too many streams are open';
    return `${encodeRetry(retryMs)}${encodeComment(why)}`;
  },
};

/** The same, with a comment in each event of a topic that names it. A name has no line breaks. */
export const NAMING_EVENT_STREAM: Dialect = {
  ...EVENT_STREAM,
  entry(parts, id, payload, topic) {
    parts.push(`id: ${id}\n: ${TOPIC_NAME} ${topic}\n`, fieldsOf(payload), '\n');
  },
  event(event, id, topic) {
    if (id === undefined || topic === undefined) return encodeEvent(event);
    return `id: ${id}\n: ${TOPIC_NAME} ${topic}\n${encodeFields(event)}\n`;
  },
};

function encodeEnd({ reason, reconnect, retryMs, place }: Ending): string {
  const text = encodeEvent({ type: END, data: { reason, reconnect }, id: reconnect ? place : END_ID });
  return retryMs === undefined ? text : encodeRetry(retryMs) + text;
}
