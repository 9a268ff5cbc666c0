import { randomBytes } from 'node:crypto';
import { afterReading } from '../engine/kit/deadline.js';
import type { EngineFailures } from '../engine/kit/failure.js';
import type { SseError } from '../errors.js';
import type { Position } from '../topic/position.js';
import { hasStoredNothing, isPassing, replyCode } from './driver.js';
import type { RedisLink } from './link.js';
import type { RedisSettings } from './options.js';
import { WINDOW } from './script.js';

/** How an append is sent: the process, its number, the lowest number that is still wanted, and whether with the script's text. */
export type Send = (node: string, n: number, floor: number, isFull: boolean) => Promise<unknown>;

interface Pending {
  readonly n: number;
  readonly send: Send;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (position: Position) => void;
  readonly reject: (error: SseError) => void;
  /** Whether it may be stored for all that is known. */
  isUncertain: boolean;
  cause: unknown;
}

const RETRY_MS = 50;

/**
 * The appends of this process, which are stored once and in the order of their calls whatever happens to connections. Each
 * has a number. The server stores a number only after the one before it, and never again; when one cannot be sent or
 * answered, all from the first one without an answer are sent again.
 */
export class RedisAppender {
  readonly #node = randomBytes(9).toString('base64url');
  readonly #timeoutMs: number;
  readonly #link: Pick<RedisLink, 'isReady' | 'problem' | 'noteFailure'>;
  readonly #failures: EngineFailures;
  /** In the order of their numbers. */
  readonly #pending = new Map<number, Pending>();
  #last = 0;
  /** The next number to send. */
  #next = 1;
  #inFlight = 0;
  /** Counts the connections: what was sent over an earlier one may never be answered. */
  #round = 0;
  /** Set while everything that is under way is waited for, to be sent again. */
  #isRecovering = false;
  #isFull = false;
  #isClosed = false;
  #retry: NodeJS.Timeout | undefined;
  #drained: (() => void) | undefined;

  constructor(
    settings: Pick<RedisSettings, 'timeoutMs' | 'failures'>,
    link: Pick<RedisLink, 'isReady' | 'problem' | 'noteFailure'>,
  ) {
    this.#timeoutMs = settings.timeoutMs;
    this.#link = link;
    this.#failures = settings.failures;
  }

  /** @throws SseError `engine-failed`, `engine-uncertain` */
  append(send: Send): Promise<Position> {
    if (this.#isClosed) return Promise.reject(this.#failures.closed());
    return new Promise((resolve, reject) => {
      const n = ++this.#last;
      const timer = setTimeout(() => afterReading(() => this.#expire(n)), this.#timeoutMs);
      this.#pending.set(n, { n, send, timer, resolve, reject, isUncertain: false, cause: undefined });
      this.#pump();
    });
  }

  /** To be called when a connection has been made: sends again what has not been answered. */
  restart(): void {
    this.#round++;
    this.#inFlight = 0;
    this.#rewind();
  }

  /** Waits for a moment until everything has been answered, if that is possible, and rejects the rest. */
  async close(graceMs: number): Promise<void> {
    this.#isClosed = true;
    if (this.#pending.size > 0 && this.#link.isReady()) {
      const drained = new Promise<void>((resolve) => (this.#drained = resolve));
      const timer = setTimeout(() => this.#drained?.(), graceMs);
      await drained;
      clearTimeout(timer);
    }
    clearTimeout(this.#retry);
    for (const pending of this.#pending.values()) {
      pending.cause = this.#failures.closed();
      this.#settle(pending, () => pending.reject(this.#rejection(pending)));
    }
  }

  #pump(): void {
    const first = this.#floor();
    while (this.#next <= this.#last && !this.#isRecovering && this.#link.isReady()) {
      if (this.#inFlight >= WINDOW || this.#next >= first + WINDOW) return;
      const pending = this.#pending.get(this.#next++);
      if (pending !== undefined) this.#send(pending);
    }
  }

  #send(pending: Pending): void {
    const round = this.#round;
    this.#inFlight++;
    const wasUncertain = pending.isUncertain;
    pending.isUncertain = true;
    pending.send(this.#node, pending.n, this.#floor(), this.#isFull).then(
      (reply) => this.#answered(pending, reply, this.#arrive(round)),
      (error: unknown) => {
        if (this.#arrive(round)) this.#failed(pending, error, wasUncertain);
      },
    );
  }

  /** Whether what has arrived was sent over this connection, and not an earlier one. */
  #arrive(round: number): boolean {
    if (round !== this.#round) return false;
    this.#inFlight--;
    return true;
  }

  #answered(pending: Pending, reply: unknown, isCurrent: boolean): void {
    // Numbers are texts where the client has been told to give them so.
    const [first, epoch, seq, at] = reply as [unknown, Buffer, unknown, unknown];
    const status = Number(first);
    if (status === 1) {
      this.#isFull = false;
      this.#settle(pending, () => pending.resolve({ epoch: epoch.toString(), seq: Number(seq), at: Number(at) }));
    } else if (status === 0 && isCurrent) {
      // It has overtaken one that the server has not got, or not yet.
      this.#recover(0);
    } else if (status === -1 && isCurrent) {
      this.#settle(pending, () => pending.reject(this.#failures.uncertain(new Error('it came too late'))));
    }
    this.#proceed();
  }

  #failed(pending: Pending, error: unknown, wasUncertain: boolean): void {
    pending.cause = error;
    this.#link.noteFailure(error);
    if (hasStoredNothing(error)) pending.isUncertain = wasUncertain;
    if (!this.#pending.has(pending.n)) {
      // Its caller has been told that it takes too long.
    } else if (replyCode(error) === 'NOSCRIPT') {
      this.#isFull = true;
      this.#recover(0);
    } else if (isPassing(error)) {
      this.#recover(RETRY_MS);
    } else {
      this.#settle(pending, () => pending.reject(this.#rejection(pending)));
    }
    this.#proceed();
  }

  #expire(n: number): void {
    const pending = this.#pending.get(n);
    if (pending === undefined) return;
    pending.cause ??= this.#link.problem() ?? new Error(`it did not answer within ${this.#timeoutMs} ms`);
    this.#settle(pending, () => pending.reject(this.#rejection(pending)));
    this.#proceed();
  }

  #settle(pending: Pending, settle: () => void): void {
    if (!this.#pending.delete(pending.n)) return;
    clearTimeout(pending.timer);
    settle();
  }

  #recover(delayMs: number): void {
    this.#isRecovering = true;
    if (delayMs > 0) this.#retry ??= setTimeout(() => this.#rest(), delayMs);
  }

  #rest(): void {
    this.#retry = undefined;
    this.#proceed();
  }

  #proceed(): void {
    if (this.#pending.size === 0) this.#drained?.();
    if (this.#isRecovering && this.#inFlight === 0 && this.#retry === undefined) this.#rewind();
    else this.#pump();
  }

  #rewind(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#isRecovering = false;
    this.#next = this.#floor();
    this.#pump();
  }

  /** The lowest number that is still wanted. */
  #floor(): number {
    for (const n of this.#pending.keys()) return n;
    return this.#next;
  }

  #rejection({ isUncertain, cause }: Pending): SseError {
    return isUncertain ? this.#failures.uncertain(cause) : this.#failures.failed('store the event', cause);
  }
}
