/**
 * The subjects of one life of the log. The epoch is part of them: what is sent to a log that is gone reaches nobody, and
 * what is delivered says which log it is of.
 */
export class Subjects {
  readonly #prefix: string;
  readonly epoch: string;

  constructor(prefix: string, epoch: string) {
    this.#prefix = prefix;
    this.epoch = epoch;
  }

  /** Everything that the stream keeps. */
  get stored(): string {
    return `${this.#prefix}.s.${this.epoch}.>`;
  }

  /** Where the server publishes what it has stored. */
  get republished(): string {
    return `${this.#prefix}.l.${this.epoch}.>`;
  }

  get topics(): string {
    return `${this.#prefix}.s.${this.epoch}.t.*`;
  }

  topic(name: string): string {
    return `${this.#prefix}.s.${this.epoch}.t.${tokenOf(name)}`;
  }

  /** Each pin has a subject of its own. */
  pin(id: string): string {
    return `${this.#prefix}.s.${this.epoch}.p.${id}`;
  }
}

/** What to subscribe to for one topic, or for all with `*` as token, in whichever life of the log. */
export function liveSubject(prefix: string, token: string): string {
  return `${prefix}.l.*.t.${token}`;
}

/** The epoch in a subject that matches {@link liveSubject}. */
export function epochOfLive(prefix: string, subject: string): string {
  return subject.slice(prefix.length + 3, prefix.length + 9);
}

/** A topic's name as one token of a subject: base64url of its UTF-8, since subjects know no spaces, dots and wildcards. */
export function tokenOf(name: string): string {
  return Buffer.from(name).toString('base64url');
}

/** Whether the last token of a subject is the name of a topic. Others may have published to whatever subject. */
export function isToken(subject: string): boolean {
  return tokenOf(nameOf(subject)) === subject.slice(subject.lastIndexOf('.') + 1);
}

/** The name of the topic in the last token of a subject. */
export function nameOf(subject: string): string {
  return Buffer.from(subject.slice(subject.lastIndexOf('.') + 1), 'base64url').toString();
}
