import type { Call } from './calls.js';
import type { RedisLink } from './link.js';
import { SWEEP } from './scripts.js';

/** How many topics one step looks at: about half a millisecond in which the server does nothing else. */
const STEP = '500';

/** Longer than any process waits for an answer. */
const TOKEN_MS = '600000';

/** Has the server forget idle topics, from time to time and a part at a time. */
export class RedisSweeper {
  readonly #link: RedisLink;
  readonly #sweepMs: number;
  #timer: NodeJS.Timeout | undefined;
  #call: Call = { isOver: false, cause: undefined };
  #isSweeping = false;

  constructor(link: RedisLink, sweepMs: number) {
    this.#link = link;
    this.#sweepMs = sweepMs;
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.#sweep(), this.#sweepMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#call.isOver = true;
  }

  async #sweep(): Promise<void> {
    if (this.#isSweeping || !this.#link.isReady()) return;
    this.#isSweeping = true;
    const keys = [this.#link.key('lane'), this.#link.key('names')];
    // A little less than the interval, so that a timer that comes early does not wait for the next.
    const pauseMs = String(Math.floor(this.#sweepMs * 0.9));
    try {
      let from = '0';
      do {
        from = String(await this.#link.run(this.#call, SWEEP, keys, [from, STEP, pauseMs, TOKEN_MS]));
      } while (from !== '0' && !this.#call.isOver);
    } catch {
      // It will be done the next time.
    }
    this.#isSweeping = false;
  }
}
