import { SseError } from '../errors.js';

/** What this engine uses of a pool of the package `pg`. */
export interface PostgresPool {
  connect(): Promise<PostgresPoolClient>;
  on?(event: 'error', listener: (error: Error) => void): unknown;
  on?(event: 'connect', listener: (client: PostgresPoolClient) => void): unknown;
  off?(event: 'error', listener: (error: Error) => void): unknown;
  off?(event: 'connect', listener: (client: PostgresPoolClient) => void): unknown;
}

/** A statement, and how its results are read, whatever the application has set for the driver or the pool. */
export interface PostgresQuery {
  /** What the connection keeps it under, parsed. */
  readonly name?: string;
  readonly text: string;
  readonly values: unknown[];
  readonly types: { getTypeParser(oid: number, format?: string): (value: string | Buffer) => unknown };
}

/** What this engine uses of a client that a pool has lent. */
export interface PostgresPoolClient {
  query(query: PostgresQuery): Promise<{ rows: unknown[] }>;
  release(error?: Error | boolean): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
}

/** A client that is in a transaction of the user's: one of `pg`, or what another library has that runs SQL with `$1`. */
export interface TransactionClient {
  query(text: string, values?: unknown[]): PromiseLike<unknown>;
}

interface Endable {
  end(): Promise<unknown>;
  readonly connection?: { readonly stream?: { destroy?(): void } };
}

interface Notification {
  readonly channel: string;
  readonly payload?: string;
  /** The process of the server that has sent it. */
  readonly processId?: number;
}

/** A connection of its own, which listens. */
export interface ListenClient extends Endable {
  connect(): Promise<unknown>;
  query(text: string): Promise<unknown>;
  query(query: PostgresQuery): Promise<{ rows: unknown[] }>;
  on(event: 'error' | 'end', listener: (error?: unknown) => void): unknown;
  on(event: 'notification', listener: (message: Notification) => void): unknown;
}

export type ListenClientClass = new (config: object) => ListenClient;

/** A pool that the engine has opened, and has to close. */
interface OwnPool extends PostgresPool {
  end(): Promise<void>;
  on(event: 'connect' | 'remove', listener: (client: PostgresPoolClient & Endable) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

interface Driver {
  readonly Pool: new (config: object) => OwnPool;
  readonly Client: ListenClientClass;
}

const END_MS = 1_000;

/**
 * The package `pg`, which only those need who do not bring a pool.
 *
 * @throws SseError `invalid-options` when it is missing, too old, or does not load
 */
export async function loadDriver(): Promise<Driver> {
  let driver: Partial<Driver> | undefined;
  let cause: unknown;
  try {
    const loaded: object = await import('pg');
    driver = ('default' in loaded ? loaded.default : loaded) as Driver;
  } catch (error) {
    cause = error;
  }
  if (typeof driver?.Pool === 'function' && typeof driver.Client === 'function') return driver as Driver;
  const message = 'postgresEngine needs the package pg, version 8.11 or later, to open connections: npm install pg';
  throw new SseError('invalid-options', message, { cause });
}

export interface OpenPool {
  readonly pool: PostgresPool;
  close(): Promise<void>;
}

/** Opens a pool, whose connections are gone when `close` has resolved, those included that lead nowhere. */
export async function openPool(config: object): Promise<OpenPool> {
  const { Pool } = await loadDriver();
  const pool = new Pool(config);
  const clients = new Set<Endable>();
  pool.on('error', ignore);
  pool.on('connect', (client) => void clients.add(client));
  pool.on('remove', (client) => void clients.delete(client));
  const close = async (): Promise<void> => {
    const timer = setTimeout(() => clients.forEach(destroy), END_MS);
    await pool.end().catch(ignore);
    clearTimeout(timer);
  };
  return { pool, close };
}

/**
 * How a pool opens its connections. Its class and its options are no part of what `pg` documents, but other pools that
 * take its place have them as well. The password does not show in a copy of the options.
 */
export function configOf(pool: PostgresPool): { Client: ListenClientClass; config: object } | undefined {
  const { Client, options } = pool as { Client?: unknown; options?: { password?: unknown; ssl?: unknown } };
  if (typeof Client !== 'function' || typeof options !== 'object') return undefined;
  return {
    Client: Client as ListenClientClass,
    config: { ...options, password: options.password, ssl: options.ssl },
  };
}

/** Says good-bye, and closes the socket when nobody answers. */
export async function endClient(client: ListenClient): Promise<void> {
  const timer = setTimeout(() => destroy(client), END_MS);
  await client.end().catch(ignore);
  clearTimeout(timer);
}

/** Closes the socket: `end` would wait for the other side, which may be gone. */
export function destroy(client: Endable): void {
  const stream = client.connection?.stream;
  if (typeof stream?.destroy === 'function') stream.destroy();
  else client.end().catch(ignore);
}

export function ignore(): void {
  // For what is told elsewhere, or is of no interest any more.
}
