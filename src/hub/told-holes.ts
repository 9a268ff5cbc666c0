import type { ReadPage } from '../engine/engine.js';
import { isContradiction } from '../engine/resume.js';
import type { HoleReason } from '../wire/words.js';
import type { CursorSink } from './cursor-sink.js';

interface Told {
  readonly reason: HoleReason;
  /** The newest sequence there was. */
  readonly head: number;
}

/** The holes that one cursor has told, each up to its topic's next event. */
export class ToldHoles {
  readonly #topics = new Map<string, Told>();

  /**
   * Tells the holes of a page that was read when the log ended at `head`. A hole shows on every page until its topic's next event,
   * and is told once: who was told of it asks elsewhere for what is missing. Only if events that were published after that are missing
   * as well, it is told again.
   */
  tell({ holes, entries }: ReadPage, head: number, sink: Pick<CursorSink, 'reset'>): void {
    for (const hole of holes) {
      const { reason, topics } = hole;
      const untold = isContradiction(hole) ? topics : topics.filter((topic) => !this.#topics.has(topic));
      if (untold.length > 0) sink.reset(reason, untold);
      for (const topic of untold) this.#topics.set(topic, { reason, head });
    }
    for (const { topic, prev } of entries) {
      const told = this.#topics.get(topic);
      if (told === undefined) continue;
      if (prev > told.head) sink.reset(told.reason, [topic]);
      this.#topics.delete(topic);
    }
  }
}
