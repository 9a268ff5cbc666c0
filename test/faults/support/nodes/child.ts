import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { until } from '../../../support/until.js';

type Functions = Record<string, (...given: never[]) => unknown>;

/** What a process is asked, and what it says: an answer, or something by itself. */
export interface Call {
  readonly id: number;
  readonly name: string;
  readonly given: readonly unknown[];
}
export type Said =
  | { readonly id: number; readonly value?: unknown; readonly error?: string }
  | { readonly id: undefined; readonly value: unknown };

/** A program in a process of its own that answers calls, to be held with `await using`. */
export class Child<Of extends Functions> {
  /** All that it has written. */
  output = '';
  exit: { readonly code: number | null; readonly signal: NodeJS.Signals | null } | undefined;
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (said: { value?: unknown; error?: string }) => void>();
  #calls = 0;

  /** @param onSaid hears what it says by itself */
  constructor(program: string, onSaid: (value: unknown) => void = () => undefined) {
    const hooks = pathToFileURL(resolve('test/support/typescript.mjs')).href;
    this.#process = spawn(process.execPath, ['--import', hooks, program], {
      // Jest's choice of colours makes Node warn.
      env: { ...process.env, FORCE_COLOR: undefined, NO_COLOR: undefined },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    for (const each of [this.#process.stdout, this.#process.stderr]) {
      each?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.#process.on('message', (said: Said) => {
      if (said.id === undefined) return onSaid(said.value);
      this.#waiting.get(said.id)?.(said);
      this.#waiting.delete(said.id);
    });
    this.#process.on('close', (code, signal) => {
      this.exit = { code, signal };
      for (const settle of this.#waiting.values()) settle({ error: `the process has ended: ${this.output}` });
    });
  }

  async call<Name extends keyof Of & string>(
    name: Name,
    ...given: Parameters<Of[Name]>
  ): Promise<Awaited<ReturnType<Of[Name]>>> {
    const id = ++this.#calls;
    const answered = new Promise<{ value?: unknown; error?: string }>((settle) => this.#waiting.set(id, settle));
    if (this.exit === undefined) this.#process.send({ id, name, given } satisfies Call);
    else this.#waiting.get(id)?.({ error: `the process has ended: ${this.output}` });
    const { value, error } = await answered;
    if (error !== undefined) throw new Error(`${name}(): ${error}`);
    return value as Awaited<ReturnType<Of[Name]>>;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async ended(deadlineMs = 10_000): Promise<void> {
    await until(() => this.exit, 'the process to end', deadlineMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.exit === undefined) this.signal('SIGKILL');
    await this.ended();
  }
}
