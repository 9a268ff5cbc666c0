import type { AppendRequest } from '../engine/engine.js';
import { DeadlineTimer } from '../engine/kit/deadline.js';
import type { EngineFailures } from '../engine/kit/failure.js';
import type { SseError } from '../errors.js';
import type { Position } from '../topic/position.js';
import type { AppendAnswer, AppendCalls } from './append-calls.js';
import { hasStoredNothing, isPassing, replyCode } from './driver.js';
import type { RedisLink } from './link.js';
import type { RedisSettings } from './options.js';
import { WINDOW } from './script.js';

interface Pending {
  readonly n: number;
  readonly request: AppendRequest;
  readonly deadline: number;
  readonly resolve: (position: Position) => void;
  readonly reject: (error: SseError) => void;
  /** Whether it may be stored for all that is known. */
  isUncertain: boolean;
  /** Whether it goes without others: together with them it has failed, and they may not have to. */
  isAlone: boolean;
  cause: unknown;
}

/** So many calls are under way at once. What comes meanwhile goes together. */
const MAX_CALLS = 8;
/** What goes together: the server does nothing else while it stores them, 9 µs for each event of 200 bytes. */
const MAX_EVENTS = 64;
const MAX_BYTES = 262_144;
const RETRY_MS = 50;

/**
 * The appends of this process, which are stored once and in the order of their calls whatever happens to connections. Each
 * has a number. The server stores a number only after the one before it, and never again; when one cannot be sent or
 * answered, all from the first one without an answer are sent again.
 */
export class RedisAppender {
  readonly #timeoutMs: number;
  readonly #link: Pick<RedisLink, 'isReady' | 'problem' | 'noteFailure'>;
  readonly #calls: Pick<AppendCalls, 'send'>;
  readonly #failures: EngineFailures;
  /** In the order of their numbers, which is that of their deadlines. */
  readonly #pending = new Map<number, Pending>();
  readonly #timer = new DeadlineTimer(
    () => this.#oldest()?.deadline,
    (now) => this.#expire(now),
  );
  #last = 0;
  /** The next number to send. */
  #next = 1;
  /** How many calls. */
  #inFlight = 0;
  /** Counts the connections: what was sent over an earlier one may never be answered. */
  #round = 0;
  #isGathering = false;
  /** Set while everything that is under way is waited for, to be sent again. */
  #isRecovering = false;
  #isFull = false;
  #isClosed = false;
  #retry: NodeJS.Timeout | undefined;
  #drained: (() => void) | undefined;

  constructor(
    settings: Pick<RedisSettings, 'timeoutMs' | 'failures'>,
    link: Pick<RedisLink, 'isReady' | 'problem' | 'noteFailure'>,
    calls: Pick<AppendCalls, 'send'>,
  ) {
    this.#timeoutMs = settings.timeoutMs;
    this.#link = link;
    this.#calls = calls;
    this.#failures = settings.failures;
  }

  /** @throws SseError `engine-failed`, `engine-uncertain` */
  append(request: AppendRequest): Promise<Position> {
    if (this.#isClosed) return Promise.reject(this.#failures.closed());
    return new Promise((resolve, reject) => {
      const n = ++this.#last;
      const deadline = performance.now() + this.#timeoutMs;
      const state = { isUncertain: false, isAlone: false, cause: undefined };
      this.#pending.set(n, { n, request, deadline, resolve, reject, ...state });
      this.#timer.arm();
      this.#gather();
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
    this.#timer.stop();
    for (const pending of this.#pending.values()) {
      pending.cause = this.#failures.closed();
      this.#settle(pending, () => pending.reject(this.#rejection(pending)));
    }
  }

  /** What is appended in one turn goes together. */
  #gather(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    queueMicrotask(() => {
      this.#isGathering = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#inFlight < MAX_CALLS && !this.#isRecovering && this.#link.isReady()) {
      const batch = this.#take();
      if (batch.length === 0) return;
      this.#send(batch);
    }
  }

  /** What goes next, with numbers in a row. */
  #take(): Pending[] {
    const batch: Pending[] = [];
    const end = Math.min(this.#last, this.#floor() + WINDOW - 1);
    let bytes = 0;
    for (; this.#next <= end && batch.length < MAX_EVENTS; this.#next++) {
      const pending = this.#pending.get(this.#next);
      if (pending === undefined) {
        if (batch.length > 0) break;
        continue;
      }
      bytes += pending.request.data.byteLength;
      if (batch.length > 0 && (bytes > MAX_BYTES || pending.isAlone || batch[0]?.isAlone)) break;
      batch.push(pending);
    }
    return batch;
  }

  #send(batch: readonly Pending[]): void {
    const round = this.#round;
    this.#inFlight++;
    const [{ n }] = batch as [Pending];
    const wereUncertain = batch.map(({ isUncertain }) => isUncertain);
    for (const pending of batch) pending.isUncertain = true;
    const requests = batch.map(({ request }) => request);
    const storesNone = (from: number): void => {
      for (let i = from; i < batch.length; i++) (batch[i] as Pending).isUncertain = wereUncertain[i] as boolean;
    };
    this.#calls.send({ requests, n, floor: this.#floor(), isFull: this.#isFull }).then(
      (answer) => {
        const isCurrent = this.#arrive(round);
        // By this call: what becomes of earlier ones is not known by that.
        if (isCurrent) storesNone(answer === 'early' ? 0 : answer.length);
        this.#answered(batch, answer, isCurrent);
      },
      (error: unknown) => {
        if (!this.#arrive(round)) return;
        if (hasStoredNothing(error)) storesNone(0);
        this.#failed(batch, error);
      },
    );
  }

  /** Whether what has arrived was sent over this connection, and not an earlier one. */
  #arrive(round: number): boolean {
    if (round !== this.#round) return false;
    this.#inFlight--;
    return true;
  }

  #answered(batch: readonly Pending[], answer: AppendAnswer, isCurrent: boolean): void {
    if (answer === 'early') {
      // It has overtaken one that the server has not got, or not yet.
      if (isCurrent) this.#recover(0);
    } else {
      this.#isFull = false;
      answer.forEach((position, i) => this.#place(batch[i] as Pending, position, isCurrent));
      const next = batch[answer.length];
      if (next !== undefined && isCurrent) this.#separate([next]);
    }
    this.#proceed();
  }

  #place(pending: Pending, position: Position | undefined, isCurrent: boolean): void {
    if (position !== undefined) {
      this.#settle(pending, () => pending.resolve(position));
    } else if (isCurrent) {
      this.#settle(pending, () => pending.reject(this.#failures.uncertain(new Error('it came too late'))));
    }
  }

  #failed(batch: readonly Pending[], error: unknown): void {
    this.#link.noteFailure(error);
    const wanted = batch.filter(({ n }) => this.#pending.has(n));
    for (const pending of wanted) pending.cause = error;
    const [first] = wanted;
    if (first === undefined) {
      // Their callers have been told that it takes too long.
    } else if (replyCode(error) === 'NOSCRIPT') {
      this.#isFull = true;
      this.#recover(0);
    } else if (isPassing(error)) {
      this.#recover(RETRY_MS);
    } else if (batch.length > 1) {
      this.#separate(wanted);
    } else {
      this.#settle(first, () => first.reject(this.#rejection(first)));
    }
    this.#proceed();
  }

  /** Each is sent again by itself, so that what is wrong with one is told of that one. */
  #separate(batch: readonly Pending[]): void {
    for (const pending of batch) pending.isAlone = true;
    this.#recover(0);
  }

  #expire(now: number): void {
    for (const pending of this.#pending.values()) {
      if (pending.deadline > now) break;
      pending.cause ??= this.#link.problem() ?? new Error(`it did not answer within ${this.#timeoutMs} ms`);
      this.#settle(pending, () => pending.reject(this.#rejection(pending)));
    }
    this.#proceed();
  }

  #settle(pending: Pending, settle: () => void): void {
    if (this.#pending.delete(pending.n)) settle();
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
    return this.#oldest()?.n ?? this.#next;
  }

  #oldest(): Pending | undefined {
    for (const pending of this.#pending.values()) return pending;
    return undefined;
  }

  #rejection({ isUncertain, cause }: Pending): SseError {
    return isUncertain ? this.#failures.uncertain(cause) : this.#failures.failed('store the event', cause);
  }
}
