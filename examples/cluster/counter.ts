import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { EventStreamService, SseError } from 'nestjs-event-stream';
import { setTimeout as delay } from 'node:timers/promises';

/** A number of one count. A count goes 1, 2, 3, … without a gap, so a reader can tell what is missing. */
export interface CountedNumber {
  readonly node: string;
  /** When the count began, in ms since 1970: together with the node, its name. */
  readonly since: number;
  readonly n: number;
  /** When it was published, in ms since 1970. */
  readonly at: number;
  readonly by: 'clock' | 'button';
}

/** Publishes a number each second, and whenever it is asked to. */
@Injectable()
export class Counter implements OnApplicationBootstrap, OnModuleDestroy {
  readonly node = process.env.NODE_NAME ?? 'a';
  readonly #logger = new Logger('Counter');
  readonly #closing = new AbortController();
  #since = Date.now();
  #n = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly streams: EventStreamService) {}

  onApplicationBootstrap(): void {
    void this.#count();
  }

  onModuleDestroy(): void {
    this.#closing.abort();
  }

  /** Publishes the next number, after those that are under way: what becomes of one decides which is next. */
  publish(by: CountedNumber['by']): Promise<CountedNumber> {
    const published = this.#last.then(() => this.#publish(by));
    this.#last = published.catch(() => undefined);
    return published;
  }

  async #publish(by: CountedNumber['by']): Promise<CountedNumber> {
    const number = { node: this.node, since: this.#since, n: this.#n + 1, at: Date.now(), by };
    try {
      await this.streams.publish('numbers', { type: 'number', data: number });
      this.#n = number.n;
      return number;
    } catch (error) {
      // `engine-failed`: nothing was stored, and the next try has this number. `engine-uncertain`: it may be in the log,
      // so it must not be used again, nor left out. A new count begins.
      if (SseError.is(error) && error.code === 'engine-uncertain') [this.#since, this.#n] = [Date.now(), 0];
      throw error;
    }
  }

  async #count(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.publish('clock').catch((error: Error) => this.#logger.warn(error.message));
      await delay(1_000, undefined, { signal }).catch(() => undefined);
    }
  }
}
