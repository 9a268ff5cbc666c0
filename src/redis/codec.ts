import type { LogEntry, TopicHead } from '../engine/engine.js';
import type { Position } from '../topic/position.js';
import { ENTRY_HEADER_BYTES } from './script.js';

const EPOCH_BYTES = 6;
const PLACE_BYTES = 16;
const EPOCH = /^[0-9a-z]{6}$/;
/** In a message, where the topic stands: behind its kind, the epoch, and its length. */
const TOPIC_AT = 1 + EPOCH_BYTES + 2;
const ENTRY = 0x65;
const HINT = 0x68;
/** What is passed for a bound that is none. */
const UNBOUNDED = 1e15;

/** The lane as it is stored. */
export interface Lane {
  readonly head: Position;
  /** Sequence of the newest event of a topic that has been forgotten. */
  readonly forgotten: number;
}

/** What a subscriber is sent. */
export type Message =
  | { readonly kind: 'entry'; readonly epoch: string; readonly entry: LogEntry }
  | { readonly kind: 'hint'; readonly epoch: string; readonly topic: string; readonly seq: number };

export function decodeLane(lane: Buffer): Lane {
  const epoch = lane.toString('latin1', 0, EPOCH_BYTES);
  const head = { epoch, seq: lane.readDoubleLE(EPOCH_BYTES), at: lane.readDoubleLE(EPOCH_BYTES + 8) };
  return { head, forgotten: lane.readDoubleLE(EPOCH_BYTES + 16) };
}

export function decodeHead(head: Buffer): TopicHead {
  return { seq: head.readDoubleLE(0), at: head.readDoubleLE(8) };
}

/** Where events were stored, one behind the other: `undefined` for one that was not. */
export function decodePlaces(epoch: string, places: Buffer): (Position | undefined)[] {
  const positions: (Position | undefined)[] = [];
  for (let place = 0; place < places.length; place += PLACE_BYTES) {
    const seq = places.readDoubleLE(place);
    positions.push(seq === 0 ? undefined : { epoch, seq, at: places.readDoubleLE(place + 8) });
  }
  return positions;
}

export function decodeEntry(topic: string, entry: Buffer): LogEntry {
  const idBytes = entry.readUInt32LE(24);
  const start = ENTRY_HEADER_BYTES + Math.max(idBytes - 1, 0);
  return {
    topic,
    seq: entry.readDoubleLE(0),
    prev: entry.readDoubleLE(8),
    at: entry.readDoubleLE(16),
    // A copy: a part would keep alive all that came in with it.
    data: Uint8Array.prototype.slice.call(entry, start),
    id: idBytes === 0 ? undefined : entry.toString('utf8', ENTRY_HEADER_BYTES, start),
  };
}

/**
 * Whoever may publish to the channels may send anything there, to every process that listens.
 *
 * @returns `undefined` for what no script of ours has published
 */
export function decodeMessage(message: Buffer): Message | undefined {
  if (message.length < TOPIC_AT) return undefined;
  const epoch = message.toString('latin1', 1, 1 + EPOCH_BYTES);
  const end = TOPIC_AT + message.readUInt16LE(EPOCH_BYTES + 1);
  if (end > message.length || !EPOCH.test(epoch)) return undefined;
  const topic = message.toString('utf8', TOPIC_AT, end);
  if (message[0] === HINT) {
    const seq = message.length === end + 8 ? message.readDoubleLE(end) : 0;
    return isNumber(seq, 1) ? { kind: 'hint', epoch, topic, seq } : undefined;
  }
  if (message[0] !== ENTRY || message.length < end + ENTRY_HEADER_BYTES) return undefined;
  const bytes = message.subarray(end);
  if (ENTRY_HEADER_BYTES + bytes.readUInt32LE(24) - 1 > bytes.length) return undefined;
  const entry = decodeEntry(topic, bytes);
  const isSound = isNumber(entry.seq, 1) && isNumber(entry.prev, 0) && entry.prev < entry.seq && isNumber(entry.at, 0);
  return isSound ? { kind: 'entry', epoch, entry } : undefined;
}

function isNumber(value: number, least: number): boolean {
  return Number.isSafeInteger(value) && value >= least;
}

/** As the scripts take numbers. */
export function toArguments(...numbers: number[]): string[] {
  return numbers.map((number) => String(Math.min(number, UNBOUNDED)));
}
