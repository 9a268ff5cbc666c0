// The servers that a log can be kept on: found, and started with a private folder on a free port.
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, readdirSync, realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';

/** PostgreSQL refuses to run as root. */
const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** In the order in which they are looked for. `command` is for a port on 127.0.0.1 and an empty folder. */
export const engines = {
  redis: {
    program: findProgram('redis-server', process.env.REDIS_SERVER),
    debian: 'redis-server',
    url: (port) => `redis://127.0.0.1:${port}`,
    command: (program, port, folder) => ({
      program,
      args: ['--port', port, '--bind', '127.0.0.1', '--dir', folder, '--save', ''],
    }),
  },
  postgres: {
    program: findProgram('postgres', process.env.POSTGRES),
    debian: 'postgresql',
    url: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
    command(program, port, folder) {
      const data = join(folder, 'data');
      if (nobody.uid !== undefined) chownSync(folder, nobody.uid, nobody.gid);
      const initdb = join(dirname(realpathSync(program)), 'initdb');
      const { status, stderr } = spawnSync(initdb, ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync'], nobody);
      if (status !== 0) throw new Error(`initdb has failed: ${stderr}`);
      const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`];
      const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])];
      // SIGINT ends it without waiting for clients.
      return { program: realpathSync(program), args, user: nobody, signal: 'SIGINT' };
    },
  },
  nats: {
    program: findProgram('nats-server', process.env.NATS_SERVER),
    debian: 'nats-server',
    url: (port) => `nats://127.0.0.1:${port}`,
    command: (program, port, folder) => ({ program, args: ['-a', '127.0.0.1', '-p', port, '-js', '-sd', folder] }),
  },
};

/** Where a program is; `undefined` when this machine does not have it. Debian has some where nobody looks. */
export function findProgram(name, given) {
  if (given !== undefined) return given === '' ? undefined : given;
  const postgres = '/usr/lib/postgresql';
  const versions = existsSync(postgres) ? readdirSync(postgres).map((version) => join(postgres, version, 'bin')) : [];
  const folders = [...process.env.PATH.split(delimiter), '/usr/sbin', '/usr/local/sbin', ...versions];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** A port that nobody listens on at the moment. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Whether one can listen on a port of 127.0.0.1. */
export function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
