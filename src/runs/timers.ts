import { apart } from '../engine/apart.js';

/** Timers that keep no process alive, in nobody's context, until they are cleared together. */
export class Timers {
  readonly #timers = new Set<NodeJS.Timeout>();

  every(ms: number, call: () => unknown): void {
    this.#timers.add(apart(() => setInterval(call, ms).unref()));
  }

  in(ms: number, call: () => unknown): void {
    const timer: NodeJS.Timeout = apart(() => setTimeout(() => this.#due(timer, call), ms).unref());
    this.#timers.add(timer);
  }

  clear(): void {
    this.#timers.forEach((timer) => clearTimeout(timer));
    this.#timers.clear();
  }

  #due(timer: NodeJS.Timeout, call: () => unknown): void {
    this.#timers.delete(timer);
    call();
  }
}
