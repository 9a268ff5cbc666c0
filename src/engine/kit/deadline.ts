import { setTimeout as delay } from 'node:timers/promises';

const TURNS = 3;

/** No answer came in time. */
export class DeadlineError extends Error {}

/**
 * Calls back when what has arrived has been read. To be called by a timer that says "no answer in time": when this process stood
 * still, or was busy, timers come first, and the answer may wait behind them.
 */
export function afterReading(callback: () => void, turns = TURNS): void {
  setImmediate(() => (turns > 1 ? afterReading(callback, turns - 1) : callback()));
}

/**
 * Gives what a promise gives, unless it takes longer. What comes late is left to the caller.
 *
 * @param late what takes too long, for the message of a {@link DeadlineError}; or what to reject with instead
 * @param signal ends the wait with its reason
 */
export async function within<T>(
  promise: Promise<T> | T,
  ms: number,
  late: string | (() => Error),
  signal?: AbortSignal,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const end = new Promise<never>((_, reject) => {
    const expire = (): void => reject(typeof late === 'string' ? tooLong(late, ms) : late());
    timer = setTimeout(afterReading, Math.max(ms, 0), expire);
    if (signal === undefined) return;
    onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, end]);
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
  }
}

/** The same until a time on the clock of `performance.now()`. */
export function before<T>(deadline: number, promise: Promise<T> | T): Promise<T> {
  return within(promise, deadline - performance.now(), noAnswer);
}

/** One timer for many calls: it is set for the oldest, and anew when the deadline of that has passed. */
export class DeadlineTimer {
  readonly #oldest: () => number | undefined;
  readonly #expire: (now: number) => void;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param oldest the first deadline, on the clock of `performance.now()`; `undefined`: nothing is under way
   * @param expire is to end all whose deadline is not behind `now`
   */
  constructor(oldest: () => number | undefined, expire: (now: number) => void) {
    this.#oldest = oldest;
    this.#expire = expire;
  }

  /** To be called with each new call. */
  arm(): void {
    if (this.#timer !== undefined) return;
    const oldest = this.#oldest();
    if (oldest === undefined) return;
    this.#timer = setTimeout(afterReading, Math.max(1, oldest - performance.now()), () => this.#ring());
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #ring(): void {
    this.#timer = undefined;
    this.#expire(performance.now());
    this.arm();
  }
}

/** For what a call waits for: keeps the process alive. Ends early when `signal` aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(ignore);
}

/** For what nobody waits for: keeps no process alive. Ends early when `signal` aborts. */
export async function idle(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, signal === undefined ? UNHELD : { ref: false, signal }).catch(ignore);
}

/** How long to wait before the next try: longer each time, up to `maxMs`, and not the same for all processes. */
export function backOffMs(attempt: number, firstMs: number, maxMs: number): number {
  return Math.min(firstMs * 2 ** attempt, maxMs) * (0.5 + Math.random() / 2);
}

const UNHELD = { ref: false };

function tooLong(what: string, ms: number): DeadlineError {
  return new DeadlineError(`${what} took longer than ${Math.round(ms)} ms`);
}

function noAnswer(): DeadlineError {
  return new DeadlineError('No answer in time');
}

function ignore(): void {
  // The pause was cut short.
}
