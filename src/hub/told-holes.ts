import type { ReadPage } from '../engine/engine.js';
import type { CursorSink } from './cursor-sink.js';

/** Sees to it that a hole is told once: it shows on every page until the topic's next event. */
export class ToldHoles {
  readonly #topics = new Set<string>();

  tell({ holes, entries }: ReadPage, sink: CursorSink): void {
    for (const { reason, topics } of holes) {
      const untold = topics.filter((topic) => !this.#topics.has(topic));
      if (untold.length > 0) sink.reset(reason, untold);
      for (const topic of untold) this.#topics.add(topic);
    }
    if (this.#topics.size > 0) for (const { topic } of entries) this.#topics.delete(topic);
  }

  clear(): void {
    this.#topics.clear();
  }
}
