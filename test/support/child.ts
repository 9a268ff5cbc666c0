import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type SseModuleOptions } from 'nestjs-event-stream';
import { type Adapter } from './app.js';
import type { ChildAnswer, ChildCall, ChildFunctions } from './child-main.js';
import { type Stream, openFetch } from './stream.js';
import { until } from './until.js';

/** How a process has ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly at: number;
}

/** An application in a process of its own, to be held with `await using`. */
export class ChildApp {
  port = 0;
  /** All that it has written, errors and warnings included. */
  output = '';
  exit: Exit | undefined;

  readonly #child: ChildProcess;
  readonly #streams: Stream[] = [];
  readonly #answers = new Map<number, unknown>();
  #calls = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    for (const each of [child.stdout, child.stderr]) {
      each?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    child.on('message', ({ id, value }: ChildAnswer) => this.#answers.set(id, value));
    child.on('close', (code, signal) => (this.exit = { code, signal, at: performance.now() }));
  }

  async call<Name extends keyof ChildFunctions>(
    name: Name,
    ...given: Parameters<ChildFunctions[Name]>
  ): Promise<Awaited<ReturnType<ChildFunctions[Name]>>> {
    const id = ++this.#calls;
    this.#child.send({ id, name, given } satisfies ChildCall);
    await until(() => this.#answers.has(id) || this.exit, `${name}() to be answered`, 20_000);
    if (this.exit !== undefined) throw new Error(`The application has ended during ${name}(): ${this.output}`);
    return this.#answers.get(id) as Awaited<ReturnType<ChildFunctions[Name]>>;
  }

  async open(path: string, init: RequestInit = {}): Promise<Stream> {
    const stream = await openFetch(`http://127.0.0.1:${this.port}${path}`, init);
    this.#streams.push(stream);
    return stream;
  }

  /** Waits until so many streams are open. */
  async opened(count: number): Promise<void> {
    const deadline = performance.now() + 10_000;
    while ((await this.call('countOpen')) < count) {
      if (performance.now() > deadline) throw new Error(`Waited 10 s for ${count} open streams`);
    }
  }

  /** Stops the process for as long as this takes. */
  async stoppedDuring(work: () => Promise<unknown>): Promise<void> {
    this.#child.kill('SIGSTOP');
    await work();
    this.#child.kill('SIGCONT');
  }

  /** Sends SIGTERM. */
  terminate(): void {
    this.#child.kill('SIGTERM');
  }

  /** Sends SIGTERM, waits for the end of the process, and answers how it ended and after how long. */
  async terminated(): Promise<Omit<Exit, 'at'> & { readonly tookMs: number }> {
    const startedAt = performance.now();
    this.terminate();
    await until(() => this.exit, 'the process to end', 15_000);
    const { at, ...exit } = this.exit!;
    return { ...exit, tookMs: at - startedAt };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stream of this.#streams) stream.leave();
    if (this.exit === undefined) this.#child.kill('SIGKILL');
    await until(() => this.exit, 'the process to be killed');
  }
}

/** Starts an application as it would be deployed: with shutdown hooks, in a process of its own. */
export async function startChild(adapter: Adapter, options: SseModuleOptions = {}): Promise<ChildApp> {
  const hooks = pathToFileURL(resolve('test/support/typescript.mjs')).href;
  const child = spawn(process.execPath, ['--import', hooks, 'test/support/child-main.ts'], {
    // Jest's choice of colours makes Node warn.
    env: { ...process.env, FORCE_COLOR: undefined, NO_COLOR: undefined },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
  });
  const app = new ChildApp(child);
  try {
    app.port = await app.call('start', adapter.name, options);
    return app;
  } catch (error) {
    await app[Symbol.asyncDispose]();
    throw error;
  }
}
