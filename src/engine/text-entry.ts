import type { AppendRequest, LogEntry, Retention } from './engine.js';

/** Up to so many characters ASCII is kept as text: an array of its own takes 350 bytes more. */
const MAX_TEXT = 512;

const utf8 = new TextEncoder();

type HasPayload = Pick<LogEntry, 'data' | 'text'>;

/**
 * What is to be stored of a payload that there is as text.
 *
 * @param mayBeText whether text may be stored: an engine that others wrap gets an object that can be copied
 */
export function requestOf(
  topic: string,
  payload: string,
  id: string | undefined,
  retention: Retention,
  mayBeText: boolean,
): AppendRequest {
  const isText = mayBeText && payload.length <= MAX_TEXT && Buffer.byteLength(payload) === payload.length;
  return isText ? new TextRequest(topic, payload, id, retention) : { topic, data: utf8.encode(payload), id, retention };
}

/** The entry of a request, as it is kept in memory. */
export function entryOf(request: AppendRequest, seq: number, prev: number, at: number): LogEntry {
  const { topic, text, id } = request;
  if (text !== undefined) return new TextEntry(topic, seq, prev, at, text, id);
  return { topic, seq, prev, at, data: request.data, id };
}

/** The payload as it is at hand: `data` of one that is text is encoded anew each time. */
export function payloadOf(entry: HasPayload): Uint8Array | string {
  return entry.text ?? entry.data;
}

/** In bytes. */
export function sizeOf(entry: HasPayload): number {
  return entry.text === undefined ? entry.data.byteLength : entry.text.length;
}

/** A payload of ASCII, for engines that have asked for it; of one that wants the bytes `data` is made once. */
class TextRequest implements AppendRequest {
  readonly topic: string;
  readonly text: string;
  readonly id: string | undefined;
  readonly retention: Retention;
  #data: Uint8Array | undefined;

  constructor(topic: string, text: string, id: string | undefined, retention: Retention) {
    this.topic = topic;
    this.text = text;
    this.id = id;
    this.retention = retention;
  }

  get data(): Uint8Array {
    return (this.#data ??= utf8.encode(this.text));
  }
}

/** An entry whose payload is ASCII, which keeps nothing but its text. */
class TextEntry implements LogEntry {
  readonly topic: string;
  readonly seq: number;
  readonly prev: number;
  readonly at: number;
  readonly text: string;
  readonly id: string | undefined;

  constructor(topic: string, seq: number, prev: number, at: number, text: string, id: string | undefined) {
    this.topic = topic;
    this.seq = seq;
    this.prev = prev;
    this.at = at;
    this.text = text;
    this.id = id;
  }

  get data(): Uint8Array {
    return utf8.encode(this.text);
  }
}
