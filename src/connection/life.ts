import { AsyncResource } from 'node:async_hooks';
import type { Dialect } from '../wire/dialect.js';
import { RECONNECTS } from '../wire/words.js';
import type { CloseReason, EndReason } from '../wire/words.js';
import { createAbort } from './abort.js';

/**
 * Before its head, while it runs, while its last bytes leave, and when nothing more comes. `collecting`, in place of the first three, while one
 * document is made of all that there is for it.
 */
export type LifeState = 'pending' | 'collecting' | 'open' | 'ending' | 'closed';

/** How a stream ends: whether and when its client comes back, and what comes before. */
export interface Ended {
  /** As usual for the reason unless given. */
  readonly reconnect?: boolean | undefined;
  /** In ms; as it was told before unless given. */
  readonly retryMs?: number | undefined;
  /** In the midst of what there is: its client takes no more. */
  readonly isSudden?: boolean | undefined;
}

/**
 * The life of a stream: it is pending, open, ending and closed, and may skip what is in between. It ends in one way: the last words are
 * written, what it holds is let go of, and it is over when the response is. A part of the stream's own object, and not one beside it: with
 * thousands of them none is in the processor's cache.
 */
export abstract class Life {
  #state: LifeState = 'pending';
  /** Why it was ended; `undefined`, too, when its client has left. */
  #reason: CloseReason | undefined;
  /** How it was ended before it had begun. */
  #early: { readonly reason: EndReason; readonly how: Ended } | undefined;
  /** That of the request, when anything of the application's is called later: 81 bytes. */
  #context: AsyncResource | undefined;
  #abort: AbortController | undefined;

  abstract readonly dialect: Dialect;

  /** Whether asking again does nothing again. */
  protected abstract readonly isRepeatable: boolean;
  /** The body of its request, as the framework has parsed it. */
  protected abstract readonly body: unknown;

  /** Gives what there was before the end. */
  protected abstract flush(): void;
  /** Where a client that comes back goes on; `undefined`: where it was told last. */
  protected abstract place(): string | undefined;
  /** Writes the last words. */
  protected abstract close(reason: EndReason | 'failed', words: string): void;
  /** Drops the response without a word. */
  protected abstract cut(): void;
  /** Lets go of what only a stream needs that goes on; `abort` belongs between what reads and what the application gives. */
  protected abstract release(abort: () => void): void;
  /** It is over. */
  protected abstract closed(reason: CloseReason): void;
  /** What the application has given has failed, and ended it: its source, or its response. */
  protected abstract failed(error: unknown): void;
  /** A listener of its signal, the application's own, has failed. */
  protected abstract listenerFailed(error: unknown): void;

  get state(): LifeState {
    return this.#state;
  }

  /** Aborted when the stream is over, whoever ended it. */
  get signal(): AbortSignal {
    this.keepContext();
    const isOver = ['ending', 'closed'].includes(this.#state) || this.#early !== undefined;
    return (this.#abort ??= createAbort(isOver, (error) => this.listenerFailed(error))).signal;
  }

  /** Whether its head is still to come. */
  get isUnopened(): boolean {
    return this.#state === 'pending' || this.#state === 'collecting';
  }

  /** Why it was ended before its head. */
  get endedEarly(): EndReason | undefined {
    return this.#early?.reason;
  }

  /** It never opens: there will be one document of it. */
  collect(): void {
    if (this.#state === 'pending') this.#state = 'collecting';
  }

  /** Ends the stream, telling its client why. One that has not begun ends as it begins. */
  end(reason: EndReason, how: Ended = {}): void {
    if (this.isUnopened) {
      this.#early ??= { reason, how };
      return this.within(() => this.#abort?.abort());
    }
    if (this.#state !== 'open') return;
    // What was published before the end comes before it.
    if (how.isSudden !== true) this.flush();
    this.endHere(reason, how, this.place());
  }

  /** Ends the stream with a message that says nothing of the error. */
  fail(error?: unknown, id?: string): void {
    if (this.#state !== 'open') return;
    this.breakOff(() => this.dialect.failure(error, this.isRepeatable, id, this.body));
    if (error !== undefined) this.failed(error);
  }

  /** Ends the stream with these words: it cannot go on. */
  breakOff(words: () => string): void {
    if (this.#state !== 'open') return;
    let text: string;
    try {
      text = words();
    } catch (error) {
      // Without last words it would look complete.
      this.cut();
      return this.writeFailed(error);
    }
    this.#finish('failed', text);
  }

  /** The client is gone, or the stream never came to be. */
  disconnected(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#letGo();
    this.closed(this.#reason ?? 'disconnected');
  }

  /** The response cannot be written to any more. */
  writeFailed(error: unknown): void {
    this.#reason = 'failed';
    this.disconnected();
    this.failed(error);
  }

  /** Calls what is the application's in the context of the stream's own request. */
  within<T>(work: () => T): T {
    return this.#context === undefined ? work() : this.#context.runInAsyncScope(work);
  }

  /** To be called while the request is being handled, when something of the application's will be called later. */
  protected keepContext(): void {
    this.#context ??= new AsyncResource('SseConnection');
  }

  protected begin(): void {
    this.#state = 'open';
  }

  /** Ends it if it was ended before it had begun, and answers whether. */
  protected endAtOnce(): boolean {
    if (this.#early === undefined) return false;
    this.endHere(this.#early.reason, this.#early.how);
    return true;
  }

  /** Ends it without what there may be to give. What the last words are may be the application's to say, and throw. */
  protected endHere(reason: EndReason, { reconnect = RECONNECTS[reason], retryMs }: Ended = {}, place?: string): void {
    if (this.#state !== 'open') return;
    let words: string;
    try {
      words = this.dialect.end({ reason, reconnect, retryMs, place, body: this.body });
    } catch (error) {
      return this.fail(error);
    }
    this.#finish(reason, words);
  }

  #finish(reason: EndReason | 'failed', words: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.#reason = reason;
    this.#letGo();
    this.close(reason, words);
  }

  #letGo(): void {
    this.release(() => this.within(() => this.#abort?.abort()));
  }
}
