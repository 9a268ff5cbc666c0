import type { Messages } from './messages.js';
import type { Subjects } from './subjects.js';

/**
 * How far back is looked for an event that was overtaken. Measured on two busy cores (nats-server 2.9.10, three publishers): at 900
 * events a second by up to 5 others, at 6,000 by up to 11, at 9,000 nine in ten by up to 28 and one by 93.
 */
const DEPTH = 16;
/** Sequences of what has come, or will not: more than `DEPTH`. */
const REMEMBERED = 64;
/** What has not come by now was lost on its way: 30 ms is the longest that was seen. The hub notices. */
const WAIT_MS = 250;

/**
 * Servers that store what a client sends while they read from it (until nats-server pull request 4018) republish events of concurrent
 * publishers in the wrong order now and then: on two busy cores one in 7,000 at 1,500 a second. Who passed on the later one first
 * would tell readers a place that skips the earlier one. So it is held until each of those shortly before it has come, or is known
 * to be none of ours.
 */
export class LaneOrder {
  readonly #messages: Messages;
  readonly #isComing: (subject: string, seq: number) => boolean;
  readonly #settled = new Float64Array(REMEMBERED);
  readonly #awaited = new Map<number, { readonly arrived: Promise<void>; readonly settle: () => void }>();
  #epoch = '';

  /** @param isComing whether a stored message will be delivered to this process, if it has not been */
  constructor(messages: Messages, isComing: (subject: string, seq: number) => boolean) {
    this.#messages = messages;
    this.#isComing = isComing;
  }

  arrived(epoch: string, seq: number): void {
    if (epoch !== this.#epoch) {
      this.forget();
      this.#epoch = epoch;
    }
    this.#settled[seq % REMEMBERED] = seq;
    this.#awaited.get(seq)?.settle();
  }

  /** Resolves once those before have come that will. `undefined`: they have. */
  complete(subjects: Subjects, seq: number, deadline: number): Promise<unknown> | undefined {
    const missing: Promise<void>[] = [];
    for (let before = Math.max(1, seq - DEPTH); before < seq; before++) {
      if (!this.#isSettled(before)) missing.push(this.#settle(subjects, before, deadline));
    }
    return missing.length === 0 ? undefined : Promise.all(missing);
  }

  /** Waits for nothing any more, and knows nothing. */
  forget(): void {
    this.#settled.fill(0);
    for (const { settle } of this.#awaited.values()) settle();
  }

  #isSettled(seq: number): boolean {
    return this.#settled[seq % REMEMBERED] === seq;
  }

  async #settle(subjects: Subjects, seq: number, deadline: number): Promise<void> {
    const subject = await this.#messages.subjectOf(subjects, seq, deadline);
    if (subjects.epoch !== this.#epoch || this.#isSettled(seq)) return;
    if (subject !== undefined && this.#isComing(subject, seq)) await this.#arrival(seq);
    if (subjects.epoch === this.#epoch) this.#settled[seq % REMEMBERED] = seq;
  }

  #arrival(seq: number): Promise<void> {
    const known = this.#awaited.get(seq);
    if (known !== undefined) return known.arrived;
    let settle = (): void => undefined;
    const arrived = new Promise<void>((resolve) => {
      const timer = setTimeout(() => settle(), WAIT_MS).unref();
      settle = () => {
        clearTimeout(timer);
        this.#awaited.delete(seq);
        resolve();
      };
    });
    this.#awaited.set(seq, { arrived, settle });
    return arrived;
  }
}
