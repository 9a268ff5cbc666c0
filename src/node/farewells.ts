import type { Wheel, WheelTask } from '../connection/wheel.js';
import { destroyResponse } from '../http/raw-response.js';
import type { RawResponse } from '../http/raw-response.js';

/** So long a client may take none of the few bytes that it was refused with. */
const DEADLINE_MS = 5_000;
/** When so many have not taken theirs, nobody else is waited for. */
const MAX_WAITING = 1_000;

/**
 * The answers of streams that were not opened, until they have left. A client of HTTP/2 without a window takes nothing, and
 * could leave any number of them behind.
 */
export class Farewells {
  readonly #wheel: Wheel;
  readonly #waiting = new Set<Farewell>();

  constructor(wheel: Wheel) {
    this.#wheel = wheel;
  }

  /** Sees to it that an answer which has been ended leaves in time, or is dropped. */
  add(raw: RawResponse): void {
    if (raw.closed || this.#waiting.size >= MAX_WAITING) return destroyResponse(raw);
    const farewell = new Farewell(this.#wheel, raw);
    this.#waiting.add(farewell);
    this.#wheel.schedule(farewell, DEADLINE_MS);
    raw.once('close', () => {
      this.#wheel.cancel(farewell);
      this.#waiting.delete(farewell);
    });
  }
}

class Farewell implements WheelTask {
  slot: number | undefined;
  readonly isOfClient = true;
  readonly #wheel: Wheel;
  readonly #raw: RawResponse;
  readonly #sinceMs = performance.now();

  constructor(wheel: Wheel, raw: RawResponse) {
    this.#wheel = wheel;
    this.#raw = raw;
  }

  onTime(nowMs: number): void {
    const leftMs = this.#sinceMs + DEADLINE_MS + this.#wheel.stoodStillMs(this.#sinceMs) - nowMs;
    if (leftMs > 0) this.#wheel.schedule(this, leftMs);
    else destroyResponse(this.#raw);
  }
}
