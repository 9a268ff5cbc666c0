/** What was said before, and at the end the question. */
export interface Turn {
  readonly role: 'user' | 'assistant';
  readonly text: string;
}

export interface WriteOptions {
  /** Aborted when nobody wants the rest. */
  readonly signal: AbortSignal;
  /** To fail in the middle, as if the provider were overloaded. */
  readonly isToFail: boolean;
}

/** What writes answers. */
export abstract class Model {
  abstract readonly name: string;
  /** The answer to the last turn, in the pieces in which it is made. */
  abstract write(turns: readonly Turn[], options: WriteOptions): AsyncIterable<string>;
}

/** What a provider answers that has too much to do. */
export function overloaded(): Error {
  return Object.assign(new Error('The model is overloaded'), { status: 529 });
}
