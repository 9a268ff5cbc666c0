import type { Position } from '../topic/position.js';

/**
 * Lets whoever begins to read get what this process publishes from that very moment on. To open a topic takes some time, and the log
 * alone does not tell what was stored before he came and what since.
 */
export class Beginnings {
  #waiting = 0;
  /** While anybody waits. */
  #stored: Promise<Position | undefined>[] = [];

  /** The newest that this process has stored: whoever comes now comes after it, though it may not have been delivered yet. */
  newest: Position | undefined;

  /** Takes note of something that has been stored. */
  stored(position: Position): void {
    const { newest } = this;
    if (newest === undefined || newest.epoch !== position.epoch || newest.seq < position.seq) this.newest = position;
  }

  /** Takes note of something that is about to be stored. */
  storing(stored: Promise<Position>): void {
    if (this.#waiting > 0) this.#stored.push(stored.catch(() => undefined));
  }

  /**
   * Waits for topics to open. Resolves to the first position that this process has stored something at since it began to, or
   * `undefined`.
   */
  async firstDuring(opening: Promise<void> | undefined): Promise<Position | undefined> {
    this.#waiting++;
    const from = this.#stored.length;
    try {
      await opening;
      const positions = await Promise.all(this.#stored.slice(from));
      return positions.reduce(
        (first, each) => (first === undefined || (each && each.seq < first.seq) ? each : first),
        undefined,
      );
    } finally {
      if (--this.#waiting === 0) this.#stored = [];
    }
  }
}
