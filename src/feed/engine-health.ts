import { setMaxListeners } from 'node:events';
import { apart } from '../engine/apart.js';
import type { Engine } from '../engine/engine.js';
import { SseError } from '../errors.js';
import { probeWrites } from './write-probe.js';

/**
 * How well the engine does its work for this process.
 *
 * - `up`: all of it.
 * - `degraded`: part of it. Streams stay open, and get what they miss once it is up again.
 * - `down`: nothing that was tried.
 */
export type EngineState = 'up' | 'degraded' | 'down';

/** What an engine is there for. */
export type EngineWork = 'publish' | 'read' | 'deliver';

/** Who asks in vain waits so long before it asks again, twice as long each time. */
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 5_000;
/** While the engine does not answer, this process asks it so often: once, for all who wait. */
const PROBE_MS = 1_000;
/** After trouble, those who have waited come back spread over this time. */
const SPREAD_MS = 500;
/** While it stores nothing and nobody publishes, it is given something to store: first after `PROBE_MS`, then twice as long each time. */
const MAX_WRITE_PROBE_MS = 10_000;

/**
 * Makes one state of what succeeds and what fails, and waits for the end of trouble. Each kind of work is remembered for itself: that
 * reads succeed says nothing of writes.
 */
export class EngineHealth {
  readonly #engine: Engine;
  readonly #onChange: (state: EngineState, error: unknown) => void;
  /** What was tried, and whether it worked the last time. */
  readonly #works = new Map<EngineWork, boolean>();
  readonly #closing = new AbortController();
  #state: EngineState = 'up';
  /** Settles when the engine answers again. */
  #recovery: Promise<void> | undefined;
  #isProbingWrites = false;

  constructor(engine: Engine, onChange: (state: EngineState, error: unknown) => void) {
    this.#engine = engine;
    this.#onChange = onChange;
    // Thousands may wait.
    setMaxListeners(0, this.#closing.signal);
  }

  get state(): EngineState {
    return this.#state;
  }

  succeeded(work: EngineWork): void {
    // Called for every event: nothing to do in nearly all cases.
    if (this.#works.get(work) === true) return;
    this.#works.set(work, true);
    this.#update(undefined);
  }

  failed(work: EngineWork, error: unknown): void {
    this.#works.set(work, false);
    this.#update(error);
    if (work === 'read') this.#recovery ??= apart(() => this.#recover());
    if (work === 'publish' && !this.#isProbingWrites) void apart(() => this.#probeWrites());
  }

  /** Repeats a call until it succeeds: nobody's stream ends because the engine was away. `undefined` once this is closed. */
  async persist<T>(call: () => Promise<T>): Promise<T | undefined> {
    const { signal } = this.#closing;
    for (let retryMs = FIRST_RETRY_MS; !signal.aborted; retryMs = Math.min(retryMs * 2, MAX_RETRY_MS)) {
      try {
        const answer = await call();
        this.succeeded('read');
        return answer;
      } catch (error) {
        if (signal.aborted) break;
        this.failed('read', error);
        await this.#recovery;
        await this.#delay(Math.min(retryMs, SPREAD_MS) * Math.random() + retryMs / 2);
      }
    }
    return undefined;
  }

  close(): void {
    this.#closing.abort();
  }

  #update(error: unknown): void {
    const works = [...this.#works.values()];
    const isUp = works.every((isWorking) => isWorking);
    const state = isUp ? 'up' : works.some((isWorking) => isWorking) ? 'degraded' : 'down';
    if (state === this.#state || this.#closing.signal.aborted) return;
    this.#state = state;
    apart(() => this.#onChange(state, error));
  }

  /** Thousands who wait ask once. */
  async #recover(): Promise<void> {
    while (!this.#closing.signal.aborted && !(await succeeds(this.#engine.health()))) await this.#delay(PROBE_MS);
    this.#recovery = undefined;
    this.succeeded('read');
  }

  /** A process that publishes nothing more would otherwise not learn that it could. */
  async #probeWrites(): Promise<void> {
    this.#isProbingWrites = true;
    for (let ms = PROBE_MS; ; ms = Math.min(ms * 2, MAX_WRITE_PROBE_MS)) {
      await this.#delay(ms);
      if (this.#closing.signal.aborted || this.#works.get('publish') === true) break;
      if (await succeeds(probeWrites(this.#engine))) this.succeeded('publish');
    }
    this.#isProbingWrites = false;
  }

  async #delay(ms: number): Promise<void> {
    const { signal } = this.#closing;
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms).unref();
      signal.addEventListener('abort', end);
    });
  }
}

/** Whether an error says something of the engine, and not of what it was given. */
export function isEngineTrouble(error: unknown): boolean {
  return !SseError.is(error) || error.code === 'engine-failed' || error.code === 'engine-uncertain';
}

async function succeeds(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch {
    return false;
  }
}
