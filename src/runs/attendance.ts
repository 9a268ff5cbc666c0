import { apart } from '../engine/apart.js';

/** Whether anybody watches a run that is produced here, on any node; calls back when nobody has for so long, in ms. */
export class Attendance {
  readonly #ms: number;
  readonly #isWatchedHere: () => boolean;
  readonly #onUnwatched: () => void;
  /** Until when somebody watches on each other node, as far as is known, on the clock of `performance.now()`. */
  readonly #others = new Map<string, number>();
  #sinceMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(ms: number, isWatchedHere: () => boolean, onUnwatched: () => void) {
    this.#ms = ms;
    this.#isWatchedHere = isWatchedHere;
    this.#onUnwatched = onUnwatched;
  }

  /** Somebody watches on another node, for so long unless that is said again. 0: nobody any more. */
  heard(session: string, forMs: number): void {
    if (forMs > 0) this.#others.set(session, performance.now() + forMs);
    else this.#others.delete(session);
    this.look();
  }

  /** Somebody has come, or left. */
  look(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    const now = performance.now();
    for (const [session, untilMs] of this.#others) if (untilMs <= now) this.#others.delete(session);
    if (this.#isWatchedHere()) return void (this.#sinceMs = undefined);
    if (this.#others.size > 0) {
      this.#sinceMs = undefined;
      return this.#lookIn(Math.min(...this.#others.values()) - now);
    }
    this.#sinceMs ??= now;
    const leftMs = this.#sinceMs + this.#ms - now;
    if (leftMs > 0) return this.#lookIn(leftMs);
    this.close();
    this.#onUnwatched();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #lookIn(ms: number): void {
    this.#timer = apart(() => setTimeout(() => this.look(), Math.max(0, Math.ceil(ms))).unref());
  }
}
