import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '../../src/engine/engine.js';
import { memoryEngine } from '../../src/engine/memory.js';
import { natsEngine } from '../../src/nats/index.js';
import { postgresEngine } from '../../src/postgres/index.js';
import { redisEngine } from '../../src/redis/index.js';
import { sqliteEngine } from '../../src/sqlite/index.js';
import { ServerProcess, type ServerSpec } from './server-process.js';
import { NATS } from './servers/nats.js';
import { postgresServer, urlOf } from './servers/postgres.js';
import { redisServer } from './servers/redis.js';
import { loadDrivers } from './sqlite.js';

/** A log with its server, if it has one, to be held with `await using`. */
export interface OpenLog extends AsyncDisposable {
  /** An engine on it, for one application. */
  engine(): Engine;
}

export interface EngineKind {
  readonly name: string;
  readonly isShared: boolean;
  open(): Promise<OpenLog>;
}

const [sqlite] = loadDrivers();

/** Every case that depends on how a log answers runs on these. */
export const engineKinds: readonly EngineKind[] = [
  { name: 'memory', isShared: false, open: async () => local(() => memoryEngine()) },
  ...(sqlite === undefined
    ? []
    : [
        {
          name: 'SQLite',
          isShared: false,
          open: async () => local(() => sqliteEngine({ path: newFile(), driver: sqlite.driver })),
        },
      ]),
  served('Redis', redisServer(), (port) => redisEngine({ url: `redis://127.0.0.1:${port}` })),
  served('NATS', NATS, (port) => natsEngine({ servers: `127.0.0.1:${port}` })),
  served('PostgreSQL', postgresServer, (port) => postgresEngine({ connectionString: urlOf(port) })),
];

function newFile(): string {
  return join(mkdtempSync(join(tmpdir(), 'sse-log-')), 'log.db');
}

function local(engine: () => Engine): OpenLog {
  return { engine, [Symbol.asyncDispose]: async () => undefined };
}

function served(name: string, spec: ServerSpec, engineAt: (port: number) => Engine): EngineKind {
  const open = async (): Promise<OpenLog> => {
    const server = await ServerProcess.start(spec);
    return { engine: () => engineAt(server.port), [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
  };
  return { name, isShared: true, open };
}
