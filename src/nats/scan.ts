import type { NatsMessage } from './driver.js';
import type { StoredMessage } from './envelope.js';
import { DeadlineError, before } from './link.js';
import type { Link } from './link.js';
import type { NatsSettings } from './options.js';

/** How many messages come for one request: what they take is in memory at once. */
const BATCH = 100;
/** A batch that the connection lost does not come again. */
const PATIENCE_MS = 1_000;
const CONSUMER_MS = 5_000;
const NS_PER_MS = 1_000_000;

/**
 * Reads the messages of one subject from a sequence on, many at a time, with a consumer that exists only for that. It ends
 * where the consumer's server knows no more, or does not answer: the caller knows whether that was all.
 */
export async function* scan(
  link: Link,
  { apiPrefix, stream }: NatsSettings,
  subject: string,
  from: number,
  until: number,
): AsyncGenerator<StoredMessage> {
  const deadline = Math.min(until, performance.now() + PATIENCE_MS);
  const batch = new Batch();
  const inbox = link.createInbox();
  const subscription = link.subscribe(inbox, (message) => batch.take(message));
  const config = {
    ack_policy: 'none',
    deliver_policy: 'by_start_sequence',
    opt_start_seq: from,
    filter_subject: subject,
    inactive_threshold: CONSUMER_MS * NS_PER_MS,
    mem_storage: true,
    num_replicas: 1,
  };
  const ask = (operation: string, request: object): Promise<NatsMessage> =>
    link.request({ subject: `${apiPrefix}.CONSUMER.${operation}`, data: json(request), deadline, sends: 0 });
  let name: string | undefined;
  try {
    const reply = await ask(`CREATE.${stream}`, { stream_name: stream, config });
    name = (JSON.parse(Buffer.from(reply.data).toString() || '{}') as { name?: string }).name;
    while (name !== undefined) {
      const messages = batch.next();
      link.publish(`${apiPrefix}.CONSUMER.MSG.NEXT.${stream}.${name}`, json({ batch: BATCH, no_wait: true }), inbox);
      const found = (await before(deadline, messages)) ?? [];
      yield* found;
      if (found.length < BATCH) return;
    }
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error;
  } finally {
    subscription?.unsubscribe();
    // It goes by itself when this fails.
    if (name !== undefined) ask(`DELETE.${stream}.${name}`, {}).catch(() => undefined);
  }
}

/** Gathers the answers to one request. */
class Batch {
  #found: StoredMessage[] = [];
  #resolve: ((found: StoredMessage[]) => void) | undefined;

  next(): Promise<StoredMessage[]> {
    this.#found = [];
    return new Promise((resolve) => (this.#resolve = resolve));
  }

  take({ subject, reply, headers, data }: NatsMessage): void {
    // A status without a message: there are no more.
    if (headers !== undefined && headers.code >= 300) return this.#resolve?.(this.#found);
    this.#found.push({ subject, data, ...placeIn(reply ?? '') });
    if (this.#found.length === BATCH) this.#resolve?.(this.#found);
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
