import { EVERY_TOPIC } from '../engine/engine.js';
import type { EngineSink, LogEntry } from '../engine/engine.js';
import type { Position } from '../topic/position.js';
import type { NatsMessage, NatsSubscription } from './driver.js';
import { decodeEnvelope } from './envelope.js';
import { pause } from './link.js';
import type { Link } from './link.js';
import type { NatsSettings } from './options.js';
import { millisecondsOf } from './stream.js';
import type { Stream } from './stream.js';
import { Subjects, epochOfLive, liveSubject, nameOf, tokenOf } from './subjects.js';
import type { Times } from './times.js';

/** What was delivered and waits for those before it. */
interface Item {
  readonly epoch: string;
  readonly topic: string;
  readonly seq: number;
  /** Without it the item becomes a hint. */
  entry: LogEntry | undefined;
  isReady: boolean;
}

/** As many wait for their time to be known. When more come, the hub is told only that they exist. */
const MAX_QUEUE = 4_096;
const RETRY_MS = 100;

/** Live delivery: one subscription a topic, to what the server republishes once it is stored. */
export class Feed {
  readonly #link: Link;
  readonly #stream: Stream;
  readonly #times: Times;
  readonly #settings: NatsSettings;
  readonly #signal: AbortSignal;
  readonly #subscriptions = new Map<string, NatsSubscription | undefined>();
  #advisory: NatsSubscription | undefined;
  #sink: EngineSink | undefined;
  #queue: Item[] = [];
  #isInterrupted = false;
  /** Counts the interruptions, so that a restoration knows when it has been overtaken. */
  #round = 0;

  constructor(link: Link, stream: Stream, times: Times, settings: NatsSettings, signal: AbortSignal) {
    this.#link = link;
    this.#stream = stream;
    this.#times = times;
    this.#settings = settings;
    this.#signal = signal;
  }

  start(sink: EngineSink): void {
    this.#sink = sink;
  }

  async subscribe(topics: readonly string[], deadline: number): Promise<Position> {
    for (const topic of topics) {
      if (!this.#subscriptions.has(topic)) this.#subscriptions.set(topic, undefined);
      this.#attach(topic);
    }
    this.#attachAdvisory();
    await this.#link.flush(deadline);
    // The stream's leader answers, over the way that the subscriptions took: it knows of them by now.
    const { head } = await this.#stream.state(deadline);
    const refused = topics.find((topic) => this.#subscriptions.get(topic)?.isClosed());
    if (refused !== undefined) throw new Error(`The server refused the subscription to ${this.#subjectOf(refused)}`);
    return head;
  }

  unsubscribe(topics: readonly string[]): void {
    for (const topic of topics) {
      this.#subscriptions.get(topic)?.unsubscribe();
      this.#subscriptions.delete(topic);
    }
  }

  interrupt(error: unknown): void {
    this.#round++;
    this.#queue = [];
    if (this.#isInterrupted) return;
    this.#isInterrupted = true;
    this.#sink?.interrupted(error);
  }

  /** The client has subscribed again on the connection that it made anew; on one of ours that replaces it, we do. */
  async restore(): Promise<void> {
    for (const topic of this.#subscriptions.keys()) this.#attach(topic);
    this.#attachAdvisory();
    if (!this.#isInterrupted) return;
    for (const round = this.#round; round === this.#round && !this.#signal.aborted;) {
      try {
        const deadline = performance.now() + this.#settings.timeoutMs;
        await this.#link.flush(deadline);
        await this.#stream.state(deadline);
        if (round !== this.#round || this.#signal.aborted) return;
        this.#isInterrupted = false;
        return this.#sink?.resumed();
      } catch {
        // The next round tries again, and the hub knows that delivery is interrupted.
        await pause(RETRY_MS * (0.5 + Math.random()), this.#signal);
      }
    }
  }

  close(): void {
    this.unsubscribe([...this.#subscriptions.keys()]);
    this.#advisory?.unsubscribe();
    this.#queue = [];
    this.#sink = undefined;
  }

  #attach(topic: string): void {
    const known = this.#subscriptions.get(topic);
    if (known !== undefined && !known.isClosed()) return;
    const subscription = this.#link.subscribe(this.#subjectOf(topic), (message) => this.#onMessage(message));
    this.#subscriptions.set(topic, subscription);
  }

  /** What a leader had stored but not republished when it ended is known to its successor as if it had been. */
  #attachAdvisory(): void {
    if (this.#subscriptions.size === 0 || this.#advisory?.isClosed() === false) return;
    const subject = `$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.${this.#settings.stream}`;
    this.#advisory = this.#link.subscribe(subject, () => {
      this.interrupt(new Error('The JetStream stream has a new leader'));
      void this.restore();
    });
  }

  #subjectOf(topic: string): string {
    return liveSubject(this.#settings.prefix, topic === EVERY_TOPIC ? '*' : tokenOf(topic));
  }

  #onMessage({ subject, headers, data }: NatsMessage): void {
    const seq = Number(headers?.get('Nats-Sequence'));
    const envelope = decodeEnvelope(data);
    if (this.#isInterrupted || headers === undefined || !(seq > 0) || envelope === undefined) return;
    const epoch = epochOfLive(this.#settings.prefix, subject);
    const item: Item = { epoch, topic: nameOf(subject), seq, entry: undefined, isReady: false };
    this.#insert(item);
    if (this.#queue.length > MAX_QUEUE) return this.#settle(item);
    const prev = Number(headers.get('Nats-Last-Sequence'));
    const { topic } = item;
    const entryAt = (at: number): LogEntry => ({ topic, seq, prev, at, data: envelope.data, id: envelope.id });
    const time = headers.get('Nats-Time-Stamp');
    if (time !== '') return this.#settle(item, entryAt(millisecondsOf(time)));
    const deadline = performance.now() + this.#settings.timeoutMs;
    this.#times.at(new Subjects(this.#settings.prefix, epoch), seq, deadline).then(
      (at) => this.#settle(item, entryAt(at)),
      // Its time is not known, but the hub can read it.
      () => this.#settle(item),
    );
  }

  /**
   * In lane order. nats-server 2.9.10 republishes two events of concurrent publishers in the wrong order now and then, about one in
   * 14,000; the second one is here before the time of the first is known.
   */
  #insert(item: Item): void {
    let place = this.#queue.length;
    for (let before = this.#queue[place - 1]; before !== undefined; before = this.#queue[--place - 1]) {
      if (before.seq < item.seq || before.epoch !== item.epoch) break;
    }
    this.#queue.splice(place, 0, item);
  }

  #settle(item: Item, entry?: LogEntry): void {
    item.entry = entry;
    item.isReady = true;
    let count = 0;
    while (this.#queue[count]?.isReady) count++;
    for (const { epoch, topic, seq, entry } of this.#queue.splice(0, count)) {
      if (entry !== undefined) this.#sink?.entry(epoch, entry);
      else this.#sink?.hint(epoch, topic, seq);
    }
  }
}
