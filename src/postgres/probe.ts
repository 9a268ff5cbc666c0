import { randomUUID } from 'node:crypto';
import { within } from '../engine/kit/deadline.js';

/** A connection was made, and is told nothing. */
export class Deaf extends Error {
  constructor(ms: number) {
    super(
      `what is notified over the pool was not heard within ${ms} ms on the connection that listens: ` +
        'it has to be one of its own, past any pooler, to the database of the pool (listenOptions)',
    );
  }
}

/** Asks whether a connection that listens is told of what is notified over the pool, by a token that nobody can know before. */
export class PostgresProbe {
  readonly #notify: (payload: string) => Promise<unknown>;
  readonly #ms: number;
  #token = '';
  #heard = 0;
  #arrived: () => void = () => undefined;

  constructor(notify: (payload: string) => Promise<unknown>, ms: number) {
    this.#notify = notify;
    this.#ms = ms;
  }

  /** To be given each notification. Whether it was meant for this probe. */
  take(payload: string): boolean {
    this.#heard++;
    if (payload !== this.#token) return false;
    this.#arrived();
    return true;
  }

  /** Rejects when it is not told, or when nothing can be notified. */
  async confirm(): Promise<void> {
    const arrived = this.#draw();
    await this.#notify(this.#token);
    await this.#hear(arrived);
  }

  /** Rejects when it is not told any more. */
  async check(): Promise<void> {
    const arrived = this.#draw();
    const heard = this.#heard;
    const isSent = await this.#notify(this.#token).then(
      () => true,
      () => false,
    );
    // When nothing can be notified, that says nothing of who listens.
    if (!isSent) return;
    await this.#hear(arrived).catch((error: unknown) => {
      // Behind many others it comes later, but they come.
      if (this.#heard === heard) throw error;
    });
  }

  #draw(): Promise<void> {
    this.#token = `?${randomUUID()}`;
    return new Promise((resolve) => (this.#arrived = resolve));
  }

  #hear(arrived: Promise<void>): Promise<void> {
    return within(arrived, this.#ms, () => new Deaf(this.#ms));
  }
}
