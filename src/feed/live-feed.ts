import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { apart } from '../engine/apart.js';
import type { Engine, EngineSink, LogEntry, TopicSlot } from '../engine/engine.js';
import { sizeOf } from '../engine/text-entry.js';
import { isOfRun, isUsers } from '../topic/own-name.js';
import type { Position } from '../topic/position.js';
import { CatchUp } from './catch-up.js';
import { HeldBack, type Hint, withoutOlderHints } from './held-back.js';
import { Interests } from './interests.js';
import { isReused, newer } from './places.js';

/** Who gets what a feed has put in order. */
export interface FeedListener {
  /** In lane order, each entry once; with the slot of its topic, where that is at hand. */
  entry(entry: LogEntry, slot?: TopicSlot): void;
  /** Found only after later ones of other topics had been passed on. */
  lateEntry(entry: LogEntry): void;
  /** The log is another one, or has lost something that was not read yet: every reader must ask it where he stands. */
  restarted(head: Position): void;
  interrupted(error: unknown): void;
  /** Live delivery works, and nothing is missing. */
  caughtUp(): void;
  /** Repeats an engine call until it succeeds; `undefined` once the hub is closed. */
  persist<T>(call: () => Promise<T>): Promise<T | undefined>;
}

export interface FeedOptions {
  /** How often the heads of all subscribed topics are compared with what has come, in ms; about so often. */
  readonly auditMs: number;
}

/** What was stored so long ago has been delivered, or is lost. */
const ON_ITS_WAY_MS = 500;

interface Held {
  readonly epoch: string;
  readonly item: LogEntry | Hint;
}

/**
 * Makes a lane of what an engine delivers: each entry of the subscribed topics once and in order, though the engine may
 * repeat or lose them, deliver hints instead, or be away for a while. What is missing is read from the log, once for all
 * readers of this process, and meanwhile whatever comes is held back.
 */
export class LiveFeed implements EngineSink {
  readonly #engine: Engine;
  readonly #listener: FeedListener;
  readonly #options: FeedOptions;
  readonly #interests = new Interests();
  readonly #catchUp: CatchUp;
  readonly #closing = new AbortController();
  /** Everything of the subscribed topics up to here has been passed on. */
  #place: Position | undefined;
  /** The newest of the positions that topics were opened at. */
  #openedAt: Position | undefined;
  readonly #heldBack = new HeldBack<Held>();
  #isReading = false;
  /** Something may be missing: the log is to be read. */
  #isStale = false;
  #isInterrupted = false;
  /** Counts what makes the answer to a subscription doubtful that was on its way. */
  #doubts = 0;
  /** Settles when the log is not being read. */
  #idle: Promise<void> = Promise.resolve();
  #opened: Promise<unknown> = Promise.resolve();
  #next: { readonly wanted: Set<string>; readonly opened: Promise<Position | undefined> } | undefined;
  #started: Promise<void> | undefined;
  #isAuditing = false;

  constructor(engine: Engine, listener: FeedListener, options: FeedOptions) {
    this.#engine = engine;
    this.#listener = listener;
    this.#options = options;
    setMaxListeners(0, this.#closing.signal);
    this.#catchUp = new CatchUp(engine, this.#interests, {
      persist: (call) => listener.persist(call),
      pass: (epoch, entry) => this.#pass(epoch, entry),
    });
  }

  /** Everything of the subscribed topics up to here has been passed on; `undefined` before the first subscription. */
  get place(): Position | undefined {
    return this.#place;
  }

  /**
   * Resolves to a position beyond which every entry of these topics is passed on. `undefined` once the hub is closed.
   * What is asked for while the engine is answering goes to it together, in one call.
   */
  subscribe(topics: readonly string[]): Promise<Position | undefined> {
    // What was open before has been passed on from where it was opened, which may be further on.
    if (this.#interests.hasAll(topics)) return Promise.resolve(this.#seen());
    if (this.#next === undefined) {
      const wanted = new Set<string>();
      const opened = this.#opened.then(() => this.#open(wanted));
      this.#next = { wanted, opened };
      this.#opened = opened;
    }
    for (const topic of topics) this.#next.wanted.add(topic);
    return this.#next.opened;
  }

  unsubscribe(topics: readonly string[]): void {
    this.#interests.delete(topics);
    this.#engine.unsubscribe(topics);
  }

  entry(epoch: string, entry: LogEntry, slot?: TopicSlot): void {
    // What nodes tell each other decides who is let in: it is read from the log, whoever may send to where it is announced.
    const isTold = this.#engine.isShared && !isUsers(entry.topic) && !isOfRun(entry.topic);
    if (isTold) return this.hint(epoch, entry.topic, entry.seq);
    if (this.#isReading || this.#isInterrupted) this.#hold({ epoch, item: entry }, sizeOf(entry));
    else this.#take(epoch, entry, slot);
  }

  hint(epoch: string, topic: string, seq: number): void {
    const item = { topic, seq };
    if (this.#isReading || this.#isInterrupted) this.#hold({ epoch, item }, 0);
    else this.#takeHint(epoch, item);
  }

  interrupted(error: unknown): void {
    this.#doubts++;
    this.#isInterrupted = true;
    this.#listener.interrupted(error);
  }

  resumed(): void {
    this.#isInterrupted = false;
    this.catchUp();
  }

  /** Asks the log for what is missing. */
  catchUp(): void {
    this.#isStale = true;
    if (!this.#isReading && !this.#isInterrupted) this.#read(() => this.#readAll());
  }

  close(): void {
    this.#closing.abort();
    this.#heldBack.takeAll();
  }

  async #open(wanted: ReadonlySet<string>): Promise<Position | undefined> {
    this.#next = undefined;
    const topics = [...wanted];
    this.#interests.begin(topics);
    for (;;) {
      // What is being read does not include these topics: the place to begin at must be behind all of it.
      await this.#idle;
      const doubts = this.#doubts;
      this.#interests.forgetGap();
      const head = await this.#listener.persist(() => this.#subscribe(topics));
      if (head === undefined) return undefined;
      if (doubts !== this.#doubts || !this.#interests.isComplete(head)) continue;
      // Of topics that were open before, entries up to the head may still be on their way.
      if (!this.#interests.isAnyOpen) this.#place = newer(this.#place, head);
      this.#interests.finish(topics, head);
      this.#openedAt = newer(this.#openedAt, head);
      this.#startAudits();
      return head;
    }
  }

  async #subscribe(topics: readonly string[]): Promise<Position> {
    this.#started ??= this.#engine.start(this);
    try {
      await this.#started;
    } catch (error) {
      this.#started = undefined;
      throw error;
    }
    return this.#engine.subscribe(topics);
  }

  /** The newest position that the log is known to have had. */
  #seen(): Position | undefined {
    return this.#place && this.#openedAt && newer(this.#openedAt, this.#place);
  }

  #take(epoch: string, entry: LogEntry, slot: TopicSlot | undefined): void {
    // Nearly always it is the next one of a topic that is open.
    const place = this.#place;
    const isNext = place !== undefined && epoch === place.epoch && entry.seq > place.seq;
    const interest = isNext ? this.#interests.heardInOrder(entry, slot) : undefined;
    if (interest !== undefined) {
      this.#place = { epoch, seq: entry.seq, at: entry.at };
      return this.#listener.entry(entry, interest);
    }
    const known = this.#interests.knownOf(entry.topic);
    if (known === undefined) return;
    if (place !== undefined && (epoch !== place.epoch || isReused(entry, known, place))) return this.catchUp();
    if (entry.seq <= known) return;
    // What an opening topic misses is seen when it has opened.
    if (entry.prev > known && !this.#interests.noteGap(entry)) return this.catchUp();
    this.#pass(epoch, entry);
  }

  #takeHint(epoch: string, { topic, seq }: Hint): void {
    const known = this.#interests.knownOf(topic);
    if (known === undefined) return;
    if (this.#place !== undefined && epoch !== this.#place.epoch) return this.catchUp();
    // Of a topic that is being opened, what was before is left to who reads the log.
    const after = this.#interests.isKnown(topic) ? known : seq - 1;
    if (seq > known) this.#read(() => this.#readHinted(topic, after, seq));
  }

  #pass(epoch: string, entry: LogEntry): void {
    this.#interests.heard(entry);
    if (this.#place !== undefined && entry.seq <= this.#place.seq) return this.#listener.lateEntry(entry);
    this.#place = { epoch, seq: entry.seq, at: entry.at };
    this.#listener.entry(entry);
  }

  #hold(held: Held, bytes: number): void {
    if (!this.#heldBack.push(held, bytes)) this.#isStale = true;
  }

  /** Holds back what comes while the log is read, and takes it up afterwards. */
  #read(work: () => Promise<void>): void {
    this.#isReading = true;
    this.#idle = apart(() => work().then(() => this.#settle()));
  }

  async #settle(): Promise<void> {
    while (this.#isStale && !this.#isInterrupted && !this.#closing.signal.aborted) await this.#readAll();
    this.#isReading = false;
    // From the first that needs the log again, the rest is held back again.
    for (const { epoch, item } of withoutOlderHints(this.#heldBack.takeAll())) {
      if ('data' in item) this.entry(epoch, item);
      else this.hint(epoch, item.topic, item.seq);
    }
    if (this.#isReading) return this.#idle;
  }

  async #readAll(): Promise<void> {
    this.#isStale = false;
    this.#doubts++;
    // What was held back up to now is in the log.
    this.#heldBack.takeAll();
    const from = this.#place;
    if (from === undefined) return this.#listener.caughtUp();
    const answer = await this.#catchUp.run(from, this.#seen() ?? from);
    this.#doubts++;
    if (answer === undefined) return;
    this.#place = answer.isSame ? newer(this.#place, answer.head) : answer.head;
    if (answer.isSame) this.#interests.completeUpTo(answer.head.seq);
    else this.#interests.restartAt(answer.head.seq);
    if (!answer.isSame) {
      this.#openedAt = answer.head;
      this.#listener.restarted(answer.head);
    }
    if (!this.#isStale && !this.#isInterrupted) this.#listener.caughtUp();
  }

  /** Reads what a hint stands for, and what is before it. Later entries come by themselves. */
  async #readHinted(topic: string, from: number, upTo: number): Promise<void> {
    const pass = (epoch: string, entry: LogEntry): void => this.#passHinted(epoch, entry);
    const isSame = await this.#catchUp.readHinted(topic, from, upTo, { epoch: this.#place?.epoch, pass });
    if (!isSame) this.#isStale = true;
  }

  #passHinted(epoch: string, entry: LogEntry): void {
    const known = this.#interests.knownOf(entry.topic);
    if (known === undefined || entry.seq <= known) return;
    if (entry.prev > known) this.#interests.noteGap(entry);
    this.#pass(epoch, entry);
  }

  #startAudits(): void {
    if (!this.#engine.isShared || this.#isAuditing) return;
    this.#isAuditing = true;
    void this.#audit();
  }

  /** Looks for what was lost without anybody noticing. Nothing is held back meanwhile. */
  async #audit(): Promise<void> {
    const { signal } = this.#closing;
    for (;;) {
      // Nodes that were started together should not ask together.
      await delay(this.#options.auditMs * (0.75 + Math.random() / 2), undefined, { ref: false, signal }).catch(ignore);
      if (signal.aborted) return;
      const [place, seen] = [this.#place, this.#seen()];
      if (this.#isReading || this.#isInterrupted || place === undefined || seen === undefined) continue;
      const missing = await this.#catchUp.missing(place, seen).catch(ignore);
      // It may have been on its way.
      if (missing?.isAny() === true) await delay(ON_ITS_WAY_MS, undefined, { ref: false, signal }).catch(ignore);
      if (missing?.isAny() === true) this.catchUp();
    }
  }
}

function ignore(): void {
  // The hub was closed, or the engine is away: that is told elsewhere, and the next audit comes.
}
