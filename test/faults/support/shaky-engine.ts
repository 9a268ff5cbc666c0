import { EVERY_TOPIC } from '../../../src/engine/engine.js';
import type {
  AppendRequest,
  Engine,
  EngineSink,
  Heads,
  Hole,
  Listing,
  LogEntry,
  ReadPage,
  ReadRequest,
} from '../../../src/engine/engine.js';
import { contradiction, isTrimmed } from '../../../src/engine/resume.js';
import { createEpoch } from '../../../src/topic/position.js';
import type { Position } from '../../../src/topic/position.js';
import type { Random } from './random.mjs';

/** A log that several shaky engines share: it can be wiped, rolled back, and lose its oldest entries. */
export class SharedLog {
  readonly nodes = new Set<ShakyEngine>();
  epoch = createEpoch();
  entries: LogEntry[] = [];
  #clock = Date.now();
  #seq = 0;

  get head(): Position {
    return { epoch: this.epoch, seq: this.#seq, at: this.#clock };
  }

  append(topic: string, data: Uint8Array): LogEntry {
    const prev = this.of([topic]).at(-1)?.seq ?? 0;
    this.#clock = Math.max(this.#clock, Date.now());
    const entry: LogEntry = { topic, seq: ++this.#seq, prev, at: this.#clock, data };
    this.entries.push(entry);
    for (const node of this.nodes) node.deliver(this.epoch, entry);
    return entry;
  }

  of(topics: readonly string[]): LogEntry[] {
    return this.entries.filter(({ topic }) => topics.includes(topic));
  }

  /** Begins anew. */
  wipe(): void {
    this.epoch = createEpoch();
    this.entries = [];
    this.#seq = 0;
  }

  /** Loses its newest entries, whose numbers will be used again. */
  rollBack(count: number): void {
    this.entries = this.entries.slice(0, this.entries.length - count);
    this.#seq -= count;
    this.#clock++;
  }

  /** Loses its oldest entries. */
  trim(count: number): void {
    this.entries = this.entries.slice(count);
  }
}

/** How often what goes wrong; each a probability per delivery or call. */
export interface Shakiness {
  readonly lose: number;
  readonly repeat: number;
  readonly hint: number;
  readonly fail: number;
}

/** One node's view of a shared log, over a line that loses, repeats, and breaks. */
export class ShakyEngine implements Engine {
  readonly name = 'shaky';
  readonly isShared = true;
  readonly maxEventBytes = Infinity;
  readonly #log: SharedLog;
  readonly #random: Random;
  readonly #subscribed = new Set<string>();
  readonly #line: (() => void)[] = [];
  shakiness: Shakiness = { lose: 0, repeat: 0, hint: 0, fail: 0 };
  calls = { read: 0, heads: 0, subscribe: 0 };
  isDown = false;
  #sink: EngineSink | undefined;
  #isFlowing = false;

  constructor(log: SharedLog, random: Random) {
    this.#log = log;
    this.#random = random;
    log.nodes.add(this);
  }

  deliver(epoch: string, entry: LogEntry): void {
    if (this.isDown || !(this.#subscribed.has(entry.topic) || this.#subscribed.has(EVERY_TOPIC))) return;
    const { lose, repeat, hint } = this.shakiness;
    if (this.#random.chance(lose)) return;
    const isHint = this.#random.chance(hint);
    for (let times = this.#random.chance(repeat) ? 2 : 1; times > 0; times--) {
      this.#line.push(() => {
        if (isHint) this.#sink?.hint(epoch, entry.topic, entry.seq);
        else this.#sink?.entry(epoch, entry);
      });
    }
    this.#flow();
  }

  /** Loses what is on its way, and everything until `restore`. */
  break(): void {
    this.isDown = true;
    this.#line.length = 0;
    this.#sink?.interrupted(new Error('the line is broken'));
  }

  restore(): void {
    this.isDown = false;
    this.#sink?.resumed();
  }

  async start(sink: EngineSink): Promise<void> {
    this.#sink = sink;
  }

  async append({ topic, data }: AppendRequest): Promise<Position> {
    const { seq, at } = this.#log.append(topic, data);
    return { epoch: this.#log.epoch, seq, at };
  }

  async read({ topics, after, verify, maxEntries }: ReadRequest): Promise<ReadPage> {
    this.calls.read++;
    await this.#call();
    const kept = this.#log.of(topics);
    const newest = verify && kept.filter(({ seq }) => seq <= verify.seq).at(-1)?.at;
    const lost = verify && contradiction(verify, this.#log.head, newest);
    const from = lost === undefined ? (after ?? 0) : 0;
    const found = kept.filter(({ seq }) => seq > from);
    const entries = found.slice(0, Math.min(maxEntries, this.#random.int(1, 6)));
    const last = entries.length < found.length ? entries.at(-1) : undefined;
    const upTo = last === undefined ? this.#log.head : { epoch: this.#log.epoch, seq: last.seq, at: last.at };
    const holes = lost === undefined ? this.#holes(topics, after, kept) : [{ reason: lost, topics }];
    return this.#answer({ entries, upTo, holes });
  }

  async locate(): Promise<undefined> {
    await this.#call();
  }

  async list(): Promise<Listing> {
    await this.#call();
    const names = [...new Set(this.#log.entries.map(({ topic }) => topic))];
    return this.#answer({ names, upTo: this.#log.head, forgottenUpTo: 0 });
  }

  async heads(topics: readonly string[]): Promise<Heads> {
    this.calls.heads++;
    await this.#call();
    return this.#answer({ upTo: this.#log.head, topics: topics.map((topic) => this.#log.of([topic]).at(-1)) });
  }

  async subscribe(topics: readonly string[]): Promise<Position> {
    this.calls.subscribe++;
    await this.#call();
    if (this.isDown) throw new Error('the line is broken');
    for (const topic of topics) this.#subscribed.add(topic);
    // Read after what was appended meanwhile, delivered or still on its way.
    return this.#answer(this.#log.head);
  }

  unsubscribe(topics: readonly string[]): void {
    for (const topic of topics) this.#subscribed.delete(topic);
  }

  async health(): Promise<void> {
    await this.#call();
  }

  async close(): Promise<void> {
    this.#log.nodes.delete(this);
    this.#sink = undefined;
  }

  get subscribed(): string[] {
    return [...this.#subscribed];
  }

  #holes(topics: readonly string[], after: number | undefined, kept: readonly LogEntry[]): Hole[] {
    if (after === undefined) return [];
    const trimmed = topics.filter((topic) => {
      const first = kept.find((entry) => entry.topic === topic);
      return first !== undefined && isTrimmed(after, first.seq, first);
    });
    return trimmed.length > 0 ? [{ reason: 'trimmed', topics: trimmed }] : [];
  }

  async #call(): Promise<void> {
    for (let turns = this.#random.int(0, 3); turns > 0; turns--) await new Promise(setImmediate);
    if (this.#random.chance(this.shakiness.fail)) throw new Error('no answer');
  }

  /** What was true when it was read, a while ago. */
  async #answer<T>(answer: T): Promise<T> {
    for (let turns = this.#random.int(0, 3); turns > 0; turns--) await new Promise(setImmediate);
    return answer;
  }

  /** Delivers in order, some turns later. */
  #flow(): void {
    if (this.#isFlowing) return;
    this.#isFlowing = true;
    setImmediate(() => {
      this.#isFlowing = false;
      for (let count = this.#random.int(0, 4); count > 0; count--) this.#line.shift()?.();
      if (this.#line.length > 0) this.#flow();
    });
  }
}
