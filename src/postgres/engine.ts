import { setMaxListeners } from 'node:events';
import type { AppendRequest, Engine, EngineSink, Heads, Listing, ReadPage, ReadRequest } from '../engine/engine.js';
import { within } from '../engine/kit/deadline.js';
import type { EngineFailures } from '../engine/kit/failure.js';
import { reopenable } from '../engine/kit/reopenable.js';
import type { SseError } from '../errors.js';
import type { Position } from '../topic/position.js';
import { PostgresAppender } from './append.js';
import { connectionsOf } from './connections.js';
import type { Connections } from './connections.js';
import type { TransactionClient } from './driver.js';
import { ListedInterest } from './interest.js';
import { PostgresLink } from './link.js';
import { PostgresLive } from './live.js';
import { Migration } from './migrate.js';
import { resolveOptions } from './options.js';
import type { PostgresEngineOptions, PostgresSettings } from './options.js';
import { Outbox } from './outbox.js';
import { PostgresReader } from './read.js';
import { createStatements } from './statements.js';
import type { Statements } from './statements.js';
import { PostgresSweeper } from './sweep.js';

/** An engine that can also publish as part of a transaction of the application's. */
export interface PostgresEngine extends Engine {
  /**
   * Writes an event so that it is published if, and only if, the transaction of `client` commits: by any node, soon after the commit, once.
   * Events of one transaction keep their order; so do those of a transaction that began after another had committed.
   *
   * @throws SseError `engine-failed`; the transaction cannot go on then, as after any statement that failed in it
   */
  appendInTransaction(client: TransactionClient, request: AppendRequest): Promise<void>;
}

/**
 * Keeps the log in PostgreSQL (13 or later), for any number of nodes, in a schema of its own.
 *
 * @throws SseError `invalid-options`
 *
 * @example
 * ```ts
 * const pool = new Pool({ connectionString: process.env.DATABASE_URL });
 * SseModule.forRoot({ engine: postgresEngine({ pool }) });
 * ```
 */
export function postgresEngine(options: PostgresEngineOptions): PostgresEngine {
  const settings = resolveOptions(options);
  const connections = connectionsOf(settings);
  return reopenable(() => new SharedPostgresEngine(settings, connections), connections.load);
}

class SharedPostgresEngine implements PostgresEngine {
  readonly name = 'postgres';
  readonly isShared = true;
  readonly maxEventBytes = 16_777_216;
  readonly #settings: PostgresSettings;
  readonly #connections: Connections;
  readonly #failures: EngineFailures;
  readonly #sql: Statements;
  readonly #closing = new AbortController();
  readonly #link: PostgresLink;
  readonly #migration: Migration;
  readonly #appender: PostgresAppender;
  readonly #reader: PostgresReader;
  readonly #outbox: Outbox;
  readonly #sweeper: PostgresSweeper;
  readonly #interest = new ListedInterest();
  #sink: EngineSink | undefined;
  #live: PostgresLive | undefined;
  #closed: Promise<void> | undefined;

  constructor(settings: PostgresSettings, connections: Connections) {
    const { schema, isMigrating, isListening: isNotified, timeoutMs, pollMs, outboxMs, sweepMs, now } = settings;
    const { failures } = connections;
    // Each call that is under way listens to it.
    setMaxListeners(0, this.#closing.signal);
    this.#settings = settings;
    this.#connections = connections;
    this.#failures = failures;
    this.#sql = createStatements(schema);
    this.#migration = new Migration(schema, isMigrating, timeoutMs, failures);
    this.#link = new PostgresLink(connections.openPool, failures.clean, this.#migration, this.#closing.signal);
    const shared = { link: this.#link, sql: this.#sql, failures, timeoutMs, now };
    this.#appender = new PostgresAppender({ ...shared, statements: this.#sql, isNotified });
    this.#reader = new PostgresReader(shared);
    this.#outbox = new Outbox({ ...shared, isNotified, pollMs, outboxMs });
    this.#sweeper = new PostgresSweeper({ ...shared, sweepMs });
  }

  async start(sink: EngineSink): Promise<void> {
    this.#use();
    this.#sink = sink;
  }

  async append(request: AppendRequest): Promise<Position> {
    this.#use();
    this.#failures.checkSize(request, this.maxEventBytes);
    return this.#appender.append(request);
  }

  async appendInTransaction(client: TransactionClient, request: AppendRequest): Promise<void> {
    this.#use();
    this.#failures.checkSize(request, this.maxEventBytes);
    await this.#prepare();
    await this.#outbox.add(client, request);
    this.#outbox.watch();
  }

  async read(request: ReadRequest): Promise<ReadPage> {
    this.#use();
    return this.#reader.read(request);
  }

  async locate(topics: readonly string[], id: string): Promise<Position | 'ambiguous' | undefined> {
    this.#use();
    return this.#reader.locate(topics, id);
  }

  async list(prefix: string): Promise<Listing> {
    this.#use();
    return this.#reader.list(prefix);
  }

  async heads(topics: readonly string[]): Promise<Heads> {
    this.#use();
    return this.#reader.heads(topics);
  }

  async subscribe(topics: readonly string[]): Promise<Position> {
    this.#use();
    this.#interest.add(topics);
    this.#outbox.watch();
    const live = (this.#live ??= this.#deliver());
    const late = (): SseError =>
      this.#failures.failed('subscribe', live.failure, 'there is no live delivery at the moment');
    return within(live.ready(), this.#settings.timeoutMs, late, this.#closing.signal);
  }

  unsubscribe(topics: readonly string[]): void {
    this.#interest.delete(topics);
  }

  async health(): Promise<void> {
    this.#use();
    await this.#reader.check();
    const { failure } = this.#outbox;
    if (failure !== undefined) throw this.#failures.failed('publish what is in the outbox', failure);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort(this.#failures.closed());
    this.#sink = undefined;
    this.#interest.clear();
    await Promise.all([this.#live?.close(), this.#appender.close(), this.#outbox.close(), this.#sweeper.close()]);
    await this.#link.close();
  }

  #use(): void {
    this.#closing.signal.throwIfAborted();
    this.#sweeper.start();
  }

  /** The transaction is the user's: what there is to create is created outside it. */
  async #prepare(): Promise<void> {
    try {
      await this.#migration.ensure(this.#link, performance.now() + this.#settings.timeoutMs);
    } catch (error) {
      throw this.#failures.failed('prepare its schema', error);
    }
  }

  #deliver(): PostgresLive {
    return new PostgresLive({
      settings: this.#settings,
      connections: this.#connections,
      link: this.#link,
      sql: this.#sql,
      interest: this.#interest,
      outbox: this.#outbox,
      // For as long as there is one.
      sink: {
        entry: (epoch, entry) => this.#sink?.entry(epoch, entry),
        interrupted: (error) => this.#sink?.interrupted(error),
        resumed: () => this.#sink?.resumed(),
      },
    });
  }
}
