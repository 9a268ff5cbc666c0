import { execFileSync } from 'node:child_process';
import { chownSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { type ServerProcess, type ServerSpec } from '../server-process.js';

/** Debian's `postgres` in the PATH is a link into the folder that has `initdb` as well. */
const BIN = dirname(realpathSync(execFileSync('which', ['postgres'], { encoding: 'utf8' }).trim()));
const RESTART_DEADLINE_MS = 20_000;

/** It refuses to run as root. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;

/** A cluster with the superuser `postgres`, whom it trusts. Nothing is flushed to disk: what is killed here is never the machine. */
export const postgresServer: ServerSpec = {
  name: 'postgres',
  user,
  // Its immediate shutdown: it waits for its children, which would otherwise write to a folder that is being deleted.
  stopSignal: 'SIGQUIT',
  prepare(folder) {
    if (user !== undefined) chownSync(folder, user.uid, user.gid);
    const args = ['-D', join(folder, 'data'), '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
    execFileSync(join(BIN, 'initdb'), args, { stdio: 'pipe', cwd: folder, ...user });
  },
  command(port, folder) {
    const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`, 'fsync=off'];
    settings.push('max_connections=60', 'shared_buffers=32MB', 'max_wal_size=256MB');
    return [join(BIN, 'postgres'), '-D', join(folder, 'data'), ...settings.flatMap((setting) => ['-c', setting])];
  },
  async ready(port) {
    const client = new Client(urlOf(port));
    client.on('error', () => undefined);
    await client.connect();
    await client.end();
  },
};

export function urlOf(port: number): string {
  return `postgres://postgres@127.0.0.1:${port}/postgres`;
}

/** Starts a server that was killed. It refuses as long as a process of its former life is there, which ends by itself. */
export async function restart(server: ServerProcess): Promise<void> {
  const deadline = Date.now() + RESTART_DEADLINE_MS;
  for (;;) {
    try {
      return await server.start();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
