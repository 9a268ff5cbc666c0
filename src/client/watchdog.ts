/** Until a server announces its own, in ms. */
const DEFAULT_BEAT_MS = 15_000;

const MOST_GRACE_MS = 5_000;

/** The longest that a timer can be: a longer one is over at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Tells that nothing has come for too long: two beats, and one more of at most 5 s. */
export class Watchdog {
  /** How often something comes, in ms; `0`: nothing need come. */
  #beatMs: number;
  #lastAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isPardoned = false;

  constructor(
    beat: number | false | undefined,
    readonly onSilence: () => void,
  ) {
    this.#beatMs = beat === false ? 0 : (beat ?? DEFAULT_BEAT_MS);
  }

  /** Something has come; with `beatMs`, the server's word how often. */
  fed(beatMs?: number): void {
    if (beatMs) {
      this.#beatMs = beatMs;
      this.stop();
    }
    this.#lastAt = performance.now();
    this.#isPardoned = false;
    if (!this.#timer) this.#arm(this.#limitMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Nothing has come for two beats, while it was read. */
  get isQuiet(): boolean {
    return this.#timer !== undefined && performance.now() - this.#lastAt > 2 * this.#beatMs;
  }

  get #graceMs(): number {
    return Math.min(this.#beatMs, MOST_GRACE_MS);
  }

  get #limitMs(): number {
    return 2 * this.#beatMs + this.#graceMs;
  }

  #arm(ms: number): void {
    const due = performance.now() + ms;
    if (this.#beatMs)
      this.#timer = setTimeout(
        () => {
          const now = performance.now();
          const restMs = this.#lastAt + this.#limitMs - now;
          this.#timer = undefined;
          if (restMs > 0) this.#arm(restMs);
          // A timer that is late shows that this process stood still, and not the stream: what has come may wait behind it.
          else if (now - due > this.#graceMs && !this.#isPardoned) {
            this.#isPardoned = true;
            this.#arm(this.#beatMs);
          } else this.onSilence();
        },
        Math.min(ms, MAX_TIMER_MS),
      );
  }
}
