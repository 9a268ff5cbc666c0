import { MAX_TIMER_MS, anyFunction, checkOneOf, checkOptions, number, oneOf, trueOrFalse } from '../rules.js';
import type { Rule, Rules } from '../rules.js';
import { CONNECTION_STRING, isConnectionString } from './address.js';
import type { PostgresPool } from './driver.js';
import { SCHEMA_NAMES, isSchemaName } from './schema.js';

/** How the engine reaches the database: exactly one of `pool`, `connectionString` and `options`. */
export interface PostgresEngineOptions {
  /**
   * A pool of the package `pg` that the application has. It is not closed. The engine takes a connection of it for the time of one
   * statement, and opens one more of its own, with the pool's settings, to listen.
   */
  readonly pool?: PostgresPool | undefined;

  /**
   * Where the database is, for a pool of the engine's own: `postgres://user:password@host:5432/database`, or the path of a Unix socket. User
   * and password are encoded as by `encodeURIComponent()`.
   */
  readonly connectionString?: string | undefined;

  /** The settings of a pool of the engine's own: the `PoolConfig` of the package `pg`. */
  readonly options?: object | undefined;

  /**
   * The schema that has the engine's tables. Two engines with different schemas know nothing of each other.
   *
   * At most 48 bytes in UTF-8, without `$$`.
   *
   * @default 'sse'
   */
  readonly schema?: string | undefined;

  /**
   * How nodes hear of each other's events: `listen` by reading what is new whenever a `NOTIFY` says that there is something, over a connection
   * that is kept for that, `poll` by reading every `pollMs`. All nodes must have the same.
   *
   * @default 'listen'
   */
  readonly notify?: 'listen' | 'poll' | undefined;

  /**
   * The settings of the connection that listens, where they are not those of the pool: the `ClientConfig` of the package `pg`. Needed
   * when the pool goes through a pooler that gives a connection to one transaction at a time: that cannot listen.
   */
  readonly listenOptions?: object | undefined;

  /**
   * Whether the engine creates its schema when it is not there. With `false`, run the SQL of `postgresSchemaSql()` yourself.
   *
   * @default true
   */
  readonly migrate?: boolean | undefined;

  /**
   * After how many milliseconds a call rejects. Until then, what fails for a reason that may pass is tried again.
   *
   * Minimum: `1`.
   *
   * @default 5_000
   */
  readonly timeoutMs?: number | undefined;

  /**
   * How many milliseconds lie between two reads of what is new, with `notify: 'poll'` and as long as no notifications arrive.
   *
   * Minimum: `1`.
   *
   * @default 100
   */
  readonly pollMs?: number | undefined;

  /**
   * How often, in milliseconds, it is tried whether notifications arrive. A connection that does not answer within half of it is replaced.
   *
   * Minimum: `1`.
   *
   * @default 10_000
   */
  readonly probeMs?: number | undefined;

  /**
   * How often, in milliseconds, what is no longer retained is deleted, by one node of all.
   *
   * Minimum: `1`.
   *
   * @default 30_000
   */
  readonly sweepMs?: number | undefined;

  /**
   * How often, in milliseconds, the outbox is looked at when no notification has told of it.
   *
   * Minimum: `1`.
   *
   * @default 1_000
   */
  readonly outboxMs?: number | undefined;

  /**
   * Told when notifications do not arrive, so that events are late by up to `pollMs`: once, and again after they have arrived in between.
   *
   * @default process.emitWarning
   */
  readonly onWarning?: ((warning: Error) => void) | undefined;

  /**
   * The clock, in ms since 1970. For tests.
   *
   * @default the server's clock
   */
  readonly now?: (() => number) | undefined;
}

/** What the engine goes by once its options have been checked. */
export interface PostgresSettings {
  readonly source: Pick<PostgresEngineOptions, 'pool' | 'connectionString' | 'options' | 'listenOptions'>;
  readonly schema: string;
  readonly isListening: boolean;
  readonly isMigrating: boolean;
  readonly timeoutMs: number;
  readonly pollMs: number;
  readonly probeMs: number;
  readonly sweepMs: number;
  readonly outboxMs: number;
  readonly onWarning: (warning: Error) => void;
  readonly now: (() => number) | undefined;
}

const milliseconds = number(1, MAX_TIMER_MS);
const configuration: Rule = {
  expected: `an object with settings of the package pg, its connectionString ${CONNECTION_STRING}`,
  allows: isConfiguration,
  isSecret: true,
};

const RULES: Rules<PostgresEngineOptions> = {
  pool: { expected: 'a pool of the package pg', allows: isPool },
  connectionString: { expected: CONNECTION_STRING, allows: isConnectionString, isSecret: true },
  options: configuration,
  listenOptions: configuration,
  schema: { expected: SCHEMA_NAMES, allows: isSchemaName },
  notify: oneOf('listen', 'poll'),
  migrate: trueOrFalse,
  timeoutMs: milliseconds,
  pollMs: milliseconds,
  probeMs: milliseconds,
  sweepMs: milliseconds,
  outboxMs: milliseconds,
  onWarning: anyFunction,
  now: anyFunction,
};

/** @throws SseError `invalid-options` */
export function resolveOptions(given: PostgresEngineOptions): PostgresSettings {
  checkOptions('postgresEngine', given, RULES);
  checkOneOf('postgresEngine', given, ['pool', 'connectionString', 'options']);
  const { pool, connectionString, options, listenOptions } = given;
  return {
    source: { pool, connectionString, options, listenOptions },
    schema: given.schema ?? 'sse',
    isListening: (given.notify ?? 'listen') === 'listen',
    isMigrating: given.migrate ?? true,
    timeoutMs: given.timeoutMs ?? 5_000,
    pollMs: given.pollMs ?? 100,
    probeMs: given.probeMs ?? 10_000,
    sweepMs: given.sweepMs ?? 30_000,
    outboxMs: given.outboxMs ?? 1_000,
    onWarning: given.onWarning ?? warn,
    now: given.now,
  };
}

function isPool(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'connect' in value && typeof value.connect === 'function';
}

function isConfiguration(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { connectionString } = value as { connectionString?: unknown };
  return connectionString === undefined || connectionString === '' || isConnectionString(connectionString);
}

function warn(warning: Error): void {
  process.emitWarning(warning.message);
}
