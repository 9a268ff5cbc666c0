import { toBase64 } from '../wire/base64.js';
import type { SseEvent } from '../wire/event.js';

/**
 * What came of a request: its answer has been sent (`sent`); or its handler was not asked, because someone else has answered in its place
 * (`unasked`); or one document is to be sent.
 */
export type Answer = 'sent' | 'unasked' | DocumentAnswer;

export interface DocumentAnswer {
  readonly document: unknown;
  /** Further headers of what was streamed. */
  readonly headers: Readonly<Record<string, string>> | undefined;
}

/** A handler has given nothing to stream, and its route says that this is an error. */
export class NothingThere extends Error {}

/** What a document is without a profile that makes another: an array of the data. Bytes are base64, as they are in a stream. */
export function dataOf(events: readonly SseEvent[]): unknown {
  return events.map(({ data }) => (data instanceof Uint8Array ? toBase64(data) : data));
}
