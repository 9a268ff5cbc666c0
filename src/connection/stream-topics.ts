import type { Begin } from '../topic/begin.js';
import { publicName } from '../topic/own-name.js';
import type { Kept } from './kept.js';
import type { LifeState } from './life.js';
import type { StreamHost } from './stream-host.js';
import { TopicReading } from './topic-reading.js';
import type { ReadingOwner } from './topic-reading.js';
import { TopicSet } from './topic-set.js';
import type { TopicReader } from './topic-set.js';

/** Whose topics they are. */
export interface TopicsOwner extends TopicReader, ReadingOwner {
  readonly state: LifeState;
  readonly lastEventId: string | undefined;
}

/** What one stream reads of topics: which they are, and where it is in them. */
export class StreamTopics extends TopicSet<StreamHost> {
  readonly #owner: TopicsOwner;
  #reading: TopicReading | undefined;
  #kept: Kept | undefined;

  constructor(host: StreamHost, owner: TopicsOwner) {
    super(host);
    this.#owner = owner;
  }

  /** What is read. */
  override [Symbol.iterator](): Iterator<string> {
    const kept = this.#kept;
    if (kept === undefined) return super[Symbol.iterator]();
    const name = publicName(kept.topic);
    return this.names.map((each) => (each === name ? kept.topic : each)).values();
  }

  /** Where a client that comes back goes on. */
  get place(): string | undefined {
    return this.#reading?.place;
  }

  /** Checks topics before they are read. Rejects with what says why not. */
  async admit(selectors: readonly string[]): Promise<void> {
    await this.check(this.#owner, selectors);
  }

  /**
   * Reads further topics, once admitted. Resolves when every later event of theirs will be sent.
   *
   * @param kept where that is kept which the only one of them stands for
   */
  async select(selectors: readonly string[], begin?: Begin, kept?: Kept): Promise<void> {
    this.add(this.#owner, selectors);
    if (kept !== undefined) this.#kept = kept;
    const { state, lastEventId } = this.#owner;
    if (state === 'open') {
      if (this.#reading === undefined) this.#open(undefined).attach();
      await this.#reading?.select(this);
    } else if (state === 'pending' && lastEventId === undefined) {
      void this.#reading?.select(this);
      await this.takePlace(begin);
    }
  }

  /** Reads these no more. */
  leave(selectors: readonly string[]): void {
    this.delete(selectors);
    void this.#reading?.select(this);
  }

  /** Takes the place that a client begins at which brings none, so that it is never later than the head of the answer. */
  async takePlace(begin?: Begin): Promise<void> {
    if (this.count > 0) await (this.#reading ?? this.#open(undefined, begin)).begun();
  }

  /** What there is to tell before anything else. @param begin where it begins unless its client has brought an id */
  takeEarly(begin: Begin | undefined): string {
    if (this.#owner.lastEventId === undefined) this.#reading?.beginAt(this.host.hub, begin);
    return this.#reading?.takeEarly() ?? '';
  }

  /** Begins to write, if there is anything to read. @param from the id that its client has brought */
  attach(from: string | undefined): void {
    const kept = this.#kept?.isAfter(from) === true ? this.#kept : undefined;
    if (this.count > 0) this.#reading ??= this.#open(kept?.place ?? from);
    // What the client has is of something else, of which it may miss the rest.
    if (kept !== undefined) this.#reading?.reset('unknown', [kept.topic]);
    this.#reading?.attach();
  }

  pump(): void {
    this.#reading?.pump();
  }

  /** Gives a client that has long heard nothing a newer place to resume from, if there is one. */
  advance(): boolean {
    return this.#reading?.advance() === true;
  }

  close(): void {
    this.#reading?.close();
  }

  #open(from: string | undefined, begin?: Begin): TopicReading {
    this.#reading = new TopicReading(this.host.hub, this.#owner, this);
    this.#reading.open(this.host.hub, from, begin);
    return this.#reading;
  }
}
