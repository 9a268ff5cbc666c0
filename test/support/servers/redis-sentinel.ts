import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServerProcess } from '../server-process.js';
import { TcpProxy } from '../tcp-proxy.js';
import { ask, redisServer } from './redis.js';

const DEADLINE_MS = 20_000;

/** A master, its replica, and a sentinel that makes the one the other when it is gone, to be held with `await using`. */
export class RedisSentinel {
  readonly master: ServerProcess;
  readonly replica: ServerProcess;
  readonly sentinel: ServerProcess;
  /** What the replica copies the master through. */
  readonly link: TcpProxy;

  private constructor(master: ServerProcess, replica: ServerProcess, sentinel: ServerProcess, link: TcpProxy) {
    this.master = master;
    this.replica = replica;
    this.sentinel = sentinel;
    this.link = link;
  }

  static async start(): Promise<RedisSentinel> {
    const master = await ServerProcess.start(redisServer());
    const link = await TcpProxy.start(master.port);
    const replica = await ServerProcess.start(redisServer('--replicaof', `127.0.0.1 ${link.port}`));
    await eventually(async () => (await ask(master.port, 'INFO', 'replication')).includes('state=online'));
    const sentinel = await ServerProcess.start({
      ...redisServer(),
      name: 'sentinel',
      prepare: (folder) => writeFileSync(join(folder, 'sentinel.conf'), configuration(master.port)),
      command: (port, folder) => ['redis-server', join(folder, 'sentinel.conf'), '--port', `${port}`, '--sentinel'],
    });
    await eventually(async () => (await ask(sentinel.port, 'SENTINEL', 'REPLICAS', 'log')).includes(`${replica.port}`));
    return new RedisSentinel(master, replica, sentinel, link);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [this.link, this.sentinel, this.replica, this.master].map((server) => server[Symbol.asyncDispose]()),
    );
  }
}

function configuration(masterPort: number): string {
  return [
    'bind 127.0.0.1',
    `sentinel monitor log 127.0.0.1 ${masterPort} 1`,
    'sentinel down-after-milliseconds log 300',
    'sentinel failover-timeout log 2000',
    '',
  ].join('\n');
}

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + DEADLINE_MS; !(await condition());) {
    if (Date.now() > deadline) throw new Error(`Waited ${DEADLINE_MS} ms for the servers to find each other`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
