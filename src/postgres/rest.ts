/** A pause that can be cut short. Keeps no process alive. */
export class Rest {
  #timer: NodeJS.Timeout | undefined;
  #endsAt = 0;
  #end: (() => void) | undefined;

  begin(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#end = resolve;
      this.#arm(ms);
    });
  }

  /** At once, if it has begun. */
  end(): void {
    clearTimeout(this.#timer);
    this.#end?.();
    this.#end = undefined;
  }

  endWithin(ms: number): void {
    if (this.#end !== undefined && performance.now() + ms < this.#endsAt) this.#arm(ms);
  }

  #arm(ms: number): void {
    clearTimeout(this.#timer);
    this.#endsAt = performance.now() + ms;
    this.#timer = setTimeout(() => this.end(), ms).unref();
  }
}
