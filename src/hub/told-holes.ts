import type { ReadPage } from '../engine/engine.js';
import type { CursorSink } from './cursor-sink.js';

/** The topics of one cursor whose next event comes after a hole that has been told. */
export class ToldHoles {
  readonly #topics = new Set<string>();

  /** Tells the holes of a page, each once: it shows on every page until its topic's next event. */
  tell({ holes, entries }: ReadPage, sink: CursorSink): void {
    for (const { reason, topics } of holes) {
      const untold = topics.filter((topic) => !this.#topics.has(topic));
      if (untold.length > 0) sink.reset(reason, untold);
      for (const topic of untold) this.#topics.add(topic);
    }
    for (const { topic } of entries) this.#topics.delete(topic);
  }
}
