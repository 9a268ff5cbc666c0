import { within } from '../engine/kit/deadline.js';
import type { Subscriber } from './driver.js';

export interface ProbeOptions {
  readonly subscriber: Subscriber;
  readonly probeMs: number;
  /** Publishes to a channel that the subscriber is subscribed to, over another connection. */
  readonly publish: (message: Buffer) => Promise<unknown>;
  readonly onLost: (error: unknown) => void;
}

const KIND = 0x70;
const MESSAGE_BYTES = 5;

/**
 * Asks from time to time whether a connection still delivers: the server has to answer on it, and what is published has to
 * arrive on it. The first finds a network that swallows everything; the second a server that nobody publishes on any more.
 */
export class RedisProbe {
  readonly #options: ProbeOptions;
  #timer: NodeJS.Timeout | undefined;
  #count = 0;
  #heard = 0;
  #arrived: () => void = () => undefined;

  constructor(options: ProbeOptions) {
    this.#options = options;
  }

  start(): void {
    const { probeMs, onLost } = this.#options;
    const ask = (): void => void this.check().catch((error: unknown) => this.#timer && onLost(error));
    this.#timer = setInterval(ask, probeMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** To be told of every message. Whether it was meant for the probe. */
  take(message: Buffer): boolean {
    this.#heard++;
    if (message[0] !== KIND) return false;
    if (message.length === MESSAGE_BYTES && message.readUInt32LE(1) === this.#count) this.#arrived();
    return true;
  }

  /** Rejects when the connection does not deliver. */
  async check(): Promise<void> {
    const { subscriber, probeMs, publish } = this.#options;
    const message = Buffer.alloc(MESSAGE_BYTES, KIND);
    message.writeUInt32LE((this.#count = (this.#count + 1) >>> 0), 1);
    const arrived = new Promise<void>((resolve) => (this.#arrived = resolve));
    // When nothing can be published, that says nothing about the subscriber.
    const published = within(publish(message), probeMs, 'publishing').then(
      () => true,
      () => false,
    );
    const echoed = published.then((isPublished) => (isPublished ? arrived : undefined));
    const answered = Promise.all([subscriber.ping(), echoed]);
    const heard = this.#heard;
    try {
      await within(answered, probeMs, 'the answer to a probe');
    } catch (error) {
      // Behind many messages it comes later, but they come.
      if (this.#heard === heard) throw error;
    }
  }
}
