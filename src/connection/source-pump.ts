import type { ProducerSource, PullSource, PushSource } from './source.js';

/** Where the values of a source go. */
export interface SourceTarget {
  readonly output: {
    readonly isWritable: boolean;
    /** Resolves when more can be taken, or never will be. */
    whenWritable(): Promise<void>;
  };
  /** Throws when the value is no event. */
  send(value: unknown): void;
  end(reason: 'complete'): void;
  fail(error: unknown): void;
}

/** Moves the values of one source to one target until either has had enough. */
export class SourcePump {
  readonly #target: SourceTarget;
  #cancel: (() => unknown) | undefined;
  #isStopped = false;

  constructor(target: SourceTarget) {
    this.#target = target;
  }

  /** Begins to move its values. */
  start(source: ProducerSource): void {
    if (source.kind === 'push') this.push(source.source);
    else void this.pull(source.start);
  }

  /** Takes values as they come. What does not fit is for the target to bound: a push source cannot be asked to wait. */
  push(source: PushSource): void {
    try {
      const subscription = source.subscribe({
        next: (value) => {
          if (!this.#isStopped) this.#send(value);
        },
        error: (error) => this.#finish(() => this.#target.fail(error)),
        complete: () => this.#finish(() => this.#target.end('complete')),
      });
      this.#cancel = () => subscription.unsubscribe();
    } catch (error) {
      this.#finish(() => this.#target.fail(error));
    }
    // It may have completed, or filled the target, while it was being subscribed to.
    if (this.#isStopped) this.#callCancel();
  }

  /** Asks for the next value only when the last one has found room. */
  async pull(start: () => PullSource): Promise<void> {
    try {
      const source = start();
      this.#cancel = () => source.cancel();
      for (;;) {
        const { output } = this.#target;
        if (!output.isWritable) await output.whenWritable();
        if (this.#isStopped) return;
        const result = await source.next();
        const value: unknown = await result.value;
        if (this.#isStopped) return;
        if (result.done === true) return this.#finish(() => this.#target.end('complete'));
        this.#send(value);
      }
    } catch (error) {
      this.#finish(() => this.#target.fail(error));
      // One of its values may have failed, and not the source itself.
      this.#callCancel();
    }
  }

  /** Nobody wants more. Does not wait for the source: a generator that hangs in its `finally` must not hold anybody. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#callCancel();
  }

  #send(value: unknown): void {
    try {
      this.#target.send(value);
    } catch (error) {
      this.#target.fail(error);
    }
  }

  #finish(tell: () => void): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    tell();
  }

  #callCancel(): void {
    const cancel = this.#cancel;
    this.#cancel = undefined;
    try {
      Promise.resolve(cancel?.()).catch(ignore);
    } catch {
      // The stream is over, and the source has failed to clean up: there is no one left to tell but its author.
    }
  }
}

function ignore(): void {
  // See `#callCancel`.
}
