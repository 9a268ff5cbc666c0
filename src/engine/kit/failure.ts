import { SseError } from '../../errors.js';
import type { AppendRequest } from '../engine.js';

/** What may wait to be stored, for a caller that does not wait. Beyond it an append is refused at once. */
export const MAX_WAITING_BYTES = 67_108_864;

/** What the calls of an engine reject with: in one form for all engines, and without what must not be told. */
export class EngineFailures {
  /** A driver's error, as it may be logged and handed on. */
  readonly clean: (error: unknown) => Error;
  readonly #name: string;

  /** @param name as it stands in sentences: `Redis` */
  constructor(name: string, clean: (error: unknown) => Error = asError) {
    this.#name = name;
    this.clean = clean;
  }

  /**
   * Nothing was stored, or nothing read. An `SseError` says so itself, and is left as it is unless something else is to be told.
   *
   * @param what the engine could not do: `read`
   * @param why in place of the error's message
   */
  failed(what: string, error: unknown, why?: string): SseError {
    if (SseError.is(error) && why === undefined) return error;
    const cause = error === undefined ? undefined : this.clean(error);
    const reason = why ?? cause?.message ?? 'it is not known why';
    return new SseError('engine-failed', `The ${this.#name} engine could not ${what}: ${reason}`, { cause });
  }

  /** It may have been stored, or may yet be. */
  uncertain(error: unknown): SseError {
    const cause = this.clean(error);
    const message = `The ${this.#name} engine cannot tell whether the event was stored: ${cause.message}`;
    return new SseError('engine-uncertain', message, { cause });
  }

  closed(): SseError {
    return new SseError('closed', `The ${this.#name} engine has been closed`);
  }

  /** @param more says what would let it through */
  tooLarge(bytes: number, maxBytes: number, more = ''): SseError {
    const message = `The ${this.#name} engine takes events of at most ${maxBytes} bytes; this one has ${bytes}`;
    return new SseError('invalid-event', message + more);
  }

  tooMuchWaits(): SseError {
    return this.failed('store the event', undefined, `more than ${MAX_WAITING_BYTES} bytes wait for that already`);
  }

  /**
   * To be asked before anything of an event is sent or stored: what is too large is the publisher's mistake, and says nothing of the engine.
   *
   * @throws SseError `invalid-event`
   */
  checkSize({ data }: AppendRequest, maxBytes: number): void {
    if (data.byteLength > maxBytes) throw this.tooLarge(data.byteLength, maxBytes);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
