import type { View } from './view.js';

/** The views that read a topic by its name: of most topics there is one, and a collection would be two objects more to fetch. */
export class NamedViews implements Iterable<View> {
  /** The only one there has been. */
  #only: View | undefined;
  /** All of them, once there have been two. */
  #all: Set<View> | undefined;
  /** Whether nobody reads the topic any more. It is not used again then. */
  isGone = false;

  get only(): View | undefined {
    return this.#only;
  }

  add(view: View): void {
    if (this.#all !== undefined) this.#all.add(view);
    else if (this.#only === undefined) this.#only = view;
    else {
      this.#all = new Set([this.#only, view]);
      this.#only = undefined;
    }
  }

  delete(view: View): void {
    if (this.#only === view) this.#only = undefined;
    this.#all?.delete(view);
    this.isGone = this.#only === undefined && (this.#all === undefined || this.#all.size === 0);
  }

  has(view: View): boolean {
    return this.#only === view || this.#all?.has(view) === true;
  }

  [Symbol.iterator](): Iterator<View> {
    return (this.#all ?? (this.#only === undefined ? [] : [this.#only])).values();
  }
}
