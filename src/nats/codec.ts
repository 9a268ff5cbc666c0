import type { Retention } from '../engine/engine.js';
import { SseError } from '../errors.js';
import { MAX_ID_BYTES } from '../wire/event.js';

/** What the stream keeps of an event beside its data, which is the payload. */
export interface EventMeta {
  readonly id?: string | undefined;
  readonly retention: Retention;
}

export const EVENT_HEADER = 'Sse-Event';

/** The most that the headers of an event take: `Nats-Msg-Id` and this one, with the longest id. */
export const HEADER_BYTES = 2_048;

const VERSION = '1';
const FORM = /^1 (\S+) (\S+) (\S+)(?: ([\w-]*))?$/;

/** `version maxEvents maxBytes maxAgeMs`, and the id in base64url when there is one: headers are text, ids may have any characters. */
export function encodeMeta({ id, retention }: EventMeta): string {
  const { maxEvents, maxBytes, maxAgeMs } = retention;
  const parts = [VERSION, maxEvents, maxBytes, maxAgeMs];
  if (id === undefined) return parts.join(' ');
  const bytes = Buffer.from(id);
  if (bytes.byteLength > MAX_ID_BYTES) throw new SseError('too-large', `The id takes more than ${MAX_ID_BYTES} bytes`);
  return `${parts.join(' ')} ${bytes.toString('base64url')}`;
}

/** `undefined` for what another program has published to a subject of ours. */
export function decodeMeta(header: string): EventMeta | undefined {
  const [, events, bytes, age, id] = FORM.exec(header) ?? [];
  const [maxEvents, maxBytes, maxAgeMs] = [Number(events), Number(bytes), Number(age)];
  if (!(maxEvents >= 0 && maxBytes >= 0 && maxAgeMs >= 0)) return undefined;
  const retention = { maxEvents, maxBytes, maxAgeMs };
  return { id: id === undefined ? undefined : Buffer.from(id, 'base64url').toString(), retention };
}
