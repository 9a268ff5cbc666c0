import { connect } from 'node:net';
import { once } from 'node:events';
import type { ServerSpec } from '../server-process.js';

/** A server that keeps nothing, unless it is told to. */
export function redisServer(...settings: string[]): ServerSpec {
  return {
    name: 'redis',
    command: (port, folder) => [
      'redis-server',
      ...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--loglevel', 'warning'],
      ...['--repl-diskless-sync-delay', '0'],
      ...['--enable-debug-command', 'yes'],
      ...settings,
    ],
    ready: async (port) => {
      const answer = await ask(port, 'PING');
      if (!answer.startsWith('+PONG')) throw new Error(answer);
    },
  };
}

/** One that loses nothing when it is killed. */
export const durableRedisServer = redisServer('--appendonly', 'yes', '--appendfsync', 'always');

/** Sends a command and gives the answer as it comes, over a connection of its own. */
export async function ask(port: number, ...command: string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  try {
    await once(socket, 'connect');
    socket.write(
      `*${command.length}\r\n${command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`,
    );
    const [answer] = (await once(socket, 'data')) as [string];
    return answer;
  } finally {
    socket.destroy();
  }
}

/** Waits until a replica has everything. (WAIT waits for what its own connection has written.) */
export async function replicated(port: number): Promise<void> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline;) {
    const info = await ask(port, 'INFO', 'replication');
    const [, written] = /master_repl_offset:(\d+)/.exec(info) ?? [];
    if (info.includes(`,offset=${written},`)) return;
  }
  throw new Error('Waited 10 s for the replica');
}
