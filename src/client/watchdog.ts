/** Until a server announces its own, in ms. */
const DEFAULT_BEAT_MS = 15_000;

const MOST_GRACE_MS = 5_000;

/** Tells that nothing has come for too long: two beats, and one more of at most 5 s. */
export class Watchdog {
  /** How often something comes, in ms; `0`: nothing need come. */
  #beatMs: number;
  readonly #onSilence: () => void;
  #lastAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isPardoned = false;

  constructor(beat: number | false | undefined, onSilence: () => void) {
    this.#beatMs = beat === false ? 0 : (beat ?? DEFAULT_BEAT_MS);
    this.#onSilence = onSilence;
  }

  /** The server has said how often. */
  announced(ms: number): void {
    this.#beatMs = ms;
    this.stop();
    this.fed();
  }

  fed(): void {
    this.#lastAt = performance.now();
    this.#isPardoned = false;
    this.#timer ??= this.#arm(this.#limitMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Nothing has come for two beats. */
  get isQuiet(): boolean {
    return this.#beatMs > 0 && performance.now() - this.#lastAt > 2 * this.#beatMs;
  }

  get #limitMs(): number {
    return 2 * this.#beatMs + Math.min(this.#beatMs, MOST_GRACE_MS);
  }

  #arm(ms: number): ReturnType<typeof setTimeout> | undefined {
    if (this.#beatMs === 0) return undefined;
    const due = performance.now() + ms;
    return setTimeout(() => {
      const now = performance.now();
      const restMs = this.#lastAt + this.#limitMs - now;
      // A timer that is late shows that this process stood still, and not the stream: what has come may wait behind it.
      const isLate = now - due > Math.min(this.#beatMs, MOST_GRACE_MS) && !this.#isPardoned;
      this.#isPardoned ||= isLate;
      this.#timer = undefined;
      if (restMs > 0) this.#timer = this.#arm(restMs);
      else if (isLate) this.#timer = this.#arm(this.#beatMs);
      else this.#onSilence();
    }, ms);
  }
}
