import { cpuUsage } from 'node:process';

/**
 * The longest time for which this process held its event loop. What counts is the CPU time that it used: on a busy machine
 * it is also kept waiting by others, and that is nobody's fault.
 */
export class LoopWatch implements Disposable {
  longestMs = 0;
  readonly #timer: NodeJS.Timeout;

  constructor() {
    let turnAt = performance.now();
    let used = cpuUsage();
    this.#timer = setInterval(() => {
      const now = performance.now();
      const { user, system } = cpuUsage(used);
      // Other threads, those of the garbage collector, use CPU time too: more than there was time, nobody was held up.
      this.longestMs = Math.max(this.longestMs, Math.min(now - turnAt, (user + system) / 1_000));
      turnAt = now;
      used = cpuUsage();
    }, 1);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
