import type { Messages } from './messages.js';
import type { Subjects } from './subjects.js';

interface Wanted {
  readonly seq: number;
  readonly deadline: number;
  readonly resolve: (at: number) => void;
  readonly reject: (error: unknown) => void;
  /** Asked for by itself. */
  asked?: Promise<void>;
  at?: number;
}

/** How many are passed over at first; then a quarter of them, down to none. */
const STRIDE = 16;
const FINER = 4;
/** So few are asked for at once, each. */
const FEW = 4;

/**
 * When messages were stored. What is wanted in one turn, as after a read of many acknowledgements, is asked for together: the time of some
 * of them, and of those in between only where the times around them differ. The stream's clock goes on, so between two of one ms is no other.
 */
export class Times {
  readonly #messages: Pick<Messages, 'timeOf'>;
  /** By the epoch of the log. */
  readonly #wanted = new Map<string, Wanted[]>();

  constructor(messages: Pick<Messages, 'timeOf'>) {
    this.#messages = messages;
  }

  /** As {@link Messages.timeOf} tells it. */
  timeOf(subjects: Subjects, seq: number, deadline: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const wanted: Wanted = { seq, deadline, resolve, reject };
      const others = this.#wanted.get(subjects.epoch);
      if (others !== undefined) return void others.push(wanted);
      const all = [wanted];
      this.#wanted.set(subjects.epoch, all);
      queueMicrotask(() => {
        this.#wanted.delete(subjects.epoch);
        all.sort((one, other) => one.seq - other.seq);
        void this.#tell(subjects, all, all.length > FEW ? STRIDE : 1);
      });
    });
  }

  /** Of a part, the first and the last have been asked for before. */
  async #tell(subjects: Subjects, all: readonly Wanted[], stride: number): Promise<void> {
    const earliest = Math.min(...all.map(({ deadline }) => deadline));
    const places = all.filter((_, n) => n % stride === 0 || n === all.length - 1);
    await Promise.all(places.map((place) => (place.asked ??= this.#ask(subjects, place, earliest))));
    for (let from = 0; from < all.length - 1; from += stride) {
      const part = all.slice(from, from + stride + 1);
      const at = part[0]?.at;
      if (part.length < 3) continue;
      if (at !== undefined && at === part.at(-1)?.at) for (const { resolve } of part) resolve(at);
      else void this.#tell(subjects, part, stride / FINER);
    }
  }

  /** @param earliest when others must know, who wait for this one: then it is asked for anew */
  async #ask(subjects: Subjects, wanted: Wanted, earliest: number): Promise<void> {
    const { seq, deadline, resolve, reject } = wanted;
    const time = this.#messages.timeOf(subjects, seq, deadline > earliest ? earliest : deadline);
    try {
      resolve((wanted.at = await time));
    } catch (error) {
      if (deadline > earliest) this.#messages.timeOf(subjects, seq, deadline).then(resolve, reject);
      else reject(error);
    }
  }
}
