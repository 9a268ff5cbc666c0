import { SseError } from '../errors.js';
import type { RunRecord } from './run-record.js';

/** Who waits for the ends of runs in this process. */
export class AwaitedEnds {
  readonly #waiting = new Map<string, Set<() => void>>();
  #isClosed = false;

  /** Resolves when a run has ended, or the signal is aborted. Rejects with `closed`. */
  async of(run: RunRecord, signal?: AbortSignal): Promise<void> {
    if (!this.#isClosed && !hasEnded(run) && signal?.aborted !== true) await this.#next(run.id, signal);
    if (hasEnded(run) || signal?.aborted === true) return;
    throw new SseError('closed', 'The node has been closed before the run has ended');
  }

  /** A run has ended. */
  ended(id: string): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.forEach((resolve) => resolve());
  }

  close(): void {
    this.#isClosed = true;
    for (const id of [...this.#waiting.keys()]) this.ended(id);
  }

  async #next(id: string, signal: AbortSignal | undefined): Promise<void> {
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting);
    const { promise, resolve } = deferred();
    waiting.add(resolve);
    signal?.addEventListener('abort', resolve, { once: true });
    await promise;
    signal?.removeEventListener('abort', resolve);
    waiting.delete(resolve);
    if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
  }
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}

function hasEnded({ end }: RunRecord): boolean {
  return end !== undefined;
}
