import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { SseError } from '../errors.js';
import { apart } from '../engine/apart.js';
import type { Engine } from '../engine/engine.js';

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

/** Makes one state of what succeeds and what fails, and waits for the end of trouble. */
export class EngineHealth {
  readonly #engine: Engine;
  readonly #onChange: (state: EngineState, error: unknown) => void;
  /** What was tried, and whether it worked the last time. */
  readonly #works = new Map<EngineWork, boolean>();
  readonly #closing = new AbortController();
  #state: EngineState = 'up';
  /** Settles when the engine answers again. */
  #recovery: Promise<void> | undefined;

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
    if (work !== 'deliver') this.#recovery ??= apart(() => this.#recover());
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

  /** A process that publishes nothing more would otherwise not learn that it could; and thousands who wait ask once. */
  async #recover(): Promise<void> {
    while (!this.#closing.signal.aborted && !(await isHealthy(this.#engine))) await this.#delay(PROBE_MS);
    this.#recovery = undefined;
    for (const work of ['publish', 'read'] as const) if (this.#works.get(work) === false) this.succeeded(work);
  }

  async #delay(ms: number): Promise<void> {
    await delay(ms, undefined, { ref: false, signal: this.#closing.signal }).catch(ignore);
  }
}

/** Whether an error says something of the engine, and not of what it was given. */
export function isEngineTrouble(error: unknown): boolean {
  return !SseError.is(error) || error.code === 'engine-failed' || error.code === 'engine-uncertain';
}

async function isHealthy(engine: Engine): Promise<boolean> {
  try {
    await engine.health();
    return true;
  } catch {
    return false;
  }
}

function ignore(): void {
  // The hub was closed.
}
