import type { LogEntry, ReadPage } from '../engine/engine.js';
import { formatPosition } from '../topic/position.js';
import type { Position } from '../topic/position.js';
import type { CursorSink } from './cursor-sink.js';

/** What one sink has been told: where it stands, and what is missing. */
export class Told {
  readonly #sink: CursorSink;
  /** Topics whose next event comes after a hole that has been told. Few streams ever have one. */
  #holes: Set<string> | undefined;
  #seq = -1;
  #at = 0;

  constructor(sink: CursorSink) {
    this.#sink = sink;
  }

  /** The engine's time, in ms, of the place that was told last. */
  get at(): number {
    return this.#at;
  }

  /** An event has gone out with its id. */
  event({ seq, at }: LogEntry): void {
    this.#seq = seq;
    this.#at = at;
  }

  /** Tells a place without an event. `false`: it was told already. */
  position(position: Position): boolean {
    if (this.#seq === position.seq) return false;
    this.#seq = position.seq;
    this.#at = position.at;
    this.#sink.position(formatPosition(position));
    return true;
  }

  /** Tells the holes of a page, each once: it shows on every page until its topic's next event. */
  holes({ holes, entries }: ReadPage): void {
    for (const { reason, topics } of holes) {
      this.#holes ??= new Set();
      const told = this.#holes;
      const untold = topics.filter((topic) => !told.has(topic));
      if (untold.length > 0) this.#sink.reset(reason, untold);
      for (const topic of untold) told.add(topic);
    }
    if (this.#holes !== undefined) for (const { topic } of entries) this.#holes.delete(topic);
  }

  /** Everything there is has been read: whatever is missing from now on is another hole. */
  caughtUp(): void {
    this.#holes = undefined;
  }
}
