import { EVENT_HEADER } from './codec.js';
import { headerOf, statusOf } from './driver.js';
import type { NatsMessage } from './driver.js';

/** A message as the stream keeps it. */
export interface StoredMessage {
  readonly subject: string;
  readonly seq: number;
  readonly at: number;
  /** Of an event its `EventMeta`, as text. */
  readonly header: string;
  readonly data: Uint8Array;
}

export interface ApiError {
  readonly code: number;
  readonly err_code?: number;
  readonly description?: string;
}

/** The stream does not answer, or is not there: to be asked again. */
export class UnavailableError extends Error {}

/** Each message that is got has it: what has a status and not this is none. */
const SEQUENCE = 'Nats-Sequence';
const HEADER_LINE = new RegExp(`^${EVENT_HEADER}:(.*)$`, 'm');

/**
 * What `DIRECT.GET` has answered. `undefined` when that cannot be told: the message was published with headers that are none.
 *
 * @throws UnavailableError
 */
export function directOf(reply: NatsMessage): StoredMessage | 'none' | undefined {
  const seq = headerOf(reply, SEQUENCE);
  if (seq !== '') {
    return {
      subject: headerOf(reply, 'Nats-Subject'),
      seq: Number(seq),
      at: millisecondsOf(headerOf(reply, 'Nats-Time-Stamp')),
      header: headerOf(reply, EVENT_HEADER),
      data: reply.data,
    };
  }
  const status = statusOf(reply);
  if (status < 300) return undefined;
  if (status === 404) return 'none';
  throw new UnavailableError(`JetStream refused a read (${status})`);
}

/**
 * What `STREAM.MSG.GET` has answered; `undefined` when there is no such message.
 *
 * @throws UnavailableError
 */
export function storedOf(reply: NatsMessage): StoredMessage | undefined {
  const { message, error } = parse(reply) as {
    readonly message?: { subject: string; seq: number; time: string; data?: string; hdrs?: string };
    readonly error?: ApiError;
  };
  if (message !== undefined) {
    const { subject, seq, time, data = '', hdrs = '' } = message;
    const [, header = ''] = HEADER_LINE.exec(Buffer.from(hdrs, 'base64').toString()) ?? [];
    return { subject, seq, at: millisecondsOf(time), header: header.trim(), data: Buffer.from(data, 'base64') };
  }
  if (error?.code === 404) return undefined;
  throw new UnavailableError(error?.description ?? 'JetStream refused a read');
}

/** Nobody listens on the subject: nothing was done. */
export function isNobodyThere(message: NatsMessage): boolean {
  return message.data.byteLength === 0 && statusOf(message) === 503 && headerOf(message, SEQUENCE) === '';
}

/** Whole ms of RFC 3339 with up to nine digits after the point. */
export function millisecondsOf(time: string): number {
  return Math.floor(Date.parse(time.replace(/(\.\d{3})\d+/, '$1')));
}

export function parse({ data }: NatsMessage): unknown {
  return JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString());
}
