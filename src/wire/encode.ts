import { SseError } from '../errors.js';
import { toBase64 } from './base64.js';
import { checkEvent, checkRetry, checkToken, type SseEvent, type SseNotice } from './event.js';
import { HEARTBEAT_PERIOD } from './words.js';

/** How an event's data is written in its `data:` lines. `none` is for an event without data. */
export type DataKind = 'text' | 'json' | 'base64' | 'none';

/** An event's data as text that is ready for its `data:` lines. */
export interface EncodedData {
  readonly kind: DataKind;
  readonly text: string;
}

/**
 * A comment that says nothing, to show client and proxies that the connection lives. It has no blank line after it,
 * because fetch-event-source makes an empty message of one.
 */
export const HEARTBEAT = ':\n';

const NO_DATA: EncodedData = { kind: 'none', text: '' };

/**
 * Writes an event: its fields, then the `id:` line if it has an id, then the blank line that makes the client
 * dispatch it. A notice has nothing to dispatch, and so no blank line.
 *
 * @throws SseError `invalid-event`
 * @see WHATWG HTML 9.2.5, "Parsing an event stream"
 */
export function encodeEvent(event: SseEvent | SseNotice): string {
  checkEvent(event);
  const fields = encodeFields(event);
  if (!('data' in event)) return fields;
  return event.id === undefined ? `${fields}\n` : `${fields}id: ${event.id}\n\n`;
}

/**
 * Writes all of an event's lines except the `id:` line and the final blank line, each ended by LF. The event must have
 * passed `checkEvent`: a line break in its type goes out as it is.
 *
 * @param data The event's data where it is encoded already.
 * @throws SseError `invalid-event` when the data cannot be written.
 */
export function encodeFields(event: SseEvent | SseNotice, data: EncodedData = encodeDataOf(event)): string {
  let fields = '';
  if (event.comment !== undefined) fields += encodeComment(event.comment);
  if ('data' in event && event.type) fields += `event: ${event.type}\n`;
  if (event.retry !== undefined) fields += `retry: ${event.retry}\n`;
  if (data.kind !== 'none') fields += lines('data', data.text);
  return fields;
}

/** Encodes what an event has as data. @throws SseError `invalid-event` when it cannot be written. */
export function encodeDataOf(event: SseEvent | SseNotice): EncodedData {
  return 'data' in event ? encodeData(event.data) : NO_DATA;
}

/**
 * Turns data into text: a string as it is, with U+FFFD for each lone surrogate as UTF-8 has it, a `Uint8Array` of any
 * realm as base64, everything else as JSON.
 *
 * @throws SseError `invalid-event` when the data has no JSON form; `cause` has what `JSON.stringify` threw.
 */
export function encodeData(data: unknown): EncodedData {
  if (typeof data === 'string') return { kind: 'text', text: wellFormed(data) };
  if (isBytes(data)) return { kind: 'base64', text: toBase64(data) };
  return { kind: 'json', text: stringify(data) };
}

/** Writes a comment, one line for each of its lines, without a blank line after it. */
export function encodeComment(text: string): string {
  return lines('', wellFormed(text));
}

/**
 * The first lines of a stream: when to come back, and how often there is a sign of life, both in ms; with neither, a comment that says
 * nothing. A period is a comment, because `EventSource` takes no other fields, and is rounded up: who waits for less gives up too early.
 *
 * @throws SseError `invalid-event`
 */
export function encodeStart(retryMs: number | false, heartbeatMs: number | false): string {
  const retry = retryMs === false ? '' : encodeRetry(retryMs);
  const period = heartbeatMs === false ? '' : `: ${HEARTBEAT_PERIOD} ${Math.ceil(heartbeatMs)}\n`;
  return retry + period || HEARTBEAT;
}

/**
 * Moves the client's cursor without an event: an `id:` line and a blank line.
 *
 * @throws SseError `invalid-event`
 * @see WHATWG HTML 9.2.6, "dispatch the event", steps 1 and 2
 */
export function encodeCursor(id: string): string {
  checkToken('id', id);
  return `id: ${id}\n\n`;
}

/**
 * Tells the client how many milliseconds to wait before it reconnects. Takes effect at once, so no blank line follows.
 *
 * @throws SseError `invalid-event`
 */
export function encodeRetry(retryMs: number): string {
  // The module's own: some times the option, so that clients spread out.
  checkRetry(retryMs, Number.MAX_SAFE_INTEGER);
  return `retry: ${retryMs}\n`;
}

/** Two `indexOf` find that text has no line break 20 times faster than a regular expression does (Node 20, 1 kB). */
function lines(field: string, text: string): string {
  if (!text.includes('\n') && !text.includes('\r')) return `${field}: ${text}\n`;
  return `${field}: ${text.replace(/\r\n?|\n/g, `\n${field}: `)}\n`;
}

/** ES2024, in Node since 20 and in browsers since 2023, but not in the `lib` that this project compiles against. */
function wellFormed(text: string): string {
  return (text as string & { toWellFormed(): string }).toWellFormed();
}

/** `instanceof` fails for a `Uint8Array` of another realm, such as a vm context. */
function isBytes(data: unknown): data is Uint8Array {
  return ArrayBuffer.isView(data) && Object.prototype.toString.call(data) === '[object Uint8Array]';
}

function stringify(data: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(data);
  } catch (cause) {
    throw new SseError('invalid-event', "An event's data could not be written as JSON; see the cause.", { cause });
  }
  if (json === undefined) {
    throw new SseError('invalid-event', "An event's data has no JSON form; use null to send nothing.");
  }
  return json;
}
