import { EVERY_TOPIC } from '../engine/engine.js';
import type { EngineSink, LogEntry } from '../engine/engine.js';
import { pause } from '../engine/kit/deadline.js';
import type { Position } from '../topic/position.js';
import type { NatsMessage, NatsSubscription } from './driver.js';
import type { JetStream } from './jetstream.js';
import { LaneOrder } from './lane-order.js';
import type { NatsLink } from './link.js';
import { liveEventOf } from './live-event.js';
import type { Messages } from './messages.js';
import type { NatsSettings } from './options.js';
import { Subjects, liveSubject, nameOf, tokenOf } from './subjects.js';

/** What was delivered and waits for those before it. */
interface Item {
  readonly epoch: string;
  readonly topic: string;
  readonly seq: number;
  /** Without it the item becomes a hint. */
  entry: LogEntry | undefined;
  state: 'waiting' | 'ready' | 'dropped';
}

/** What is delivered of a topic. */
interface Subscribed {
  /** `undefined` while there is no connection. */
  subscription: NatsSubscription | undefined;
  /** Everything that is stored beyond this sequence is delivered, while the connection lasts. */
  after: number;
}

/** As many wait for their time to be known. When more come, the hub is told only that they exist. */
const MAX_QUEUE = 4_096;
const RETRY_MS = 100;

/** Live delivery: one subscription a topic, to what the server republishes once it is stored. */
export class NatsLive {
  readonly #link: NatsLink;
  readonly #stream: JetStream;
  readonly #messages: Messages;
  readonly #settings: NatsSettings;
  readonly #signal: AbortSignal;
  readonly #order: LaneOrder;
  readonly #subscribed = new Map<string, Subscribed>();
  #advisory: NatsSubscription | undefined;
  #sink: EngineSink | undefined;
  #queue: Item[] = [];
  /** Delivered, and perhaps never stored. */
  readonly #doubtful: Item[] = [];
  #isChecking = false;
  #isInterrupted = false;
  /** Counts the interruptions, so that a restoration knows when it has been overtaken. */
  #round = 0;

  constructor(link: NatsLink, stream: JetStream, messages: Messages, settings: NatsSettings, signal: AbortSignal) {
    this.#link = link;
    this.#stream = stream;
    this.#messages = messages;
    this.#settings = settings;
    this.#signal = signal;
    this.#order = new LaneOrder(messages, (subject, seq) => this.#isComing(subject, seq));
  }

  start(sink: EngineSink): void {
    this.#sink = sink;
  }

  async subscribe(topics: readonly string[], deadline: number): Promise<Position> {
    for (const topic of topics) {
      const known = this.#subscribed.get(topic);
      const subscribed = known ?? { subscription: undefined, after: Infinity };
      if (known === undefined) this.#subscribed.set(topic, subscribed);
      this.#attach(topic, subscribed);
    }
    this.#attachAdvisory();
    await this.#link.flush(deadline);
    // The stream's leader answers, over the way that the subscriptions took: it knows of them by now.
    const { head } = await this.#stream.state(deadline);
    for (const topic of topics) {
      const subscribed = this.#subscribed.get(topic);
      if (subscribed?.subscription?.isClosed() === true)
        throw new Error(`The server refused the subscription to ${this.#subjectOf(topic)}`);
      if (subscribed?.after === Infinity) subscribed.after = head.seq;
    }
    return head;
  }

  unsubscribe(topics: readonly string[]): void {
    for (const topic of topics) {
      this.#subscribed.get(topic)?.subscription?.unsubscribe();
      this.#subscribed.delete(topic);
    }
  }

  interrupt(error: unknown): void {
    this.#round++;
    this.#queue = [];
    this.#order.forget();
    if (this.#isInterrupted) return;
    this.#isInterrupted = true;
    this.#sink?.interrupted(error);
  }

  /** The client has subscribed again on the connection that it made anew; on one of ours that replaces it, we do. */
  async restore(): Promise<void> {
    for (const [topic, subscribed] of this.#subscribed) this.#attach(topic, subscribed);
    this.#attachAdvisory();
    if (!this.#isInterrupted) return;
    for (const round = this.#round; round === this.#round && !this.#signal.aborted;) {
      try {
        const deadline = performance.now() + this.#settings.timeoutMs;
        await this.#link.flush(deadline);
        const { head } = await this.#stream.state(deadline);
        if (round !== this.#round || this.#signal.aborted) return;
        for (const subscribed of this.#subscribed.values()) subscribed.after = head.seq;
        this.#isInterrupted = false;
        return this.#sink?.resumed();
      } catch {
        // The next round tries again, and the hub knows that delivery is interrupted.
        await pause(RETRY_MS * (0.5 + Math.random()), this.#signal);
      }
    }
  }

  close(): void {
    this.unsubscribe([...this.#subscribed.keys()]);
    this.#advisory?.unsubscribe();
    this.#order.forget();
    this.#queue = [];
    this.#sink = undefined;
  }

  #attach(topic: string, subscribed: Subscribed): void {
    if (subscribed.subscription?.isClosed() === false) return;
    subscribed.subscription = this.#link.subscribe(this.#subjectOf(topic), (message) => this.#onMessage(message));
  }

  /** What a leader had stored but not republished when it ended is known to its successor as if it had been. */
  #attachAdvisory(): void {
    if (this.#subscribed.size === 0 || this.#advisory?.isClosed() === false) return;
    const subject = `$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.${this.#settings.stream}`;
    this.#advisory = this.#link.subscribe(subject, () => {
      this.interrupt(new Error('The JetStream stream has a new leader'));
      void this.restore();
    });
  }

  #subjectOf(topic: string): string {
    return liveSubject(this.#settings.prefix, topic === EVERY_TOPIC ? '*' : tokenOf(topic));
  }

  #onMessage(message: NatsMessage): void {
    if (this.#isInterrupted) return;
    const live = liveEventOf(message, this.#settings.prefix);
    if (live === undefined) return;
    const { epoch, topic, seq, at } = live;
    const item: Item = { epoch, topic, seq, entry: undefined, state: 'waiting' };
    this.#insert(item);
    this.#order.arrived(epoch, seq);
    if (this.#queue.length > MAX_QUEUE) return this.#doubt(item);
    if (at !== undefined) return this.#settle(item, live.entryAt(at));
    this.#ask(item).then(
      (stored) => this.#settle(item, live.entryAt(stored)),
      () => this.#doubt(item),
    );
  }

  /** Resolves to the time at which an event was stored, once those before it have come that will. */
  async #ask({ epoch, seq }: Item): Promise<number> {
    const deadline = performance.now() + this.#settings.timeoutMs;
    const subjects = new Subjects(this.#settings.prefix, epoch);
    const time = this.#messages.timeOf(subjects, seq, deadline);
    // What is replicated is stored, and republished, one after the other.
    if (this.#stream.isReplicated) return time;
    const [at] = await Promise.all([time, this.#order.complete(subjects, seq, deadline)]);
    return at;
  }

  #isComing(subject: string, seq: number): boolean {
    const named = this.#subscribed.get(nameOf(subject));
    const every = this.#subscribed.get(EVERY_TOPIC);
    const isTopic = subject.split('.').at(-2) === 't';
    return isTopic && (seq > (named?.after ?? Infinity) || seq > (every?.after ?? Infinity));
  }

  /** In lane order: what was overtaken on its way is here before those after it are passed on. */
  #insert(item: Item): void {
    let place = this.#queue.length;
    for (let before = this.#queue[place - 1]; before !== undefined; before = this.#queue[--place - 1]) {
      if (before.seq < item.seq || before.epoch !== item.epoch) break;
    }
    this.#queue.splice(place, 0, item);
  }

  /** The hub can read it, if it was stored: whoever may publish here can say so of any number. */
  #doubt(item: Item): void {
    this.#doubtful.push(item);
    if (!this.#isChecking) void this.#check();
  }

  async #check(): Promise<void> {
    this.#isChecking = true;
    while (this.#doubtful.length > 0) {
      const items = this.#doubtful.splice(0);
      try {
        const { head } = await this.#stream.state(performance.now() + this.#settings.timeoutMs);
        for (const item of items) {
          if (item.epoch === head.epoch && item.seq > head.seq) item.state = 'dropped';
          this.#settle(item);
        }
      } catch (error) {
        if (this.#signal.aborted) break;
        // As after an interruption: the hub reads what there is.
        this.interrupt(this.#settings.failures.clean(error));
        void this.restore();
      }
    }
    this.#isChecking = false;
  }

  #settle(item: Item, entry?: LogEntry): void {
    item.entry = entry;
    if (item.state === 'waiting') item.state = 'ready';
    let count = 0;
    while (count < this.#queue.length && this.#queue[count]?.state !== 'waiting') count++;
    for (const { epoch, topic, seq, entry, state } of this.#queue.splice(0, count)) {
      if (state === 'dropped') continue;
      if (entry !== undefined) this.#sink?.entry(epoch, entry);
      else this.#sink?.hint(epoch, topic, seq);
    }
  }
}
