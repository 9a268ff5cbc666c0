import { setTimeout as delay } from 'node:timers/promises';
import { afterReading } from '../engine/kit/deadline.js';

const FIRST_RETRY_MS = 25;

/** Rejects with `error()` when the promise has not settled in time, or `signal` aborts. What comes late is left to the caller. */
export async function within<T>(promise: Promise<T>, ms: number, error: () => Error, signal?: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const end = new Promise<never>((_, reject) => {
    timer = setTimeout(afterReading, Math.max(ms, 0), () => reject(error()));
    onAbort = () => reject(signal?.reason as Error);
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, end]);
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
  }
}

/** Waits before the next try, longer each time and up to `maxMs`, not all at the same moment. Ends early when `signal` aborts. */
export async function backOff(attempt: number, maxMs: number, signal: AbortSignal): Promise<void> {
  const ms = Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempt, 20), maxMs);
  await pause(ms * (0.5 + Math.random() / 2), signal);
}

/** Keeps no process alive. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { ref: false, signal }).catch(() => undefined);
}

/** A pause that can be cut short. Keeps no process alive. */
export class Rest {
  #timer: NodeJS.Timeout | undefined;
  #endsAt = 0;
  #end: (() => void) | undefined;

  begin(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#end = resolve;
      this.#arm(ms);
    });
  }

  /** At once, if it has begun. */
  end(): void {
    clearTimeout(this.#timer);
    this.#end?.();
    this.#end = undefined;
  }

  endWithin(ms: number): void {
    if (this.#end !== undefined && performance.now() + ms < this.#endsAt) this.#arm(ms);
  }

  #arm(ms: number): void {
    clearTimeout(this.#timer);
    this.#endsAt = performance.now() + ms;
    this.#timer = setTimeout(() => this.end(), ms).unref();
  }
}
