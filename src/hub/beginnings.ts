import type { Position } from '../topic/position.js';

interface Storing {
  readonly topic: string;
  /** Never rejects: what is not stored is no longer here. */
  readonly position: Promise<Position | undefined>;
}

/**
 * Lets whoever begins to read get what this process publishes from that very moment on. To open a topic takes some time, and the log
 * alone does not tell what was stored before he came and what since.
 */
export class Beginnings {
  #waiting = 0;
  #count = 0;
  /** In the order of their numbers, while anybody waits. */
  readonly #storing = new Map<number, Storing>();
  /** The newest that this process has stored: whoever comes now comes after it, though it may not have been delivered yet. */
  newest: Position | undefined;

  /** Takes note of something that has been stored. */
  stored(position: Position): void {
    const { newest } = this;
    if (newest === undefined || newest.epoch !== position.epoch || newest.seq < position.seq) this.newest = position;
  }

  /** Takes note of something that is about to be stored, or has just been. While the engine is away many may wait, and what is published is refused. */
  storing(topic: string, stored: Promise<Position> | Position): void {
    if (this.#waiting === 0) return;
    const n = ++this.#count;
    const position = Promise.resolve(stored).catch(() => {
      this.#storing.delete(n);
      return undefined;
    });
    this.#storing.set(n, { topic, position });
  }

  /**
   * Waits for topics to open. Resolves to the first position that this process has stored something of them at since it began to,
   * or `undefined`.
   */
  async firstDuring(
    opening: Promise<void> | undefined,
    isTheirs: (topic: string) => boolean,
  ): Promise<Position | undefined> {
    this.#waiting++;
    const from = this.#count;
    try {
      await opening;
      const since = [...this.#storing].filter(([n, { topic }]) => n > from && isTheirs(topic));
      const positions = await Promise.all(since.map(([, { position }]) => position));
      return positions.reduce(
        (first, each) => (first === undefined || (each && each.seq < first.seq) ? each : first),
        undefined,
      );
    } finally {
      if (--this.#waiting === 0) this.#storing.clear();
    }
  }
}
