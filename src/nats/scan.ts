import { DeadlineError, before } from './deadline.js';
import { headerOf, isStatus } from './driver.js';
import type { NatsMessage } from './driver.js';
import { EVENT_HEADER } from './event-header.js';
import type { Link } from './link.js';
import type { NatsSettings } from './options.js';
import type { StoredMessage } from './stored-message.js';

/** How many messages come for one request: what they take is in memory at once. */
const MAX_MESSAGES = 100;
const MAX_BYTES = 8_388_608;
const MAX_HEADERS = 1_000;
/** A batch that the connection lost does not come again. */
const PATIENCE_MS = 1_000;
const CONSUMER_MS = 5_000;
const NS_PER_MS = 1_000_000;

export interface ScanRequest {
  /** `undefined` for all that the stream has: for a pattern the server counts what matches, 0.1 s for 150,000, and stores nothing meanwhile. */
  readonly subject: string | undefined;
  /** From which sequence on, or only the newest. */
  readonly from: number | 'newest';
  /** How many for one request. */
  readonly size?: number;
  /** Without the data of the messages. */
  readonly headersOnly: boolean;
}

/**
 * Reads the messages of a subject from a sequence on, many at a time, with a consumer that exists only for that. It ends
 * where the consumer's server knows no more, or does not answer: the caller knows whether that was all.
 */
export async function* scan(
  link: Link,
  settings: NatsSettings,
  { subject, from, headersOnly, size = headersOnly ? MAX_HEADERS : MAX_MESSAGES }: ScanRequest,
  until: number,
): AsyncGenerator<StoredMessage[]> {
  const { apiPrefix, stream } = settings;
  const bounds = headersOnly ? { batch: size } : { batch: size, max_bytes: MAX_BYTES };
  const batch = new Batch(size);
  const inbox = link.createInbox();
  const subscription = link.subscribe(inbox, (message) => batch.take(message));
  let name: string | undefined;
  try {
    const filter = subject === undefined ? {} : { filter_subject: subject };
    const begin = from === 'newest' ? { deliver_policy: 'last_per_subject' } : { opt_start_seq: from };
    const config = { headers_only: headersOnly, ...begin, ...filter };
    ({ name } = await createConsumer(link, settings, config, patience(until)));
    while (name !== undefined) {
      const messages = batch.next();
      link.publish(`${apiPrefix}.CONSUMER.MSG.NEXT.${stream}.${name}`, json({ ...bounds, no_wait: true }), inbox);
      const found = (await before(patience(until), messages)) ?? [];
      if (found.length > 0) yield found;
      if (found.length < size) return;
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
  link: Link,
  settings: NatsSettings,
  subject: string,
  seq: number,
  deadline: number,
): Promise<number | undefined> {
  const config = { opt_start_seq: seq + 1, filter_subject: subject, headers_only: true };
  const { name, num_pending } = await createConsumer(link, settings, config, deadline);
  if (name !== undefined) deleteConsumer(link, settings, name);
  return num_pending;
}

interface Consumer {
  readonly name?: string;
  readonly num_pending?: number;
}

async function createConsumer(
  link: Link,
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
function deleteConsumer(link: Link, { apiPrefix, stream }: NatsSettings, name: string): void {
  link.publish(`${apiPrefix}.CONSUMER.DELETE.${stream}.${name}`, json({}));
}

function patience(until: number): number {
  return Math.min(until, performance.now() + PATIENCE_MS);
}

/** Gathers the answers to one request. */
class Batch {
  readonly #size: number;
  #found: StoredMessage[] = [];
  #resolve: ((found: StoredMessage[]) => void) | undefined;

  constructor(size: number) {
    this.#size = size;
  }

  next(): Promise<StoredMessage[]> {
    this.#found = [];
    return new Promise((resolve) => (this.#resolve = resolve));
  }

  take(message: NatsMessage): void {
    const { subject, reply = '', data } = message;
    // There are no more.
    if (isStatus(message) && reply === '') return this.#resolve?.(this.#found);
    const bytes = data.byteLength > 0 ? data.byteLength : Number(headerOf(message, 'Nats-Msg-Size'));
    this.#found.push({ subject, data, bytes, header: headerOf(message, EVENT_HEADER), ...placeIn(reply) });
    if (this.#found.length === this.#size) this.#resolve?.(this.#found);
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
