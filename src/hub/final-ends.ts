import { createHash } from 'node:crypto';
import type { Engine, Retention } from '../engine/engine.js';
import { MAX_TOPICS_AT_ONCE } from '../feed/read-topics.js';
import type { OwnTopicName } from '../topic/own-name.js';
import type { Position } from '../topic/position.js';
import { packEvent } from '../wire/payload.js';
import type { Prelude } from './prelude.js';

/** What the processes tell each other. */
export interface FinalEnd {
  readonly topic: string;
  /** The sequence of the topic's last entry. */
  readonly seq: number;
}

/** Of so many a process remembers that they have ended, beside those that are being read; of all others the log tells whoever opens them. */
const MAX_KNOWN = 10_000;
/** With each that is new, so many of the oldest are looked at. */
const MAX_LOOKS = 8;
const DAY_MS = 86_400_000;
/** How much of what they tell is kept. */
export const TELL_RETENTION: Retention = { maxEvents: MAX_KNOWN, maxBytes: 16_777_216, maxAgeMs: DAY_MS };
const ALL = { last: Infinity, since: 0 };

/** What this has to do with the views of its process. */
export interface EndsOwner {
  /** Repeats an engine call until it succeeds; `undefined` once the hub is closed. */
  persist<T>(call: () => Promise<T>): Promise<T | undefined>;
  /** A topic is known to have ended. */
  ended(topic: string): void;
  isWatched(topic: string): boolean;
}

/** The way to the other processes. */
export interface EndsChannel {
  /** Begins to hear of them. */
  load(): Promise<void>;
  send(end: FinalEnd): Promise<unknown>;
  close(): void;
}

/**
 * Which topics have ended for good. The end itself is an entry of the topic's log. Beside it the log has a mark, which whoever opens the
 * topic looks for, however long ago the end was; and the processes that have streams hear of it.
 */
export class FinalEnds {
  readonly #owner: EndsOwner;
  readonly #engine: Engine;
  #channel: EndsChannel | undefined;
  /** Each with the sequence that its end is not behind. */
  readonly #known = new Map<string, number>();
  readonly #ending = new Map<string, Promise<void>>();
  #checked: Promise<unknown> = Promise.resolve();
  #next: { readonly wanted: Set<string>; readonly checked: Promise<void> } | undefined;

  constructor(owner: EndsOwner, engine: Engine) {
    this.#owner = owner;
    this.#engine = engine;
  }

  /** Tells others, and hears of theirs through `note`. */
  connect(channel: EndsChannel): void {
    this.#channel = channel;
  }

  /** What streams of topics begin with that have ended; `undefined`: none of these has. */
  preludeOf(topics: readonly string[]): Prelude | undefined {
    if (this.#known.size === 0 || !topics.some((topic) => this.#known.has(topic))) return undefined;
    // As they are now. One that a pattern brings in begins with what comes.
    const ended = new Set(topics.filter((topic) => this.#known.has(topic)));
    return { key: `ends ${ended.size}`, portionOf: (topic) => (ended.has(topic) ? ALL : undefined) };
  }

  /** Whether a topic is known to have ended, or is about to be ended here. */
  has(topic: string): boolean {
    const isAny = this.#known.size > 0 || this.#ending.size > 0;
    return isAny && (this.#known.has(topic) || this.#ending.has(topic));
  }

  /** Those of some topics that have ended up to a place. */
  upTo(seq: number, topics: readonly string[]): readonly string[] {
    return this.#known.size === 0 ? [] : topics.filter((topic) => (this.#known.get(topic) ?? Infinity) <= seq);
  }

  /** Begins to hear of the ends of topics. */
  listen(): void {
    void this.#channel?.load();
  }

  /**
   * Ends a topic for good: from now on it is known to have ended here, unless that fails.
   *
   * @param retention that of the topic
   * @param store stores the end itself
   */
  end(topic: string, retention: Retention, store: () => Promise<Position>): Promise<void> {
    let ending = this.#ending.get(topic);
    if (ending !== undefined) return ending;
    if (this.#known.has(topic)) return Promise.resolve();
    ending = this.#end(topic, retention, store).finally(() => this.#ending.delete(topic));
    this.#ending.set(topic, ending);
    return ending;
  }

  /** Resolves when it is known which of these have ended, or the hub is closed. Those who ask while the engine is answering ask together. */
  check(topics: readonly string[]): Promise<void> {
    if (this.#next === undefined) {
      const wanted = new Set<string>();
      const checked = this.#checked.then(() => this.#check(wanted));
      this.#next = { wanted, checked };
      this.#checked = checked;
    }
    for (const topic of topics) this.#next.wanted.add(topic);
    return this.#next.checked;
  }

  /** Takes note of an end. */
  note({ topic, seq }: FinalEnd): void {
    const known = this.#known.get(topic) ?? Infinity;
    this.#known.delete(topic);
    this.#known.set(topic, Math.min(seq, known));
    this.#forgetOldest();
    this.#owner.ended(topic);
  }

  /** The log is another one. */
  forget(): void {
    this.#known.clear();
  }

  close(): void {
    this.#channel?.close();
  }

  async #end(topic: string, retention: Retention, store: () => Promise<Position>): Promise<void> {
    const { seq } = await store();
    const maxAgeMs = Math.max(retention.maxAgeMs, DAY_MS);
    const mark = { topic: markOf(topic), data: packEvent({ data: null }) };
    // Behind the end: whoever sees the mark sees all that was before the end.
    await this.#engine.append({ ...mark, retention: { maxEvents: 1, maxBytes: 1_024, maxAgeMs } });
    await this.#channel?.send({ topic, seq });
    this.note({ topic, seq });
  }

  async #check(wanted: ReadonlySet<string>): Promise<void> {
    this.#next = undefined;
    const topics = [...wanted];
    for (let from = 0; from < topics.length; from += MAX_TOPICS_AT_ONCE) {
      const asked = topics.slice(from, from + MAX_TOPICS_AT_ONCE);
      const marks = await this.#owner.persist(() => this.#engine.heads(asked.map(markOf)));
      if (marks === undefined) return;
      for (const [n, mark] of marks.topics.entries())
        if (mark !== undefined) this.note({ topic: asked[n] as string, seq: mark.seq });
    }
  }

  /** Of a topic that is being read the log is not asked again: it stays known. */
  #forgetOldest(): void {
    let looks = 0;
    for (const [topic, seq] of this.#known) {
      if (this.#known.size <= MAX_KNOWN || ++looks > MAX_LOOKS) return;
      this.#known.delete(topic);
      if (this.#owner.isWatched(topic)) this.#known.set(topic, seq);
    }
  }
}

/** Of one length, however long the name is. */
function markOf(topic: string): OwnTopicName {
  return `/end/${createHash('sha256').update(topic).digest('base64url')}`;
}
