import { DeadlineError } from '../engine/kit/deadline.js';
import { COST } from './effort.js';
import type { Bounds } from './effort.js';
import type { Gate } from './gate.js';
import type { MessageQuery, JetStream } from './jetstream.js';
import { UnavailableError } from './stored-message.js';
import type { StoredMessage } from './stored-message.js';

/** One question about the log, and all that is asked of the stream for it: within its effort and its time. */
export class Question {
  readonly deadline: number;
  readonly effort: Bounds;
  readonly #stream: JetStream;
  readonly #gate: Gate;

  constructor(stream: JetStream, gate: Gate, effort: Bounds, deadline: number) {
    this.deadline = deadline;
    this.effort = effort;
    this.#stream = stream;
    this.#gate = gate;
  }

  /** @param bytes how large the message is, where that is known */
  async get(query: MessageQuery, bytes?: number): Promise<StoredMessage | undefined> {
    await this.effort.spend(COST.get);
    const message = await this.#gate.run(async () => this.#stream.get(query, this.#inTime()), bytes);
    await this.effort.spend((message?.data.byteLength ?? 0) * COST.byte);
    return message;
  }

  async mustGet(query: MessageQuery): Promise<StoredMessage> {
    const message = await this.get(query);
    if (message === undefined) throw new UnavailableError('The log has changed while it was read');
    return message;
  }

  /** What there is of a subject, or in the whole lane, beyond a sequence, as far as it is quick to have. */
  async *messages(subject: string | undefined, after: number): AsyncGenerator<StoredMessage> {
    const cost = subject === undefined ? COST.laneRow : COST.row;
    await this.effort.spend(COST.consumer);
    for await (const found of this.#stream.scan({ subject, from: after + 1 }, this.deadline)) {
      const bytes = found.reduce((sum, { data }) => sum + data.byteLength, 0);
      await this.effort.spend(found.length * cost + bytes * COST.byte);
      yield* found;
    }
  }

  async countBeyond(subject: string, seq: number): Promise<number> {
    await this.effort.spend(COST.consumer);
    return this.#stream.countBeyond(subject, seq, this.deadline);
  }

  /** The newest message at or before a sequence. JetStream looks forward only, so the place is searched for. */
  async newestUpTo(subject: string, seq: number, goneUpTo: number): Promise<StoredMessage | undefined> {
    const look = async (from: number): Promise<StoredMessage | undefined> => {
      const message = await this.get({ seq: from, next_by_subj: subject });
      return message !== undefined && message.seq <= seq ? message : undefined;
    };
    let found: StoredMessage | undefined;
    let below = seq + 1;
    for (let step = 1; found === undefined && below > goneUpTo + 1; step *= 2) {
      const from = Math.max(below - step, goneUpTo + 1);
      found = await look(from);
      if (found === undefined) below = from;
    }
    while (found !== undefined && below - found.seq > 1) {
      const middle = Math.ceil((found.seq + below) / 2);
      const later = await look(middle);
      if (later === undefined) below = middle;
      else found = later;
    }
    return found;
  }

  /** A place that at least `count` messages of a subject are beyond, and not many more: between one that is too early and the newest. */
  async placeBefore(subject: string, count: number, early: number, newest: number): Promise<number> {
    let place = early;
    for (let low = early, high = newest; high - low > 1;) {
      const middle = Math.floor((low + high) / 2);
      const beyond = await this.countBeyond(subject, middle);
      if (beyond < count) high = middle;
      else {
        place = low = middle;
        if (beyond <= 2 * count) break;
      }
    }
    return place;
  }

  #inTime(): number {
    if (performance.now() > this.deadline) throw new DeadlineError('No answer in time');
    return this.deadline;
  }
}
