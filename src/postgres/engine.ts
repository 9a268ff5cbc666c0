import { setMaxListeners } from 'node:events';
import { SseError } from '../errors.js';
import { EVERY_TOPIC } from '../engine/engine.js';
import type { AppendRequest, Engine, EngineSink, Heads, Listing, ReadPage, ReadRequest } from '../engine/engine.js';
import { checkSize } from '../engine/size.js';
import type { Position } from '../topic/position.js';
import { Appender } from './appender.js';
import { connectionsOf } from './connections.js';
import type { Connections } from './connections.js';
import { Database } from './database.js';
import type { TransactionClient } from './driver.js';
import { Listener } from './listener.js';
import type { LiveSource } from './live-source.js';
import { LogReader } from './log-reader.js';
import { Migration } from './migrate.js';
import { NotificationReader } from './notification.js';
import { resolveOptions } from './options.js';
import type { PostgresEngineOptions, PostgresSettings } from './options.js';
import { Outbox } from './outbox.js';
import { Poller } from './poller.js';
import { logChannel } from './schema.js';
import { createStatements } from './statements.js';
import type { Statements } from './statements.js';
import { Sweeper } from './sweeper.js';
import { within } from './timing.js';

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
  return new SharedPostgresEngine(settings, connectionsOf(settings));
}

class SharedPostgresEngine implements PostgresEngine {
  readonly name = 'postgres';
  readonly isShared = true;
  readonly maxEventBytes = 33_554_432;
  readonly #settings: PostgresSettings;
  readonly #connections: Connections;
  readonly #sql: Statements;
  readonly #closing = new AbortController();
  readonly #database: Database;
  readonly #migration: Migration;
  readonly #appender: Appender;
  readonly #reader: LogReader;
  readonly #outbox: Outbox;
  readonly #sweeper: Sweeper;
  readonly #interest = new Set<string>();
  #sink: EngineSink | undefined;
  #live: LiveSource | undefined;
  #hasBeenUp = false;
  #closed: Promise<void> | undefined;

  constructor(settings: PostgresSettings, connections: Connections) {
    const { schema, isMigrating, isListening: isNotified, deadlineMs, outboxMs, sweepMs, now } = settings;
    // Each call that is under way listens to it.
    setMaxListeners(0, this.#closing.signal);
    this.#settings = settings;
    this.#connections = connections;
    this.#sql = createStatements(schema);
    this.#migration = new Migration(schema, isMigrating, deadlineMs);
    this.#database = new Database(connections.openPool, this.#migration, this.#closing.signal);
    const shared = { database: this.#database, sql: this.#sql, deadlineMs, now };
    this.#appender = new Appender({ ...shared, statements: this.#sql, isNotified });
    this.#reader = new LogReader(this.#database, this.#sql, deadlineMs, now);
    this.#outbox = new Outbox({ ...shared, isNotified, outboxMs });
    this.#sweeper = new Sweeper({ ...shared, sweepMs });
  }

  async start(sink: EngineSink): Promise<void> {
    this.#use();
    this.#sink = sink;
  }

  async append(request: AppendRequest): Promise<Position> {
    this.#use();
    checkSize('PostgreSQL', request, this.maxEventBytes);
    return this.#appender.append(request);
  }

  async appendInTransaction(client: TransactionClient, request: AppendRequest): Promise<void> {
    this.#use();
    checkSize('PostgreSQL', request, this.maxEventBytes);
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
    for (const topic of topics) this.#interest.add(topic);
    this.#live ??= this.#listen();
    const late = (): SseError =>
      new SseError('engine-failed', 'The postgres engine has no live delivery at the moment');
    await within(this.#live.ready(), this.#settings.deadlineMs, late, this.#closing.signal);
    return this.#reader.head();
  }

  unsubscribe(topics: readonly string[]): void {
    for (const topic of topics) this.#interest.delete(topic);
  }

  async health(): Promise<void> {
    this.#use();
    await this.#reader.check();
    const { failure } = this.#outbox;
    if (failure !== undefined) {
      throw new SseError('engine-failed', 'The postgres engine cannot publish what is in the outbox', {
        cause: failure,
      });
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort(new SseError('closed', 'The postgres engine has been closed'));
    this.#sink = undefined;
    this.#interest.clear();
    await Promise.all([this.#live?.close(), this.#appender.close(), this.#outbox.close(), this.#sweeper.close()]);
    await this.#database.close();
  }

  #use(): void {
    this.#closing.signal.throwIfAborted();
    this.#sweeper.start();
  }

  /** The transaction is the user's: what there is to create is created outside it. */
  async #prepare(): Promise<void> {
    try {
      await this.#migration.ensure(this.#database, performance.now() + this.#settings.deadlineMs);
    } catch (error) {
      if (SseError.is(error)) throw error;
      const message = error instanceof Error ? error.message : String(error);
      throw new SseError('engine-failed', `The postgres engine is not ready: ${message}`, { cause: error });
    }
  }

  #listen(): LiveSource {
    this.#outbox.watch();
    const { deadlineMs, pollMs, probeMs, schema, isListening } = this.#settings;
    const events = { up: () => this.#up(), down: (error: unknown) => this.#sink?.interrupted(error) };
    const sink = this.#delivery();
    if (!isListening) {
      const shared = { database: this.#database, statement: this.#sql.tail, interest: this.#interest };
      return new Poller({ ...shared, sink, events, deadlineMs, pollMs });
    }
    const reader = new NotificationReader();
    const isWanted = (topic: string): boolean => this.#interest.has(topic) || this.#interest.has(EVERY_TOPIC);
    const onNotification = (channel: string, payload: string): void => {
      if (channel === logChannel(schema)) reader.read(payload, isWanted, sink);
      else this.#outbox.wake();
    };
    const { createListenClient: create } = this.#connections;
    return new Listener({ create, statement: this.#sql.listen, onNotification, events, deadlineMs, probeMs });
  }

  #up(): void {
    if (this.#hasBeenUp) this.#sink?.resumed();
    this.#hasBeenUp = true;
  }

  /** The sink, for as long as there is one. */
  #delivery(): EngineSink {
    return {
      entry: (epoch, entry) => this.#sink?.entry(epoch, entry),
      hint: (epoch, topic, seq) => this.#sink?.hint(epoch, topic, seq),
      interrupted: (error) => this.#sink?.interrupted(error),
      resumed: () => this.#sink?.resumed(),
    };
  }
}
