import { SseError } from '../errors.js';
import { fromBase64 } from './base64.js';
import { encodeDataOf, encodeFields, type DataKind } from './encode.js';
import { checkEvent, type SseEvent, type SseNotice } from './event.js';

/** What a topic's log says of the topic itself, in place of an event. */
export type Control = 'complete' | 'failed';

type Kind = DataKind | Control;

/** A payload's first byte. Stored in logs: a letter once given is never given to something else. */
const LETTERS: Readonly<Record<Kind, string>> = {
  text: 't',
  json: 'j',
  base64: 'b',
  none: 'n',
  complete: 'c',
  failed: 'x',
};

/** By the code of its letter. */
const KINDS: readonly (Kind | undefined)[] = Array.from({ length: 128 }, (_, code) => {
  const letter = String.fromCharCode(code);
  return (Object.keys(LETTERS) as Kind[]).find((kind) => LETTERS[kind] === letter);
});

/** What a log stores of an event: bytes, or ASCII text in place of the bytes that it stands for. */
export type Payload = Uint8Array | string;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
const lenient = new TextDecoder();

/** The entry that ends a topic's log: all is said. */
export const COMPLETE: Uint8Array = pack('complete', '');

/** Makes the entry that ends a topic's log with a failure. It carries no reason: what failed is not the clients' affair. */
export function packFailure(): Uint8Array {
  return pack('failed', '');
}

/** The same, or that of `COMPLETE`, with what is to be known of this end: a text that no client is given. */
export function packEnd(how: Control, said: string): Uint8Array {
  return pack(how, said);
}

/** What {@link packEnd} was given; empty for any other end. */
export function saidAtEnd(payload: Payload): string {
  const said = fieldsOf(payload);
  return typeof said === 'string' ? said : lenient.decode(said);
}

/**
 * Writes an event as an engine stores it: a byte that tells the data's kind, then the UTF-8 of its lines as they go on
 * the wire, without the id, which the log gives. So delivering a stored event costs no encoding.
 *
 * @throws SseError `invalid-event`
 */
export function packEvent(event: SseEvent | SseNotice): Uint8Array {
  checkEvent(event);
  return encoder.encode(packText(event));
}

/**
 * The same as text, of an event that has been checked.
 *
 * @throws SseError `invalid-event` when its data cannot be written
 */
export function packText(event: SseEvent | SseNotice): string {
  const data = encodeDataOf(event);
  return LETTERS[data.kind] + encodeFields(event, data);
}

/**
 * Reads what {@link packEvent} wrote, with the data as the value it was. A line break in text or in a comment has become
 * LF, as it has for every client, and the id is not there.
 *
 * @throws SseError `invalid-event` when the payload is empty, unknown, damaged, or a control entry.
 */
export function unpackEvent(payload: Payload): SseEvent | SseNotice {
  const kind = kindOf(payload);
  if (kind === undefined || kind === 'complete' || kind === 'failed') {
    throw new SseError('invalid-event', `Expected a stored event, got ${kind ?? 'an unknown payload'}.`);
  }
  try {
    const { data, event: type, retry, '': comment } = readFields(payload);
    const notice = { ...(retry !== undefined && { retry: Number(retry) }), ...(comment !== undefined && { comment }) };
    if (kind === 'none') return notice;
    if (data === undefined) throw new SseError('invalid-event', 'Expected a data line.');
    return { data: decodeData(kind, data), ...(type !== undefined && { type }), ...notice };
  } catch (cause) {
    throw new SseError('invalid-event', 'The stored event is damaged.', { cause });
  }
}

/** Tells what a stored entry says of its topic; `undefined` for an event. */
export function controlOf(payload: Payload): Control | undefined {
  const kind = kindOf(payload);
  return kind === 'complete' || kind === 'failed' ? kind : undefined;
}

/** The stored lines as they go on the wire: a view of the payload, not a copy. Nothing for a control entry. */
export function fieldsOf(payload: Payload): Payload {
  return typeof payload === 'string' ? payload.slice(1) : payload.subarray(1);
}

/** `TextEncoder`, not `Buffer.from`: a long-kept slice of Node's pool would keep 8 KiB alive. */
function pack(kind: Kind, fields: string): Uint8Array {
  return encoder.encode(LETTERS[kind] + fields);
}

function kindOf(payload: Payload): Kind | undefined {
  // Of nothing there is no first one, and no kind.
  return KINDS[(typeof payload === 'string' ? payload.charCodeAt(0) : payload[0]) as number];
}

/** Reads lines that `encodeFields` wrote: each has its `: `, repeated ones join with LF, a comment's name is empty. */
function readFields(payload: Payload): Partial<Record<string, string>> {
  const lines = fieldsOf(payload);
  const text = typeof lines === 'string' ? lines : decoder.decode(lines);
  const fields = new Map<string, string>();
  for (const line of text.split('\n').slice(0, -1)) {
    const [name] = line.split(': ', 1) as [string];
    const value = line.slice(name.length + 2);
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : `${before}\n${value}`);
  }
  return Object.fromEntries(fields);
}

function decodeData(kind: Exclude<DataKind, 'none'>, text: string): unknown {
  if (kind === 'json') return JSON.parse(text) as unknown;
  return kind === 'base64' ? fromBase64(text) : text;
}
