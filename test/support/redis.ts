import { Cluster, Redis } from 'ioredis';
import { createClient, createCluster } from 'redis';
import type { Engine, EngineSink, LogEntry, ReadPage, Retention } from '../../src/engine/engine.js';
import { type RedisClient, type RedisEngineOptions, redisEngine } from '../../src/redis/index.js';
import type { Position } from '../../src/topic/position.js';
import { ask } from './servers/redis.js';

export const KEEP: Retention = { maxEvents: 100_000, maxBytes: Infinity, maxAgeMs: 600_000 };

/** A client as an application has it, and how it ends it. */
export interface OpenClient {
  readonly client: RedisClient;
  end(): void;
}

export interface Driver {
  readonly name: string;
  open(port: number): Promise<OpenClient>;
}

/** Every case that depends on the client runs on these. */
export const drivers: readonly Driver[] = [
  {
    name: 'ioredis',
    open: async (port) => {
      const client = new Redis(port, '127.0.0.1', { retryStrategy: () => 20 });
      client.on('error', () => undefined);
      return { client, end: () => client.disconnect() };
    },
  },
  {
    name: 'node-redis',
    open: async (port) => {
      const client = createClient({ socket: { host: '127.0.0.1', port, reconnectStrategy: 20 } });
      client.on('error', () => undefined);
      await client.connect();
      return { client, end: () => client.destroy() };
    },
  },
];

/** The same for a cluster, of which one server is named. */
export const clusterDrivers: readonly Driver[] = [
  {
    name: 'ioredis',
    open: async (port) => {
      const client = new Cluster([{ host: '127.0.0.1', port }], { slotsRefreshInterval: 500 });
      client.on('error', () => undefined);
      return { client, end: () => client.disconnect() };
    },
  },
  {
    name: 'node-redis',
    open: async (port) => {
      const client = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }] });
      client.on('error', () => undefined);
      await client.connect();
      return { client, end: () => client.destroy() };
    },
  },
];

/** An engine with a client of its own, to be held with `await using`. */
export class OpenEngine {
  readonly engine: Engine;
  readonly #end: () => void;

  private constructor(engine: Engine, end: () => void) {
    this.engine = engine;
    this.#end = end;
  }

  static async over(opened: Promise<OpenClient>, options: Partial<RedisEngineOptions> = {}): Promise<OpenEngine> {
    const { client, end } = await opened;
    return new OpenEngine(redisEngine({ client, ...options }), end);
  }

  static at(url: string, options: Partial<RedisEngineOptions> = {}): OpenEngine {
    return new OpenEngine(redisEngine({ url, ...options }), () => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.close();
    this.#end();
  }
}

/** Writes down what an engine says. */
export class Recorder implements EngineSink {
  readonly entries: LogEntry[] = [];
  readonly hints: { readonly topic: string; readonly seq: number }[] = [];
  /** `interrupted` and `resumed`, in their order. */
  readonly states: string[] = [];
  /** What was delivered while it had said that it does not deliver. */
  readonly outOfTurn: number[] = [];

  static async start(engine: Engine): Promise<Recorder> {
    const recorder = new Recorder();
    await engine.start(recorder);
    return recorder;
  }

  get isInterrupted(): boolean {
    return this.states.at(-1) === 'interrupted';
  }

  entry(_epoch: string, entry: LogEntry): void {
    this.entries.push(entry);
    if (this.isInterrupted) this.outOfTurn.push(entry.seq);
  }

  hint(_epoch: string, topic: string, seq: number): void {
    this.hints.push({ topic, seq });
  }

  interrupted(): void {
    this.states.push('interrupted');
  }

  resumed(): void {
    this.states.push('resumed');
  }
}

export function append(engine: Engine, topic: string, text = topic, retention = KEEP, id?: string): Promise<Position> {
  return engine.append({ topic, data: Buffer.from(text), retention, id });
}

export function read(engine: Engine, topics: readonly string[], from?: Position): Promise<ReadPage> {
  return engine.read({ topics, after: from?.seq, verify: from, maxEntries: 1_000_000, maxBytes: Infinity });
}

export function textsOf(entries: readonly LogEntry[]): string[] {
  return entries.map(({ data }) => Buffer.from(data).toString());
}

export async function holesOf(engine: Engine, topics: readonly string[], from: Position): Promise<string[]> {
  const { holes } = await read(engine, topics, from);
  return holes.map(({ reason, topics: named }) => `${reason} ${named.join()}`);
}

/** The connections that a server has, but for the one that asks: what `CLIENT LIST` says of each. */
export async function connectionsOf(port: number): Promise<string[]> {
  const answer = await ask(port, 'CLIENT', 'LIST');
  return answer.split('\n').filter((line) => line.startsWith('id=') && !line.includes(' cmd=client|list '));
}

/** To how many channels all connections together are subscribed. */
export async function subscriptionsOf(port: number): Promise<number> {
  const counts = (await connectionsOf(port)).map((line) => Number(/ sub=(\d+)/.exec(line)?.[1]));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Waits for what has to be asked for. */
export async function eventually(condition: () => Promise<boolean>, what: string, deadlineMs = 5_000): Promise<void> {
  for (const deadline = Date.now() + deadlineMs; !(await condition());) {
    if (Date.now() > deadline) throw new Error(`Waited ${deadlineMs} ms for ${what}`);
  }
}
