import type { AppendRequest, LogEntry } from '../engine/engine.js';
import type { PostgresQuery } from './driver.js';

/**
 * How the driver reads what our statements give, which is all text: as it is. The application may have registered parsers of its own for
 * any type, with the driver as a whole or with its pool.
 */
export const TEXT: PostgresQuery['types'] = { getTypeParser: () => String };

/** What is not a text is no column of ours, or NULL. */
export type Row = Readonly<Record<string, unknown>>;

/** Of a row of the kind `e`. */
export function toEntry({ name, a: seq, b: prev, c: at, id, data }: Row): LogEntry {
  const entry = { topic: toText(name), seq: toNumber(seq), prev: toNumber(prev), at: toNumber(at) };
  return { ...entry, data: toBytes(data), id: id === null ? undefined : toText(id) };
}

/** @throws Error when it is not what our statements give: an entry that cannot be read must not look like none */
export function toNumber(text: unknown): number {
  const number = typeof text === 'string' && text !== '' ? Number(text) : NaN;
  if (!Number.isSafeInteger(number)) throw unreadable('a whole number', text);
  return number;
}

/** @throws Error when it is not what our statements give */
export function toText(text: unknown): string {
  if (typeof text !== 'string') throw unreadable('a text', text);
  return text;
}

/** @throws Error when it is not what our statements give */
function toBytes(base64: unknown): Uint8Array {
  return new Uint8Array(Buffer.from(toText(base64), 'base64'));
}

function unreadable(expected: string, got: unknown): Error {
  return new Error(`the driver should have given ${expected}, and gave ${got === null ? 'null' : `a ${typeof got}`}`);
}

/** What the function `append` takes of a batch: names, ids, sizes, data, events, bytes, ages. */
export function encodeBatch(requests: readonly AppendRequest[]): unknown[] {
  return [
    requests.map(({ topic }) => topic),
    requests.map(({ id }) => id ?? null),
    requests.map(({ data }) => data.byteLength),
    Buffer.concat(requests.map(({ data }) => data)),
    requests.map(({ retention }) => retention.maxEvents),
    requests.map(({ retention }) => retention.maxBytes),
    requests.map(({ retention }) => retention.maxAgeMs),
  ];
}

/** What the function `append_one` takes of an event: name, id, size, data, events, bytes, age. */
export function encodeOne({ topic, id, data, retention }: AppendRequest): unknown[] {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const { maxEvents, maxBytes, maxAgeMs } = retention;
  return [topic, id ?? null, data.byteLength, bytes, maxEvents, maxBytes, maxAgeMs];
}
