import { setTimeout as delay } from 'node:timers/promises';
import { Client, Pool } from 'pg';
import type { AppendRequest, Engine, EngineSink, LogEntry, ReadPage, Retention } from '../../src/engine/engine.js';
import { postgresEngine, type PostgresEngine, type PostgresEngineOptions } from '../../src/postgres/index.js';
import type { Position } from '../../src/topic/position.js';
import { ServerProcess } from './server-process.js';
import { postgresServer, urlOf } from './servers/postgres.js';

export const KEEP: Retention = { maxEvents: 100_000, maxBytes: Infinity, maxAgeMs: 600_000 };

let count = 0;

/** A server with its engines, to be held with `await using`. */
export class PostgresLab {
  readonly server: ServerProcess;
  /** For what the tests themselves ask. */
  readonly pool: Pool;
  readonly #engines: Engine[] = [];
  readonly #pools: Pool[] = [];

  private constructor(server: ServerProcess) {
    this.server = server;
    this.pool = this.openPool({ max: 4 });
  }

  static async start(): Promise<PostgresLab> {
    return new PostgresLab(await ServerProcess.start(postgresServer));
  }

  get url(): string {
    return urlOf(this.server.port);
  }

  openPool(more: object = {}): Pool {
    const pool = new Pool({ connectionString: this.url, ...more });
    pool.on('error', () => undefined);
    this.#pools.push(pool);
    return pool;
  }

  /** On a schema of its own unless one is given, with connections of its own unless a pool is. */
  engine(options: PostgresEngineOptions = {}): PostgresEngine {
    const hasSource = options.pool ?? options.connectionString ?? options.options;
    const engine = postgresEngine({
      schema: newSchema(),
      ...(hasSource === undefined && { connectionString: this.url }),
      ...options,
    });
    this.#engines.push(engine);
    return engine;
  }

  async rows<Row>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.pool.query(text, values)).rows as Row[];
  }

  /** Begins a transaction with these statements and leaves it open, to be held with `await using`. */
  async begin(statements = ''): Promise<Client & AsyncDisposable> {
    const client = new Client({ connectionString: this.url });
    client.on('error', () => undefined);
    await client.connect();
    await client.query(`BEGIN; ${statements}`);
    return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
  }

  /** How many connections wait for a lock. */
  async waiting(): Promise<number> {
    return (await this.rows(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'`)).length;
  }

  /** How many connections of the engines there are, and how many of these listen. */
  async connections(): Promise<{ all: number; listening: number }> {
    const [row] = await this.rows<{ all: number; listening: number }>(
      `SELECT count(*)::int AS all, (count(*) FILTER (WHERE application_name LIKE '%: event stream'))::int AS listening
       FROM pg_stat_activity WHERE application_name LIKE '%event stream'`,
    );
    return row!;
  }

  async closeEngines(): Promise<void> {
    await Promise.all(this.#engines.splice(0).map((engine) => engine.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeEngines();
    await Promise.all(this.#pools.map((pool) => pool.end()));
    await this.server[Symbol.asyncDispose]();
  }
}

export function newSchema(): string {
  return `lab_${++count}`;
}

/** Keeps what an engine delivers and says. */
export class Recorder implements EngineSink {
  readonly entries: (LogEntry & { readonly epoch: string })[] = [];
  readonly hints: { readonly topic: string; readonly seq: number }[] = [];
  readonly said: ('interrupted' | 'resumed')[] = [];

  entry(epoch: string, entry: LogEntry): void {
    this.entries.push({ ...entry, epoch });
  }

  hint(_epoch: string, topic: string, seq: number): void {
    this.hints.push({ topic, seq });
  }

  interrupted(): void {
    this.said.push('interrupted');
  }

  resumed(): void {
    this.said.push('resumed');
  }

  get texts(): string[] {
    return this.entries.map(({ data }) => new TextDecoder().decode(data));
  }
}

/** Starts an engine that tells a recorder of these topics. */
export async function record(engine: Engine, topics: readonly string[]): Promise<Recorder> {
  const recorder = new Recorder();
  await engine.start(recorder);
  await engine.subscribe(topics);
  return recorder;
}

export function request(topic: string, text = topic, more: Partial<AppendRequest> = {}): AppendRequest {
  return { topic, data: new TextEncoder().encode(text), retention: KEEP, ...more };
}

export function append(engine: Engine, topic: string, text = topic, retention = KEEP): Promise<Position> {
  return engine.append(request(topic, text, { retention }));
}

export async function texts(engine: Engine, ...topics: string[]): Promise<string[]> {
  const { entries } = await readAll(engine, topics);
  return entries.map(({ data }) => new TextDecoder().decode(data));
}

export function readAll(engine: Engine, topics: readonly string[], verify?: Position): Promise<ReadPage> {
  return engine.read({ topics, after: verify?.seq, verify, maxEntries: 10_000, maxBytes: Infinity });
}

/** Waits for what has to be asked for. */
export async function eventually(condition: () => Promise<unknown>, what: string, deadlineMs = 10_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Waited ${deadlineMs} ms for ${what}`);
    await delay(10);
  }
}

/** Calls until it succeeds: for what a hub or an application would try again, and before a test of short deadlines has a schema made. */
export async function persist<T>(call: () => Promise<T>, deadlineMs = 30_000): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(20);
    }
  }
}
