import assert from 'node:assert/strict';
import { SseError } from '../../errors.js';
import type {
  AppendRequest,
  Engine,
  EngineSink,
  LogEntry,
  ReadPage,
  ReadRequest,
  Retention,
} from '../../engine/engine.js';
import type { Position } from '../../topic/position.js';

/**
 * What an engine may lack, and which cases are left out then:
 *
 * - `clock`: takes its time from `EngineNeeds.now`. Without it: age and steps of the clock.
 * - `nodes`: `EngineFixture.another` opens the same log a second time. Without it: what several publishers agree on.
 * - `durability`: `EngineFixture.reopen` opens the same log after the engine was closed. Without it: what must survive.
 * - `housekeeping`: `EngineFixture.housekeep` does at once what the engine does from time to time. Without it: how idle
 *   topics vanish.
 * - `opening`: the engine has `open`. Without it: that it works for one application after another.
 */
export type EngineAbility = 'clock' | 'nodes' | 'durability' | 'housekeeping' | 'opening';

/** What a case needs of an engine. */
export interface EngineNeeds {
  /** The engine's clock, in ms since 1970. */
  readonly now: () => number;
}

/** An engine on an empty log, and what belongs to it. */
export interface EngineFixture {
  readonly engine: Engine;
  /** Opens the same log as a further node does, while the engine is in use. The suite closes what it gets. */
  another?(needs: EngineNeeds): Promise<Engine>;
  /** Opens the same log again, once the engine has been closed. The suite closes what it gets. */
  reopen?(needs: EngineNeeds): Promise<Engine>;
  /** Has the engine do its periodic work now. */
  housekeep?(): Promise<void> | void;
  /** Frees what was made for the engine: a directory, a client, keys. Called when all engines are closed. */
  dispose?(): Promise<void> | void;
}

export type CreateEngine = (needs: EngineNeeds) => Promise<EngineFixture> | EngineFixture;

/** The functions of a test runner that the suite needs. */
export interface TestRunner {
  describe(name: string, body: () => void): unknown;
  test(name: string, body: () => Promise<void>): unknown;
}

export interface EngineContractOptions {
  /**
   * What this engine is not able to do. Its cases are left out; without being named here, a missing ability fails them.
   *
   * @default []
   */
  readonly lacks?: readonly EngineAbility[] | undefined;
  /**
   * The test runner.
   *
   * @default globalThis, where Jest has `describe` and `test`, and Vitest with `globals: true`
   */
  readonly runner?: TestRunner | undefined;
}

/** 2026-01-01. */
const START = 1_767_225_600_000;

export const RETENTION: Retention = { maxEvents: 1_000, maxBytes: 16_777_216, maxAgeMs: 600_000 };

const utf8 = new TextEncoder();

/** What one case works with. It closes every engine that it was given. */
export class Bench {
  readonly engine: Engine;
  readonly #fixture: EngineFixture;
  readonly #engines: Engine[];
  readonly #clock: { now: number };

  private constructor(fixture: EngineFixture, clock: { now: number }) {
    this.#fixture = fixture;
    this.#clock = clock;
    this.engine = fixture.engine;
    this.#engines = [fixture.engine];
  }

  static async create(create: CreateEngine): Promise<Bench> {
    const clock = { now: START };
    return new Bench(await create({ now: () => clock.now }), clock);
  }

  get time(): number {
    return this.#clock.now;
  }

  /** Moves the clock, backwards too. */
  pass(ms: number): void {
    this.#clock.now += ms;
  }

  async another(skewMs = 0): Promise<Engine> {
    assert(
      this.#fixture.another !== undefined,
      'The fixture has no another(): pass { lacks: ["nodes"] } if the engine is for one process',
    );
    return this.#keep(await this.#fixture.another({ now: () => this.#clock.now + skewMs }));
  }

  async reopen(): Promise<Engine> {
    assert(
      this.#fixture.reopen !== undefined,
      'The fixture has no reopen(): pass { lacks: ["durability"] } if the log goes with the process',
    );
    return this.#keep(await this.#fixture.reopen({ now: () => this.#clock.now }));
  }

  /** Opens the engine for one more application. */
  async open(): Promise<Engine> {
    assert(
      this.engine.open !== undefined,
      'The engine has no open(): pass { lacks: ["opening"] } if it is for one application',
    );
    return this.#keep(await this.engine.open());
  }

  async housekeep(): Promise<void> {
    assert(
      this.#fixture.housekeep !== undefined,
      'The fixture has no housekeep(): pass { lacks: ["housekeeping"] } if there is no way to cause it',
    );
    await this.#fixture.housekeep();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const engine of this.#engines.reverse()) await engine.close();
    await this.#fixture.dispose?.();
  }

  #keep(engine: Engine): Engine {
    this.#engines.push(engine);
    return engine;
  }
}

/** Registers one case; the name begins with the number of the promise in the docstring of `Engine`. */
export type Case = (name: string, body: (bench: Bench) => Promise<void>, ...needs: EngineAbility[]) => void;

interface Hint {
  readonly topic: string;
  readonly seq: number;
}

/** Starts an engine and gathers what it delivers. */
export class Gatherer implements EngineSink {
  readonly epochs = new Set<string>();
  readonly #engine: Engine;
  readonly #delivered: (LogEntry | Hint)[] = [];
  readonly #seqs = new Set<number>();
  readonly #waiting = new Set<() => void>();

  private constructor(engine: Engine) {
    this.#engine = engine;
  }

  static async start(engine: Engine): Promise<Gatherer> {
    const gatherer = new Gatherer(engine);
    await engine.start(gatherer);
    return gatherer;
  }

  entry(epoch: string, entry: LogEntry): void {
    this.#take(epoch, entry);
  }

  hint(epoch: string, topic: string, seq: number): void {
    this.#take(epoch, { topic, seq });
  }

  interrupted(): void {
    // What is lost then is missed where it is waited for.
  }

  resumed(): void {
    // As above.
  }

  /** How many were delivered. */
  get count(): number {
    return this.#delivered.length;
  }

  get seqs(): number[] {
    return [...this.#seqs];
  }

  /** What was delivered beyond a position, once an entry with the sequence `last` was. */
  async beyond(from: Position, last: number, timeoutMs = 5_000): Promise<LogEntry[]> {
    await this.#until(last, timeoutMs);
    const entries = this.#delivered.filter(({ seq }) => seq > from.seq);
    return Promise.all(entries.map(async (each) => ('data' in each ? each : this.#read(each))));
  }

  /** An entry may be repeated; only its first delivery counts. */
  #take(epoch: string, item: LogEntry | Hint): void {
    this.epochs.add(epoch);
    if (this.#seqs.has(item.seq)) return;
    this.#seqs.add(item.seq);
    this.#delivered.push(item);
    for (const look of [...this.#waiting]) look();
  }

  async #read({ topic, seq }: Hint): Promise<LogEntry> {
    const { entries } = await read(this.#engine, [topic], { after: seq - 1, maxEntries: 1 });
    assert.equal(entries[0]?.seq, seq, 'what a hint stands for can be read');
    return entries[0];
  }

  async #until(last: number, timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`Entry ${last} was not delivered within ${timeoutMs} ms; delivered: ${this.seqs.join(', ')}`));
      }, timeoutMs);
      const look = (): void => {
        if (!this.#seqs.has(last)) return;
        this.#waiting.delete(look);
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}

export function bytes(text: string): Uint8Array {
  return utf8.encode(text);
}

/** Appends a text, or bytes, to a topic. */
export function append(
  engine: Engine,
  topic: string,
  data: string | Uint8Array = topic,
  more: Partial<Omit<AppendRequest, 'topic' | 'data'>> = {},
): Promise<Position> {
  return engine.append({ topic, data: typeof data === 'string' ? bytes(data) : data, retention: RETENTION, ...more });
}

/** Appends one after the other and gives the positions. */
export async function appendAll(engine: Engine, topics: readonly string[], retention = RETENTION): Promise<Position[]> {
  const positions: Position[] = [];
  for (const topic of topics)
    positions.push(await append(engine, topic, `${topic} #${positions.length}`, { retention }));
  return positions;
}

export function read(engine: Engine, topics: readonly string[], more: Partial<ReadRequest> = {}): Promise<ReadPage> {
  return engine.read({ topics, after: undefined, maxEntries: 1_000, maxBytes: 16_777_216, ...more });
}

/** Reads page after page until one says that it is the last. */
export async function readAll(
  engine: Engine,
  topics: readonly string[],
  head: Position,
  bounds: Pick<ReadRequest, 'maxEntries' | 'maxBytes'>,
  after?: number,
): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for (let from = after; ;) {
    const page = await read(engine, topics, { ...bounds, after: from });
    assert.deepEqual(page.holes, [], 'nothing is missing in the middle of a log');
    entries.push(...page.entries);
    if (page.upTo.seq >= head.seq) return entries;
    assert(page.entries.length > 0, `a page without entries ends at ${page.upTo.seq}, before the head ${head.seq}`);
    from = page.upTo.seq;
  }
}

/** Resumes as the hub does, from a position. */
export function resume(engine: Engine, topics: readonly string[], from: Position): Promise<ReadPage> {
  return read(engine, topics, { after: from.seq, verify: from });
}

export function seqsOf(entries: readonly { readonly seq: number }[]): number[] {
  return entries.map((entry) => entry.seq);
}

export function textsOf(entries: readonly LogEntry[]): string[] {
  return entries.map((entry) => new TextDecoder().decode(entry.data));
}

export async function rejectsAsClosed(call: () => Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error) => SseError.is(error) && error.code === 'closed');
}
