import type { Cursor } from './cursor.js';
import type { View } from './view.js';

/** Cursors served before the event loop gets a turn. 10,000 in one sweep were measured to hold it for 70 ms. */
const SLICE = 1_000;

/**
 * Wakes the cursors of views that have news, once per turn of the event loop. Everything published in between goes out
 * in one write per connection; under load, events gather while the previous round is being written, and an idle process
 * pays nothing.
 */
export class FanOut {
  #waiting = new Set<View>();
  #round: Iterator<Cursor> | undefined;
  #immediate: NodeJS.Immediate | undefined;

  wake(view: View): void {
    if (view.cursors.size === 0) return;
    this.#waiting.add(view);
    this.#immediate ??= setImmediate(this.#turn);
  }

  close(): void {
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
    this.#waiting.clear();
  }

  readonly #turn = (): void => {
    this.#immediate = undefined;
    this.#round ??= this.#cursors();
    for (let served = 0; served < SLICE; served++) {
      const next = this.#round.next();
      if (next.done === true) {
        this.#round = undefined;
        break;
      }
      next.value.pump();
    }
    if (this.#round !== undefined || this.#waiting.size > 0) this.#immediate ??= setImmediate(this.#turn);
  };

  *#cursors(): Generator<Cursor> {
    const views = this.#waiting;
    this.#waiting = new Set();
    for (const view of views) {
      yield* view.cursors;
      view.endTick();
    }
  }
}
