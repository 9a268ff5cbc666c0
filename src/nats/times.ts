import { before } from './link.js';
import { UnavailableError } from './stream.js';
import type { Stream } from './stream.js';
import type { Subjects } from './subjects.js';

const MAX_TIMES = 4_096;

/**
 * When messages were stored. Neither the answer to a publisher nor, before nats-server 2.10, what is delivered live tells
 * it; a process that does both asks once.
 */
export class Times {
  readonly #stream: Stream;
  readonly #times = new Map<number, { readonly at: Promise<number>; readonly deadline: number }>();
  #epoch = '';

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  /** To be called when the log may have lost its end: its numbers may mean other events then. */
  forget(): void {
    this.#times.clear();
  }

  at(subjects: Subjects, seq: number, deadline: number): Promise<number> {
    if (subjects.epoch !== this.#epoch) {
      this.#epoch = subjects.epoch;
      this.#times.clear();
    }
    const known = this.#times.get(seq);
    // Who asked first may be willing to wait for longer.
    if (known !== undefined) return known.deadline <= deadline ? known.at : inTime(known.at, deadline);
    const asked = this.#ask(subjects, seq, deadline);
    this.#times.set(seq, { at: asked, deadline });
    asked.catch(() => this.#times.delete(seq));
    for (const oldest of this.#times.keys()) {
      if (this.#times.size <= MAX_TIMES) break;
      this.#times.delete(oldest);
    }
    return asked;
  }

  /** Of a message that is already gone, the time of the one after it: not before its own, and never after what follows. */
  async #ask({ stored }: Subjects, seq: number, deadline: number): Promise<number> {
    const message =
      (await this.#stream.get({ seq }, deadline)) ?? (await this.#stream.get({ seq, next_by_subj: stored }, deadline));
    if (message?.subject.startsWith(stored.slice(0, -1))) return message.at;
    throw new UnavailableError('The log has changed');
  }
}

async function inTime(at: Promise<number>, deadline: number): Promise<number> {
  await before(deadline, at);
  return at;
}
