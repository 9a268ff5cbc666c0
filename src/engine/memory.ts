import { type Rules, anyFunction, checkOptions, number } from '../rules.js';
import { createEpoch } from '../topic/position.js';
import type { Position } from '../topic/position.js';
import type {
  AppendRequest,
  Engine,
  EngineSink,
  Excerpt,
  Heads,
  Listing,
  LogEntry,
  ReadPage,
  ReadRequest,
  Retention,
} from './engine.js';
import { apart } from './apart.js';
import { EVERY_TOPIC } from './engine.js';
import { Fifo } from './fifo.js';
import { EngineFailures } from './kit/failure.js';
import { Interest } from './kit/interest.js';
import { LaneMerge } from './kit/merge.js';
import { endOf, holesBeyond, takePage } from './kit/page.js';
import { reopenable } from './kit/reopenable.js';
import { MemoryLog, bytesOf } from './memory-log.js';
import { contradiction } from './resume.js';
import { entryOf, sizeOf } from './text-entry.js';

export interface MemoryEngineOptions {
  /**
   * How many bytes all retained events may take together, whatever each topic's own history allows. When more
   * would be kept, the oldest events of all topics go first.
   *
   * Minimum: `1024`.
   *
   * @default 268_435_456
   */
  readonly maxTotalBytes?: number | undefined;
  /**
   * The clock, in ms since 1970. For tests.
   *
   * @default Date.now
   */
  readonly now?: (() => number) | undefined;
}

const RULES: Rules<MemoryEngineOptions> = { maxTotalBytes: number(1_024), now: anyFunction };

const failures = new EngineFailures('memory');

const SWEEP_MS = 5_000;
/** What evicted entries may hold on to before they are let go of, beside as much as the retained ones take. */
const MIN_EVICTED_BYTES = 1_048_576;

/**
 * Keeps the log in this process: nothing to install, gone when the process ends. The default, and the reference that
 * the other engines are held to.
 *
 * @throws SseError `invalid-options`
 */
export function memoryEngine(options: MemoryEngineOptions = {}): Engine {
  checkOptions('memoryEngine', options, RULES);
  const { maxTotalBytes = 268_435_456, now = Date.now } = options;
  return reopenable(() => new MemoryEngine(maxTotalBytes, now));
}

class MemoryEngine implements Engine {
  readonly name = 'memory';
  readonly isShared = false;
  readonly maxEventBytes = Infinity;
  readonly #epoch = createEpoch();
  readonly #maxTotalBytes: number;
  readonly #now: () => number;
  readonly #logs = new Map<string, MemoryLog>();
  /** All retained entries in lane order, and some already evicted by their topic: what to evict next over the total. */
  readonly #lane = new Fifo<LogEntry>();
  readonly #interest = new Interest();
  #retained = 0;
  #totalBytes = 0;
  /** Bytes of evicted entries that are still in `#lane`, at most. */
  #evictedBytes = 0;
  #seq = 0;
  #at = 0;
  /** Highest head among the topics that have vanished: who stands before it may have missed events of a topic unknown here. */
  #forgotten = 0;
  #sink: EngineSink | undefined;
  #sweeper: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(maxTotalBytes: number, now: () => number) {
    this.#maxTotalBytes = maxTotalBytes;
    this.#now = now;
  }

  async start(sink: EngineSink): Promise<void> {
    this.#assertOpen();
    this.#sink = sink;
  }

  async append(request: AppendRequest): Promise<Position> {
    return this.appendNow(request);
  }

  appendNow(request: AppendRequest): Position {
    this.#assertOpen();
    const { topic, retention } = request;
    const log = this.#logs.get(topic) ?? this.#createLog(topic, retention);
    const entry = entryOf(request, ++this.#seq, log.head, this.#tick());
    this.#retained++;
    this.#totalBytes += bytesOf(entry);
    this.#lane.push(entry);
    log.append(entry, retention);
    this.#enforceTotal();
    if (log.isWanted) this.#sink?.entry(this.#epoch, entry, log);
    return this.#position(entry);
  }

  async read(request: ReadRequest): Promise<ReadPage> {
    this.#assertOpen();
    const topics = [...new Set(request.topics)];
    const now = this.#tick();
    for (const topic of topics) this.#logs.get(topic)?.trim(now);
    const lost = this.#contradiction(request, topics);
    const page = this.#page(topics, (lost ? undefined : request.after) ?? 0, request);
    if (lost) return { ...page, holes: [{ reason: lost, topics }] };
    return { ...page, holes: holesBeyond(request.after, topics, (topic) => this.#logs.get(topic), this.#forgotten) };
  }

  async locate(topics: readonly string[], id: string): Promise<Position | 'ambiguous' | undefined> {
    this.#assertOpen();
    let found: LogEntry | undefined;
    for (const topic of new Set(topics)) {
      const here = this.#logs.get(topic)?.locate(id);
      if (here === undefined) continue;
      if (here === 'ambiguous' || found !== undefined) return 'ambiguous';
      found = here;
    }
    return found && this.#position(found);
  }

  async list(prefix: string): Promise<Listing> {
    this.#assertOpen();
    const names: string[] = [];
    for (const name of this.#logs.keys()) if (name.startsWith(prefix)) names.push(name);
    return { names, upTo: this.#head(), forgottenUpTo: this.#forgotten };
  }

  async heads(topics: readonly string[]): Promise<Heads> {
    this.#assertOpen();
    const known = topics.map((topic) => this.#logs.get(topic));
    return { upTo: this.#head(), topics: known.map((log) => log && { seq: log.head, at: log.headAt }) };
  }

  async subscribe(topics: readonly string[]): Promise<Position> {
    this.#assertOpen();
    this.#interest.add(topics);
    this.#noteInterest(topics);
    return this.#head();
  }

  unsubscribe(topics: readonly string[]): void {
    this.#interest.delete(topics);
    this.#noteInterest(topics);
  }

  async health(): Promise<void> {
    this.#assertOpen();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweeper);
    this.#logs.clear();
    this.#lane.clear();
    this.#interest.clear();
    this.#sink = undefined;
  }

  #createLog(topic: string, retention: Retention): MemoryLog {
    this.#sweeper ??= apart(() => setInterval(() => this.#sweep(), SWEEP_MS).unref());
    const log = new MemoryLog(retention, this.#forgotten, this.#interest.has(topic), this.#onEvicted);
    this.#logs.set(topic, log);
    return log;
  }

  readonly #onEvicted = (bytes: number): void => {
    this.#retained--;
    this.#totalBytes -= bytes;
    this.#evictedBytes += bytes;
  };

  /** Each log knows for itself whether it is wanted: an event asks it in any case, and nothing else. */
  #noteInterest(topics: readonly string[]): void {
    const changed = topics.includes(EVERY_TOPIC) ? this.#logs.keys() : topics;
    for (const topic of changed) {
      const log = this.#logs.get(topic);
      if (log !== undefined) log.isWanted = this.#interest.has(topic);
    }
  }

  #page(topics: readonly string[], after: number, request: ReadRequest): Omit<ReadPage, 'holes'> {
    const merge = new LaneMerge(this.#logsAfter(topics, after, request.excerpt));
    const { taken, isCut } = takePage(merge, sizeOf, request);
    return { entries: taken, upTo: endOf(this.#head(), isCut ? taken.at(-1) : undefined) };
  }

  *#logsAfter(
    topics: readonly string[],
    after: number,
    excerpt: Excerpt | undefined,
  ): Generator<readonly [MemoryLog, number]> {
    for (const topic of topics) {
      const log = this.#logs.get(topic);
      if (log === undefined || log.head <= after) continue;
      const next = log.indexAfter(after);
      yield [log, excerpt === undefined ? next : Math.max(next, log.indexIn(excerpt))];
    }
  }

  #contradiction({ verify }: ReadRequest, topics: readonly string[]): 'epoch' | 'ahead' | 'diverged' | undefined {
    if (verify === undefined) return undefined;
    let newest: number | undefined;
    for (const topic of topics) {
      const at = this.#logs.get(topic)?.newestUpTo(verify.seq)?.at;
      if (at !== undefined && (newest === undefined || at > newest)) newest = at;
    }
    return contradiction(verify, this.#head(), newest);
  }

  #enforceTotal(): void {
    while (this.#totalBytes > this.#maxTotalBytes && this.#retained > 0) {
      const oldest = this.#lane.shift() as LogEntry;
      const log = this.#logs.get(oldest.topic);
      if (log?.first === oldest) log.evictFirst();
    }
    // A quiet topic's old entry at the front would otherwise hold on to everything that busy topics have evicted behind it.
    if (this.#evictedBytes > Math.max(MIN_EVICTED_BYTES, this.#totalBytes)) this.#clearLane();
  }

  #sweep(): void {
    const now = this.#tick();
    for (const [topic, log] of this.#logs) {
      log.trim(now);
      if (!log.isEmpty || now - log.headAt <= log.forgetAfterMs) continue;
      this.#logs.delete(topic);
      this.#forgotten = Math.max(this.#forgotten, log.head);
    }
    this.#clearLane();
  }

  #clearLane(): void {
    this.#lane.retain((entry) => this.#isRetained(entry));
    this.#evictedBytes = 0;
  }

  #isRetained(entry: LogEntry): boolean {
    const first = this.#logs.get(entry.topic)?.first;
    return first !== undefined && entry.seq >= first.seq;
  }

  #tick(): number {
    return (this.#at = Math.max(this.#at, this.#now()));
  }

  #head(): Position {
    return { epoch: this.#epoch, seq: this.#seq, at: this.#at };
  }

  #position(entry: LogEntry): Position {
    return { epoch: this.#epoch, seq: entry.seq, at: entry.at };
  }

  #assertOpen(): void {
    if (this.#closed) throw failures.closed();
  }
}
