import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import type { ServerProcess, ServerSpec } from '../server-process.js';

/** The contract's payloads are as large as what a server takes by default, and an event is a little more. */
const LARGE = 'max_payload: 8MB';

const config = (folder: string, settings: string): string => `
  ${settings}
  http: "127.0.0.1:-1"
  ports_file_dir: ${JSON.stringify(folder)}
`;

/** nats-server with JetStream and further settings. `NATS_SERVER` names another program than that of the PATH. */
export const natsServer = (settings: string): ServerSpec => ({
  name: 'nats',
  prepare: (folder) => configure(folder, settings),
  command: (port, folder) => [
    process.env.NATS_SERVER ?? 'nats-server',
    ...['-c', join(folder, 'nats.conf'), '-a', '127.0.0.1', '-p', `${port}`, '-js', '-sd', storeOf(folder)],
  ],
  ready: async (port) => {
    const connection = await connect({ servers: `127.0.0.1:${port}`, reconnect: false, timeout: 1_000 });
    try {
      await connection.request('$JS.API.INFO', '', { timeout: 500 });
    } finally {
      await connection.close();
    }
  },
});

export const NATS: ServerSpec = natsServer(LARGE);

/** Holds from the next start on. */
export function configure(folder: string, settings: string): void {
  writeFileSync(join(folder, 'nats.conf'), config(folder, settings));
}

/** One server of a cluster, by its place in the list of the ports at which they reach each other. */
export function natsNode(n: number, routes: readonly number[]): ServerSpec {
  return {
    ...NATS,
    name: `nats-${n}`,
    command: (port, folder) => [
      ...NATS.command(port, folder),
      ...['--name', `n${n}`, '--cluster_name', 'test', '--cluster', `nats://127.0.0.1:${routes[n]}`],
      ...['--routes', routes.map((route) => `nats://127.0.0.1:${route}`).join(',')],
    ],
  };
}

/**
 * One whose user `app` may do what the documentation says that the engine needs, and whose user `other` may do all that does not begin with
 * the engine's prefix.
 */
export function restrictedNats(stream: string, domain?: string): ServerSpec {
  // The server of the domain itself knows its API by the plain name by the time that it looks at the permissions.
  const api = (...names: string[]): string[] => names.map((name) => `$JS.API.${name}`);
  const publish = [
    ...[`${stream}.s.>`, `${stream}.c`],
    ...api(`STREAM.INFO.${stream}`, `STREAM.CREATE.${stream}`, `STREAM.MSG.GET.${stream}`, `DIRECT.GET.${stream}`),
    ...api(`CONSUMER.CREATE.${stream}`, `CONSUMER.MSG.NEXT.${stream}.*`, `CONSUMER.DELETE.${stream}.*`),
  ];
  const subscribe = [
    `${stream}.l.>`,
    `${stream}.c`,
    '_INBOX_app.>',
    `$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.${stream}`,
  ];
  const ours = { deny: [`${stream}.>`, '$JS.>', '_INBOX_app.>'] };
  const users = [
    { user: 'app', password: 'secret', permissions: { publish, subscribe } },
    { user: 'other', password: 'other', permissions: { publish: ours, subscribe: ours } },
  ];
  return {
    name: 'nats-restricted',
    prepare: (folder) =>
      writeFileSync(
        join(folder, 'nats.conf'),
        `jetstream { store_dir: ${JSON.stringify(storeOf(folder))} ${domain === undefined ? '' : `, domain: ${domain}`} }
         authorization { users: ${JSON.stringify(users)} }`,
      ),
    command: (port, folder) => [
      process.env.NATS_SERVER ?? 'nats-server',
      ...['-c', join(folder, 'nats.conf'), '-a', '127.0.0.1', '-p', `${port}`],
    ],
  };
}

/** Where a server keeps its streams. */
export function storeOf(folder: string): string {
  return join(folder, 'store');
}

export interface ServerCounts {
  readonly connections: number;
  readonly subscriptions: number;
  /** Messages that clients have sent. */
  readonly received: number;
}

/** What a server has of its clients that are connected. */
export async function countsOf(server: ServerProcess): Promise<ServerCounts> {
  const { connections } = (await monitor(server, 'connz')) as {
    connections: { subscriptions: number; in_msgs: number }[];
  };
  return {
    connections: connections.length,
    subscriptions: connections.reduce((sum, { subscriptions }) => sum + subscriptions, 0),
    received: connections.reduce((sum, { in_msgs }) => sum + in_msgs, 0),
  };
}

/** How many bytes of messages a server has sent so far. */
export async function bytesSentBy(server: ServerProcess): Promise<number> {
  return ((await monitor(server, 'varz')) as { out_bytes: number }).out_bytes;
}

async function monitor({ folder }: ServerProcess, what: string): Promise<unknown> {
  const file = readdirSync(folder).find((name) => name.endsWith('.ports')) as string;
  const { monitoring } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { monitoring: string[] };
  return (await fetch(`${monitoring[0]}/${what}`)).json();
}
