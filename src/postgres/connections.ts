import { EngineFailures } from '../engine/kit/failure.js';
import { refuse } from '../rules.js';
import { configOf, loadDriver, openPool } from './driver.js';
import type { ListenClient, OpenPool } from './driver.js';
import type { PostgresSettings } from './options.js';
import { Secrets } from './secrets.js';

/** How the engine comes to its connections. */
export interface Connections {
  /** Rejects when the package is missing that they are made with. */
  readonly load: () => Promise<unknown>;
  readonly openPool: () => Promise<OpenPool>;
  readonly createListenClient: () => Promise<ListenClient>;
  readonly failures: EngineFailures;
}

const KEEP_ALIVE_MS = 10_000;

/** @throws SseError `invalid-options` when a pool does not tell how it connects, and somebody has to listen */
export function connectionsOf({ source, schema, isListening, timeoutMs }: PostgresSettings): Connections {
  const { pool } = source;
  const secrets = new Secrets();
  const failures = new EngineFailures('PostgreSQL', secrets.clean);
  const listenOptions = source.listenOptions && secrets.watch(source.listenOptions);
  const listening = {
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    connectionTimeoutMillis: timeoutMs,
    client_encoding: 'UTF8',
    application_name: `${schema}: event stream`,
  };
  if (pool === undefined) {
    const given = secrets.watch(source.options ?? { connectionString: source.connectionString });
    const config = { application_name: 'event stream', keepAlive: true, connectionTimeoutMillis: timeoutMs, ...given };
    return {
      load: loadDriver,
      openPool: () => openPool(config),
      createListenClient: async () => new (await loadDriver()).Client({ ...(listenOptions ?? given), ...listening }),
      failures,
    };
  }
  const known = configOf(pool);
  const own = known && secrets.watch(known.config);
  if (isListening && known === undefined && listenOptions === undefined) {
    refuse(
      'postgresEngine',
      'this pool does not tell how it connects; give listenOptions for the connection that listens, or notify: "poll"',
    );
  }
  return {
    load: async () => (isListening && known === undefined ? loadDriver() : undefined),
    openPool: async () => ({ pool, close: async () => undefined }),
    createListenClient: async () => {
      const Client = known?.Client ?? (await loadDriver()).Client;
      return new Client({ ...(listenOptions ?? own), ...listening });
    },
    failures,
  };
}
