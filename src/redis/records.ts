import type { LogEntry, TopicHead } from '../engine/engine.js';
import type { Position } from '../topic/position.js';
import { ENTRY_HEADER_BYTES } from './script.js';

const EPOCH_BYTES = 6;

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

export function decodeMessage(message: Buffer): Message {
  const epoch = message.toString('latin1', 1, 1 + EPOCH_BYTES);
  const start = EPOCH_BYTES + 3;
  const end = start + message.readUInt16LE(EPOCH_BYTES + 1);
  const topic = message.toString('utf8', start, end);
  if (message[0] === 0x68) return { kind: 'hint', epoch, topic, seq: message.readDoubleLE(end) };
  return { kind: 'entry', epoch, entry: decodeEntry(topic, message.subarray(end)) };
}
