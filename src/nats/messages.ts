import { before } from '../engine/kit/deadline.js';
import type { JetStream } from './jetstream.js';
import { UnavailableError } from './stored-message.js';
import type { StoredMessage } from './stored-message.js';
import type { Subjects } from './subjects.js';

const MAX_KNOWN = 4_096;

interface Known {
  readonly message: Promise<Pick<StoredMessage, 'subject' | 'at'> | undefined>;
  readonly deadline: number;
}

/**
 * What the stream tells of single messages. Neither the answer to a publisher nor, before nats-server 2.10, what is delivered live
 * tells when one was stored; a process that does both asks once.
 */
export class Messages {
  readonly #stream: JetStream;
  readonly #known = new Map<number, Known>();
  #epoch = '';

  constructor(stream: JetStream) {
    this.#stream = stream;
  }

  /** To be called when the log may have lost its end: its numbers may mean other events then. */
  forget(): void {
    this.#known.clear();
  }

  /** When a message was stored. Of one that is already gone, the time of the one after it: not before its own, and never after what follows. */
  async timeOf(subjects: Subjects, seq: number, deadline: number): Promise<number> {
    const { stored } = subjects;
    const message =
      (await this.#find(subjects, seq, deadline)) ?? (await this.#stream.get({ seq, next_by_subj: stored }, deadline));
    if (message?.subject.startsWith(stored.slice(0, -1))) return message.at;
    throw new UnavailableError('The log has changed');
  }

  /** `undefined`: it is gone. */
  async subjectOf(subjects: Subjects, seq: number, deadline: number): Promise<string | undefined> {
    return (await this.#find(subjects, seq, deadline))?.subject;
  }

  #find({ epoch }: Subjects, seq: number, deadline: number): Known['message'] {
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#known.clear();
    }
    const known = this.#known.get(seq);
    // Who asked first may be willing to wait for longer.
    if (known !== undefined) return known.deadline <= deadline ? known.message : inTime(known.message, deadline);
    const message = this.#ask(seq, deadline);
    this.#known.set(seq, { message, deadline });
    message.catch(() => this.#known.delete(seq));
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_KNOWN) break;
      this.#known.delete(oldest);
    }
    return message;
  }

  /** What is kept of a message must not keep its payload. */
  async #ask(seq: number, deadline: number): Known['message'] {
    const message = await this.#stream.get({ seq }, deadline);
    return message && { subject: message.subject, at: message.at };
  }
}

async function inTime<T>(asked: Promise<T>, deadline: number): Promise<T> {
  await before(deadline, asked);
  return asked;
}
