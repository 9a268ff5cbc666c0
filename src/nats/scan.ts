import { DeadlineError, before } from '../engine/kit/deadline.js';
import { EVENT_HEADER } from './codec.js';
import { headerOf, statusOf } from './driver.js';
import type { NatsMessage } from './driver.js';
import type { NatsLink } from './link.js';
import type { NatsSettings } from './options.js';
import type { StoredMessage } from './stored-message.js';

/**
 * How many messages come for one request, and how many bytes of them: what they take is in memory at once. With their headers only they
 * would take less, but nats-server 2.9.10 ends with a panic when it is to give that of a message whose headers are one byte, which
 * whoever may publish can store.
 */
const MAX_MESSAGES = 1_000;
const MAX_BYTES = 4_194_304;
/** The status that says that no more fit. */
const FULL = 409;
/** A batch that the connection lost does not come again. */
const PATIENCE_MS = 1_000;
const CONSUMER_MS = 5_000;
const NS_PER_MS = 1_000_000;

export interface ScanRequest {
  /** `undefined` for all that the stream has: for a pattern the server counts what matches, 0.1 s for 150,000, and stores nothing meanwhile. */
  readonly subject: string | undefined;
  /** From which sequence on. */
  readonly from: number;
}

/**
 * Reads the messages of a subject from a sequence on, many at a time, with a consumer that exists only for that. It ends
 * where the consumer's server knows no more, or does not answer: the caller knows whether that was all.
 */
export async function* scan(
  link: NatsLink,
  settings: NatsSettings,
  { subject, from }: ScanRequest,
  until: number,
): AsyncGenerator<StoredMessage[]> {
  const { apiPrefix, stream } = settings;
  const request = json({ batch: MAX_MESSAGES, max_bytes: MAX_BYTES, no_wait: true });
  const batch = new ScanBatch();
  const inbox = link.createInbox();
  const subscription = link.subscribe(inbox, (message) => batch.take(message));
  let name: string | undefined;
  try {
    const filter = subject === undefined ? {} : { filter_subject: subject };
    ({ name } = await createConsumer(link, settings, { opt_start_seq: from, ...filter }, patience(until)));
    while (name !== undefined) {
      const messages = batch.next();
      link.publish(`${apiPrefix}.CONSUMER.MSG.NEXT.${stream}.${name}`, request, inbox);
      const { found, isLast } = await before(patience(until), messages);
      if (found.length > 0) yield found;
      if (isLast || found.length === 0) return;
    }
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error;
  } finally {
    subscription?.unsubscribe();
    if (name !== undefined) deleteConsumer(link, settings, name);
  }
}

/** How many messages of a subject there are beyond a sequence; `undefined` when its server does not say. */
export async function countBeyond(
  link: NatsLink,
  settings: NatsSettings,
  subject: string,
  seq: number,
  deadline: number,
): Promise<number | undefined> {
  const config = { opt_start_seq: seq + 1, filter_subject: subject };
  const { name, num_pending } = await createConsumer(link, settings, config, deadline);
  if (name !== undefined) deleteConsumer(link, settings, name);
  return num_pending;
}

interface Consumer {
  readonly name?: string;
  readonly num_pending?: number;
}

async function createConsumer(
  link: NatsLink,
  { apiPrefix, stream }: NatsSettings,
  more: object,
  deadline: number,
): Promise<Consumer> {
  const config = {
    ack_policy: 'none',
    deliver_policy: 'by_start_sequence',
    inactive_threshold: CONSUMER_MS * NS_PER_MS,
    mem_storage: true,
    num_replicas: 1,
    ...more,
  };
  const request = json({ stream_name: stream, config });
  const reply = await link.request({
    subject: `${apiPrefix}.CONSUMER.CREATE.${stream}`,
    data: request,
    deadline,
    sends: 0,
  });
  return JSON.parse(Buffer.from(reply.data).toString() || '{}') as Consumer;
}

/** It goes by itself when this fails. */
function deleteConsumer(link: NatsLink, { apiPrefix, stream }: NatsSettings, name: string): void {
  link.publish(`${apiPrefix}.CONSUMER.DELETE.${stream}.${name}`, json({}));
}

function patience(until: number): number {
  return Math.min(until, performance.now() + PATIENCE_MS);
}

interface Found {
  readonly found: StoredMessage[];
  /** There are no more. */
  readonly isLast: boolean;
}

/** Gathers the answers to one request. */
class ScanBatch {
  #found: StoredMessage[] = [];
  #resolve: ((found: Found) => void) | undefined;

  next(): Promise<Found> {
    this.#found = [];
    return new Promise((resolve) => (this.#resolve = resolve));
  }

  take(message: NatsMessage): void {
    const { subject, reply = '', data } = message;
    if (reply === '') return this.#end(statusOf(message) !== FULL);
    this.#found.push({ subject, data, header: headerOf(message, EVENT_HEADER), ...placeIn(reply) });
    if (this.#found.length === MAX_MESSAGES) this.#end(false);
  }

  #end(isLast: boolean): void {
    this.#resolve?.({ found: this.#found, isLast });
  }
}

/**
 * Where to acknowledge, which tells the place: `$JS.ACK.stream.consumer.deliveries.seq.n.time.pending`, and with a domain
 * two tokens more after `ACK`. The time is in ns.
 */
function placeIn(reply: string): { seq: number; at: number } {
  const tokens = reply.split('.');
  const shift = tokens.length > 9 ? 2 : 0;
  return { seq: Number(tokens[5 + shift]), at: Number(tokens[7 + shift]?.slice(0, -6)) };
}

function json(request: object): Uint8Array {
  return Buffer.from(JSON.stringify(request));
}
