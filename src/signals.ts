/** Hears of one kind of thing. What it throws, or rejects with, is not for who says it. */
export type SignalListener<Signal> = (signal: Signal) => unknown;

/** Who says what happens. */
export interface Teller<Kinds extends object> {
  /** Whether anybody listens: what nobody hears need not be put together. */
  wants(kind: keyof Kinds): boolean;
  tell<Kind extends keyof Kinds>(kind: Kind, signal: Kinds[Kind]): void;
}

/** What happens, said once to any number of listeners. Where nobody listens it costs one test, and no object. */
export class Signals<Kinds extends object> implements Teller<Kinds> {
  readonly #onFailed: (error: unknown, kind: keyof Kinds) => void;
  readonly #listeners: { [Kind in keyof Kinds]?: readonly SignalListener<Kinds[Kind]>[] } = {};

  /** @param onFailed hears of what a listener throws or rejects with */
  constructor(onFailed: (error: unknown, kind: keyof Kinds) => void) {
    this.#onFailed = onFailed;
  }

  /**
   * Has a listener hear of all that happens from now on. It is called at once, in the midst of what happens, so it must be quick.
   *
   * @returns ends that
   */
  on<Kind extends keyof Kinds>(kind: Kind, listener: SignalListener<Kinds[Kind]>): () => void {
    this.#listeners[kind] = [...(this.#listeners[kind] ?? []), listener];
    return () => {
      const others = this.#listeners[kind]?.filter((one) => one !== listener) ?? [];
      if (others.length > 0) this.#listeners[kind] = others;
      else delete this.#listeners[kind];
    };
  }

  wants(kind: keyof Kinds): boolean {
    return this.#listeners[kind] !== undefined;
  }

  tell<Kind extends keyof Kinds>(kind: Kind, signal: Kinds[Kind]): void {
    for (const listener of this.#listeners[kind] ?? []) {
      try {
        const returned = listener(signal);
        if (isPromise(returned)) returned.then(undefined, (error: unknown) => this.#onFailed(error, kind));
      } catch (error) {
        this.#onFailed(error, kind);
      }
    }
  }
}

function isPromise(returned: unknown): returned is PromiseLike<unknown> {
  return typeof returned === 'object' && returned !== null && 'then' in returned && typeof returned.then === 'function';
}
