import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { until } from './until.js';

/** A program in a process of its own, of which everything is kept that it writes; to be held with `await using`. */
export class Program {
  output = '';
  /** How it has ended: its code, or the signal that has ended it. */
  exit: number | NodeJS.Signals | undefined;
  readonly #child: ChildProcess;

  constructor(...program: string[]) {
    const hooks = pathToFileURL('test/support/typescript.mjs').href;
    this.#child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--import', hooks, ...program], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Jest's choice of colours makes Node warn.
      env: { ...process.env, FORCE_COLOR: undefined, NO_COLOR: undefined },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.#child.on('close', (code, signal) => (this.exit = code ?? signal ?? undefined));
  }

  /** Waits until it has written something. */
  async says(text: string, deadlineMs = 20_000): Promise<void> {
    await until(() => this.output.includes(text) || this.exit !== undefined, `the program to say ${text}`, deadlineMs);
    if (!this.output.includes(text)) throw new Error(`The program has ended with ${this.exit}: ${this.output}`);
  }

  async ended(deadlineMs = 20_000): Promise<void> {
    await until(() => this.exit !== undefined, 'the program to end', deadlineMs);
  }

  async kill(): Promise<void> {
    if (this.exit !== undefined) return;
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
