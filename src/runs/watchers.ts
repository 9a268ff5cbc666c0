import { apart } from '../engine/apart.js';
import type { RunRecord } from './run-record.js';

/** How often it is said again that somebody watches: of the time after which it matters, and within bounds, in ms. */
const AGAIN = 1 / 2;
const LEAST_AGAIN_MS = 500;
const MOST_AGAIN_MS = 30_000;
/** What is said holds for so many of these times. */
const HOLDS = 3;

/** Who is to know that somebody watches a run here. */
export interface WatchersOwner {
  /** Somebody watches here, or nobody any more; for so long, in ms, unless it is said again. */
  watched(run: RunRecord, forMs: number): void;
}

/** Who watches runs in this process, for those runs that end when nobody does. */
export class Watchers {
  readonly #owner: WatchersOwner;
  readonly #counts = new Map<string, number>();
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(owner: WatchersOwner) {
    this.#owner = owner;
  }

  /** How many watch a run here. */
  count(run: string): number {
    return this.#counts.get(run) ?? 0;
  }

  /** Somebody watches, until the signal is aborted. */
  add(run: RunRecord, until: AbortSignal): void {
    if (run.unwatchedMs === undefined || run.end !== undefined || until.aborted) return;
    const count = this.count(run.id) + 1;
    this.#counts.set(run.id, count);
    if (count === 1) this.#tell(run);
    until.addEventListener('abort', () => this.#leave(run), { once: true });
  }

  /** It has ended: nobody needs to know any more. */
  forget(run: string): void {
    clearInterval(this.#timers.get(run));
    this.#timers.delete(run);
    this.#counts.delete(run);
  }

  close(): void {
    for (const run of [...this.#timers.keys()]) this.forget(run);
  }

  #leave(run: RunRecord): void {
    const count = this.count(run.id) - 1;
    // It has ended meanwhile.
    if (count < 0) return;
    if (count > 0) return void this.#counts.set(run.id, count);
    this.forget(run.id);
    this.#owner.watched(run, 0);
  }

  #tell(run: RunRecord): void {
    const againMs = Math.min(Math.max((run.unwatchedMs ?? 0) * AGAIN, LEAST_AGAIN_MS), MOST_AGAIN_MS);
    const tell = (): void => this.#owner.watched(run, againMs * HOLDS);
    this.#timers.set(
      run.id,
      apart(() => setInterval(tell, againMs).unref()),
    );
    tell();
  }
}
