import type { LogEntry } from '../engine/engine.js';
import { EVENT_HEADER, decodeMeta } from './codec.js';
import { headerOf } from './driver.js';
import type { NatsMessage } from './driver.js';
import { millisecondsOf } from './stored-message.js';
import { epochOfLive, isToken, nameOf } from './subjects.js';

/** An event as the server republishes it. */
export interface LiveEvent {
  readonly epoch: string;
  readonly topic: string;
  readonly seq: number;
  /** When it was stored; servers before 2.10 do not tell. */
  readonly at: number | undefined;
  entryAt(at: number): LogEntry;
}

const EPOCH = /^[0-9a-z]{6}$/;

/** `undefined` for what no server has republished: others may be permitted to publish to these subjects. */
export function liveEventOf(message: NatsMessage, prefix: string): LiveEvent | undefined {
  const { subject } = message;
  const meta = decodeMeta(headerOf(message, EVENT_HEADER));
  const epoch = epochOfLive(prefix, subject);
  const seq = Number(headerOf(message, 'Nats-Sequence'));
  const prev = Number(headerOf(message, 'Nats-Last-Sequence'));
  const isChained = Number.isSafeInteger(seq) && Number.isSafeInteger(prev) && prev >= 0 && seq > prev;
  if (meta === undefined || !isChained || !EPOCH.test(epoch) || !isToken(subject)) return undefined;
  const topic = nameOf(subject);
  // A copy: the client's buffers are larger than one message, and would be kept by it.
  const data = message.data.slice();
  const at = millisecondsOf(headerOf(message, 'Nats-Time-Stamp'));
  return {
    epoch,
    topic,
    seq,
    at: Number.isSafeInteger(at) ? at : undefined,
    entryAt: (time) => ({ topic, seq, prev, at: time, data, id: meta.id }),
  };
}
