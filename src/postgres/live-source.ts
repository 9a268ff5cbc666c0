/** What a source of live entries tells. Nothing here throws. */
export interface LiveEvents {
  /** It works now, at first or again. */
  up(): void;
  /** It worked, and does not any more. */
  down(error: unknown): void;
}

/** Where live entries come from: a connection that listens, or one that asks again and again. */
export interface LiveSource {
  /** Resolves when every entry is delivered that is stored from now on, of the topics that are wanted now. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** A state that can be waited for. */
export class Gate {
  #open!: () => void;
  #opened = this.#next();
  isOpen = false;

  get opened(): Promise<void> {
    return this.#opened;
  }

  open(): void {
    this.isOpen = true;
    this.#open();
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#opened = this.#next();
  }

  #next(): Promise<void> {
    return new Promise<void>((resolve) => (this.#open = resolve));
  }
}
