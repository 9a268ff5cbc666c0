import type { Engine, EngineSink, LogEntry, ReadPage, ReadRequest, Retention } from '../../src/engine/engine.js';
import { SseError } from '../../src/errors.js';
import { natsEngine } from '../../src/nats/index.js';
import type { NatsEngineOptions } from '../../src/nats/index.js';
import type { Position } from '../../src/topic/position.js';
import { until } from './until.js';

/** Longer than any outage of the tests; one that has failed must come to an end. */
const READ_DEADLINE_MS = 20_000;

export const KEEP: Retention = { maxEvents: 1_000, maxBytes: Infinity, maxAgeMs: 600_000 };

/** An engine for a test, closed when it leaves. */
export class OpenNats implements AsyncDisposable {
  readonly engine: Engine;

  constructor(port: number, options: Partial<NatsEngineOptions> = {}) {
    const isGiven = options.connection !== undefined || options.options !== undefined;
    const source = isGiven ? {} : { servers: `127.0.0.1:${port}` };
    this.engine = natsEngine({ ...source, prefix: 'test', ...options });
  }

  append(topic: string, data: string | Uint8Array = topic, more: { id?: string } & Partial<Retention> = {}) {
    const { id, ...retention } = more;
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    return this.engine.append({ topic, data: bytes, id, retention: { ...KEEP, ...retention } });
  }

  read(topics: string[], more: Partial<ReadRequest> = {}): Promise<ReadPage> {
    return this.engine.read({ topics, after: undefined, maxEntries: 100_000, maxBytes: Infinity, ...more });
  }

  resume(topics: string[], from: Position): Promise<ReadPage> {
    return this.read(topics, { after: from.seq, verify: from });
  }

  async holes(topics: string[], from: Position): Promise<unknown> {
    const { holes } = await this.resume(topics, from);
    return holes.flatMap(({ reason, topics }) => topics.map((topic) => `${reason} ${topic}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.close();
  }
}

/** Does what the hub does: takes what is delivered, and reads what an interruption may have lost. */
export class Follower implements EngineSink {
  readonly entries = new Map<number, LogEntry>();
  readonly told: string[] = [];
  readonly epochs = new Set<string>();
  isInterrupted = false;
  readonly #nats: OpenNats;
  readonly #topics: string[];
  #reading: Promise<void> = Promise.resolve();
  #isOver = false;

  private constructor(nats: OpenNats, topics: string[]) {
    this.#nats = nats;
    this.#topics = topics;
  }

  static async start(nats: OpenNats, topics: string[]): Promise<Follower> {
    const follower = new Follower(nats, topics);
    await nats.engine.start(follower);
    await nats.engine.subscribe(topics);
    return follower;
  }

  entry(epoch: string, entry: LogEntry): void {
    if (this.isInterrupted) this.told.push('an entry while interrupted');
    this.epochs.add(epoch);
    this.entries.set(entry.seq, entry);
  }

  hint(epoch: string): void {
    this.epochs.add(epoch);
    this.#readAll();
  }

  interrupted(): void {
    this.told.push('interrupted');
    this.isInterrupted = true;
  }

  resumed(): void {
    this.told.push('resumed');
    this.isInterrupted = false;
    this.#readAll();
  }

  get texts(): string[] {
    const inOrder = [...this.entries.values()].sort((a, b) => a.seq - b.seq);
    return inOrder.map(({ data }) => Buffer.from(data).toString());
  }

  /** Resolves when everything that it was told to read has been read. */
  async settled(): Promise<void> {
    await this.#reading;
    this.#isOver = true;
  }

  #readAll(): void {
    this.#reading = this.#reading.then(async () => {
      for (const deadline = performance.now() + READ_DEADLINE_MS; !this.#isOver && performance.now() < deadline;) {
        try {
          const { entries } = await this.#nats.read(this.#topics);
          for (const entry of entries) this.entries.set(entry.seq, entry);
          return;
        } catch (error) {
          // As the hub does: an outage is waited out.
          if (codeOf(error) === 'closed') return;
        }
      }
    });
  }
}

export const codeOf = (error: unknown): string => (SseError.is(error) ? error.code : String(error));

export const textsOf = (entries: readonly LogEntry[]): string[] =>
  entries.map(({ data }) => Buffer.from(data).toString());

/** Waits for what only asking can tell. */
export async function eventually(condition: () => Promise<unknown>, what: string, deadlineMs = 5_000): Promise<void> {
  let isTrue = false;
  let isAsking = false;
  await until(
    () => {
      if (isTrue || isAsking) return isTrue;
      isAsking = true;
      condition()
        .then((answer) => (isTrue = Boolean(answer)))
        .catch(() => undefined)
        .finally(() => (isAsking = false));
      return false;
    },
    what,
    deadlineMs,
  );
}
