import { ServerProcess, freePort } from '../server-process.js';
import { ask, redisServer } from './redis.js';

const DEADLINE_MS = 20_000;
const NODE_TIMEOUT_MS = 1_000;
const SLOTS = 16_384;

/** A cluster of three masters, the first of which has a replica, to be held with `await using`. */
export class RedisCluster {
  /** The masters, and the replica. */
  readonly servers: readonly ServerProcess[];

  private constructor(servers: readonly ServerProcess[]) {
    this.servers = servers;
  }

  static async start(): Promise<RedisCluster> {
    const cluster = new RedisCluster(await Promise.all([0, 1, 2, 3].map(startNode)));
    try {
      await cluster.#join();
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  /** The servers that have slots. */
  async masters(): Promise<ServerProcess[]> {
    const roles = await Promise.all(this.servers.map(({ port }) => ask(port, 'ROLE')));
    return this.servers.filter((_, n) => roles[n]?.includes('master'));
  }

  /** Moves a slot with all its keys, to another master. */
  async move(slot: number, from: ServerProcess, to: ServerProcess): Promise<void> {
    const [source, target] = [await idOf(from), await idOf(to)];
    await ask(to.port, 'CLUSTER', 'SETSLOT', `${slot}`, 'IMPORTING', source);
    await ask(from.port, 'CLUSTER', 'SETSLOT', `${slot}`, 'MIGRATING', target);
    for (;;) {
      const keys = (await ask(from.port, 'CLUSTER', 'GETKEYSINSLOT', `${slot}`, '100')).match(/^\{.*$/gm) ?? [];
      if (keys.length === 0) break;
      await ask(
        from.port,
        'MIGRATE',
        '127.0.0.1',
        `${to.port}`,
        '',
        '0',
        '5000',
        'KEYS',
        ...keys.map((key) => key.trim()),
      );
    }
    for (const { port } of [to, from]) await ask(port, 'CLUSTER', 'SETSLOT', `${slot}`, 'NODE', target);
  }

  /** Waits until every server that runs knows of the same masters for all slots. */
  async settled(running = this.servers): Promise<void> {
    await within(async () => {
      const infos = await Promise.all(running.map(({ port }) => ask(port, 'CLUSTER', 'INFO')));
      return infos.every((info) => info.includes('cluster_state:ok') && info.includes('cluster_slots_ok:16384'));
    }, 'the cluster to settle');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.servers.map((server) => server[Symbol.asyncDispose]()));
  }

  async #join(): Promise<void> {
    const [first, second, third, replica] = this.servers as [
      ServerProcess,
      ServerProcess,
      ServerProcess,
      ServerProcess,
    ];
    for (const [n, { port }] of [first, second, third].entries()) {
      const range = [Math.ceil((SLOTS * n) / 3), Math.ceil((SLOTS * (n + 1)) / 3) - 1].map(String);
      await ask(port, 'CLUSTER', 'ADDSLOTSRANGE', ...range);
      await ask(port, 'CLUSTER', 'SET-CONFIG-EPOCH', `${n + 1}`);
    }
    for (const { port } of this.servers.slice(1)) {
      const [bus = ''] =
        /cluster-port\r\n\$\d+\r\n(\d+)/.exec(await ask(port, 'CONFIG', 'GET', 'cluster-port'))?.slice(1) ?? [];
      await ask(first.port, 'CLUSTER', 'MEET', '127.0.0.1', `${port}`, bus);
    }
    const firstId = await idOf(first);
    await within(
      async () => (await ask(replica.port, 'CLUSTER', 'REPLICATE', firstId)).startsWith('+OK'),
      'the replica to know its master',
    );
    await this.settled();
    await within(
      async () => (await ask(replica.port, 'INFO', 'replication')).includes('master_link_status:up'),
      'the replica to be in sync',
    );
  }
}

/** What a server is called in the cluster. */
async function idOf({ port }: ServerProcess): Promise<string> {
  return (await ask(port, 'CLUSTER', 'MYID')).split('\r\n')[1] ?? '';
}

async function startNode(): Promise<ServerProcess> {
  // The default is the port + 10,000, which there may not be.
  const bus = ['--cluster-port', `${await freePort()}`, '--cluster-node-timeout', `${NODE_TIMEOUT_MS}`];
  return ServerProcess.start(redisServer('--cluster-enabled', 'yes', '--repl-diskless-sync-delay', '0', ...bus));
}

async function within(condition: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = Date.now() + DEADLINE_MS; !(await condition());) {
    if (Date.now() > deadline) throw new Error(`Waited ${DEADLINE_MS} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
