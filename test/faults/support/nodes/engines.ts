import { execFile } from 'node:child_process';
import { cpSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Engine } from 'nestjs-event-stream';
import type { ServerProcess, ServerSpec } from '../../../support/server-process.js';

/** After how long a call of an engine is given up here: less than what an outage lasts. */
export const DEADLINE_MS = 2_000;

/** A server that many nodes share, and what can be done to its data. */
export interface SharedEngine {
  readonly name: string;
  /** The server's program; empty: this machine has none. */
  readonly program: string;
  spec(): Promise<ServerSpec>;
  /** The engine as an application would make it, but for its deadlines. */
  open(port: number): Promise<Engine>;
  /** How many connections the server has, but for the one that asks. */
  countConnections(server: ServerProcess): Promise<number>;
  /** Starts the server again after it was killed. */
  restart(server: ServerProcess): Promise<void>;
  readonly wipes: readonly Wipe[];
  /** Copies the data as it is. What publishes is quiet meanwhile. */
  save(server: ServerProcess): Promise<void>;
  /** Puts the copy in the place of the data. */
  restore(server: ServerProcess): Promise<void>;
}

/** One way to lose everything. */
export interface Wipe {
  readonly name: string;
  run(server: ServerProcess): Promise<void>;
}

const run = promisify(execFile);

const restartPlainly = (server: ServerProcess): Promise<void> => server.start();

// What only one of them needs is loaded by it: its server may not be there.

const redis: SharedEngine = {
  name: 'redis',
  program: process.env.REDIS_SERVER ?? 'redis-server',
  spec: async () => (await import('../../../support/servers/redis.js')).durableRedisServer,
  open: async (port) => {
    const { redisEngine } = await import('../../../../src/redis/index.js');
    const options = { host: '127.0.0.1', port, retryStrategy: () => 100 };
    return redisEngine({ options, driver: 'ioredis', timeoutMs: DEADLINE_MS, probeMs: 500 });
  },
  countConnections: async ({ port }) => {
    const { ask } = await import('../../../support/servers/redis.js');
    const lines = (await ask(port, 'CLIENT', 'LIST')).split('\n');
    return lines.filter((line) => line.startsWith('id=') && !line.includes(' cmd=client|list ')).length;
  },
  restart: restartPlainly,
  wipes: [
    {
      name: 'FLUSHALL',
      run: async ({ port }) => void (await (await import('../../../support/servers/redis.js')).ask(port, 'FLUSHALL')),
    },
  ],
  save: async ({ folder }) => copy(folder, 'appendonlydir', 'saved'),
  restore: async (server) => {
    await server.kill();
    copy(server.folder, 'saved', 'appendonlydir');
    await server.start();
  },
};

const postgres: SharedEngine = {
  name: 'postgres',
  program: process.env.POSTGRES ?? 'postgres',
  spec: async () => (await import('../../../support/servers/postgres.js')).postgresServer,
  open: async (port) => {
    const { postgresEngine } = await import('../../../../src/postgres/index.js');
    const connectionString = `postgres://postgres@127.0.0.1:${port}/postgres`;
    // That no notifications arrive is among what goes wrong.
    return postgresEngine({ connectionString, timeoutMs: DEADLINE_MS, probeMs: 1_000, onWarning: () => undefined });
  },
  countConnections: async ({ port }) => {
    const others = `SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`;
    return Number(await psql(port, '-Atc', others));
  },
  restart: async (server) => (await import('../../../support/servers/postgres.js')).restart(server),
  wipes: [
    { name: 'DROP SCHEMA', run: async ({ port }) => void (await psql(port, '-c', 'DROP SCHEMA sse CASCADE')) },
    {
      name: 'TRUNCATE',
      run: async ({ port }) => {
        const tables = await psql(port, '-Atc', `SELECT 'sse.' || tablename FROM pg_tables WHERE schemaname = 'sse'`);
        await psql(port, '-c', `TRUNCATE ${tables.trim().split('\n').join()}`);
      },
    },
  ],
  save: async ({ port, folder }) => {
    const file = join(folder, 'saved');
    await run(programOfPostgres('pg_dump'), [...loginOf(port), '-n', 'sse', '-Fc', '-f', file]);
  },
  restore: async ({ port, folder }) => {
    // In one transaction: otherwise a node makes a schema of its own in between.
    const settings = ['--clean', '--if-exists', '--single-transaction', '--exit-on-error'];
    await run(programOfPostgres('pg_restore'), [...loginOf(port), ...settings, join(folder, 'saved')]);
  },
};

const nats: SharedEngine = {
  name: 'nats',
  program: process.env.NATS_SERVER ?? 'nats-server',
  spec: async () => (await import('../../../support/servers/nats.js')).NATS,
  open: async (port) => {
    const { natsEngine } = await import('../../../../src/nats/index.js');
    const servers = `127.0.0.1:${port}`;
    const bounds = { maxEventsPerTopic: 100_000, maxAgeMs: 3_600_000 };
    return natsEngine({ servers, timeoutMs: DEADLINE_MS, probeMs: 500, ...bounds });
  },
  countConnections: async (server) =>
    (await (await import('../../../support/servers/nats.js')).countsOf(server)).connections,
  restart: restartNats,
  wipes: [{ name: 'a deleted stream', run: deleteStream }],
  save: async (server) => {
    const { storeOf } = await import('../../../support/servers/nats.js');
    await server.kill('SIGTERM');
    copy(server.folder, storeOf('.'), 'saved');
    await restartNats(server);
  },
  restore: async (server) => {
    const { storeOf } = await import('../../../support/servers/nats.js');
    await server.kill();
    copy(server.folder, 'saved', storeOf('.'));
    await restartNats(server);
  },
};

export const sharedEngines: readonly SharedEngine[] = [redis, postgres, nats];

function copy(folder: string, from: string, to: string): void {
  rmSync(join(folder, to), { recursive: true, force: true });
  cpSync(join(folder, from), join(folder, to), { recursive: true });
}

async function psql(port: number, ...args: string[]): Promise<string> {
  // Of two that wait for each other, the other gives way.
  const settings = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-c', `SET deadlock_timeout = '1min'`];
  return (await run(programOfPostgres('psql'), [...loginOf(port), ...settings, ...args])).stdout;
}

function loginOf(port: number): string[] {
  return ['-h', '127.0.0.1', '-p', `${port}`, '-U', 'postgres', '-d', 'postgres'];
}

/** Debian has them beside the server's own program, to which the one in the PATH is a link. */
function programOfPostgres(name: string): string {
  const path = postgres.program.includes('/') ? [postgres.program] : programsNamed(postgres.program);
  return join(dirname(realpathSync(path[0] as string)), name);
}

function programsNamed(name: string): string[] {
  const folders = (process.env.PATH ?? '').split(':');
  return folders
    .filter((folder) => folder !== '' && namesIn(folder).includes(name))
    .map((folder) => join(folder, name));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // A folder of the PATH need not be there.
    return [];
  }
}

/** One that was killed has left the file behind that tells the ports it had. */
async function restartNats(server: ServerProcess): Promise<void> {
  for (const name of readdirSync(server.folder)) if (name.endsWith('.ports')) rmSync(join(server.folder, name));
  await server.start();
}

async function deleteStream({ port }: ServerProcess): Promise<void> {
  const { connect } = await import('@nats-io/transport-node');
  const connection = await connect({ servers: `127.0.0.1:${port}` });
  try {
    await connection.request('$JS.API.STREAM.DELETE.sse');
  } finally {
    await connection.close();
  }
}
