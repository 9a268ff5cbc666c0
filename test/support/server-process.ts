import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const START_DEADLINE_MS = 20_000;
const PROBE_MS = 20;

export interface ServerSpec {
  readonly name: string;
  /** The program and its arguments, for a port on 127.0.0.1 and a private folder. */
  command(port: number, folder: string): readonly [program: string, ...args: string[]];
  /** Runs once, before the first start. */
  prepare?(folder: string): Promise<void> | void;
  /** Rejects while the server does not answer yet. Absent: it is ready when it accepts a connection. */
  ready?(port: number): Promise<void>;
  /** What ends it for good. Absent: SIGKILL, which leaves a server's own children behind for a moment. */
  readonly stopSignal?: NodeJS.Signals | undefined;
  /** The user to run as: PostgreSQL refuses to run as root. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
}

/** A real server with a private data folder on a free port, to be killed and started again on the same. */
export class ServerProcess {
  readonly port: number;
  readonly folder: string;
  readonly #spec: ServerSpec;
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(spec: ServerSpec, port: number, folder: string) {
    this.#spec = spec;
    this.port = port;
    this.folder = folder;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  static async start(spec: ServerSpec): Promise<ServerProcess> {
    const folder = mkdtempSync(join(tmpdir(), `sse-${spec.name}-`));
    const server = new ServerProcess(spec, await freePort(), folder);
    await spec.prepare?.(folder);
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    const [program, ...args] = this.#spec.command(this.port, this.folder);
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...this.#spec.user });
    this.#child = child;
    this.#output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.#output = (this.#output + text).slice(-10_000)));
    }
    let failure: Error | undefined;
    child.on('error', (error) => (failure = error));
    const deadline = Date.now() + START_DEADLINE_MS;
    for (;;) {
      try {
        await (this.#spec.ready ?? accepts)(this.port);
        return;
      } catch (error) {
        failure ??= child.exitCode === null ? undefined : new Error(`it exited with ${child.exitCode}`);
        if (failure === undefined && Date.now() < deadline) {
          await delay(PROBE_MS);
          continue;
        }
        const reason = String(failure ?? error);
        throw new Error(`${this.#spec.name} did not start: ${reason}\n${this.#output}`, { cause: error });
      }
    }
  }

  /** Sends a signal, and waits for the end unless the signal only stops or continues the process. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill(this.#spec.stopSignal);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A port that nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function accepts(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}
