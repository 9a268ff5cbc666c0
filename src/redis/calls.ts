import { afterReading } from '../engine/kit/deadline.js';
import type { EngineFailures } from '../engine/kit/failure.js';
import type { SseError } from '../errors.js';
import type { RedisSettings } from './options.js';

/** A call that has an end. */
export interface Call {
  /** Whether it has been answered: what is still done for it is in vain. */
  isOver: boolean;
  /** What went wrong last, and was tried again. */
  cause: unknown;
}

/** The calls that are under way: each ends at its deadline, and all of them when the engine is closed. */
export class Calls {
  readonly #timeoutMs: number;
  readonly #failures: EngineFailures;
  readonly #open = new Set<(error: SseError) => void>();
  #closed: SseError | undefined;

  constructor({ timeoutMs, failures }: Pick<RedisSettings, 'timeoutMs' | 'failures'>) {
    this.#timeoutMs = timeoutMs;
    this.#failures = failures;
  }

  /** @throws SseError `closed`; `engine-failed` when the work has failed, or has not ended in time */
  run<T>(what: string, work: (call: Call) => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      const call: Call = { isOver: false, cause: undefined };
      const end = (): void => {
        call.isOver = true;
        clearTimeout(timer);
        this.#open.delete(fail);
      };
      const fail = (error: unknown): void => {
        end();
        reject(this.#failures.failed(what, error));
      };
      const expire = (): void => {
        const cause = call.cause ?? new Error('it did not answer');
        if (!call.isOver) fail(this.#failures.failed(`${what} within ${this.#timeoutMs} ms`, cause));
      };
      const timer = setTimeout(afterReading, this.#timeoutMs, expire);
      this.#open.add(fail);
      work(call).then((value) => {
        end();
        resolve(value);
      }, fail);
    });
  }

  close(error: SseError): void {
    this.#closed = error;
    for (const fail of this.#open) fail(error);
  }
}
