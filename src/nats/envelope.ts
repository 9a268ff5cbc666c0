import type { Retention } from '../engine/engine.js';
import { SseError } from '../errors.js';

/** A message as the stream keeps it: `data` is an {@link Envelope}. */
export interface StoredMessage {
  readonly subject: string;
  readonly seq: number;
  readonly at: number;
  readonly data: Uint8Array;
}

/** What one message carries. The topic stands in its subject. */
export interface Envelope {
  readonly data: Uint8Array;
  readonly id: string | undefined;
  readonly retention: Retention;
}

const VERSION = 1;
/** The version, three numbers of 8 bytes, and the length of the id. */
const FIXED_BYTES = 1 + 3 * 8 + 2;
const NO_ID = 0xffff;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** `version u8 · maxEvents f64 · maxBytes f64 · maxAgeMs f64 · length of id u16 · id · data`; a length of 65535 is no id. */
export function encodeEnvelope({ data, id, retention }: Envelope): Uint8Array {
  const idBytes = id === undefined ? undefined : encoder.encode(id);
  if (idBytes !== undefined && idBytes.byteLength >= NO_ID)
    throw new SseError('too-large', 'The id takes more than 65,534 bytes');
  const dataAt = FIXED_BYTES + (idBytes?.byteLength ?? 0);
  const bytes = new Uint8Array(dataAt + data.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, VERSION);
  view.setFloat64(1, retention.maxEvents);
  view.setFloat64(9, retention.maxBytes);
  view.setFloat64(17, retention.maxAgeMs);
  view.setUint16(25, idBytes?.byteLength ?? NO_ID);
  if (idBytes !== undefined) bytes.set(idBytes, FIXED_BYTES);
  bytes.set(data, dataAt);
  return bytes;
}

/**
 * `undefined` for what another program has published to a subject of ours. The data is a copy: the client's buffers are
 * larger than one message, and would be kept by it.
 */
export function decodeEnvelope(bytes: Uint8Array): Envelope | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < FIXED_BYTES || view.getUint8(0) !== VERSION) return undefined;
  const idLength = view.getUint16(25);
  const dataAt = FIXED_BYTES + (idLength === NO_ID ? 0 : idLength);
  return {
    data: bytes.slice(dataAt),
    id: idLength === NO_ID ? undefined : decoder.decode(bytes.subarray(FIXED_BYTES, dataAt)),
    retention: { maxEvents: view.getFloat64(1), maxBytes: view.getFloat64(9), maxAgeMs: view.getFloat64(17) },
  };
}
