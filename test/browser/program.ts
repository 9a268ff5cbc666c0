import { type ChildProcess, spawn } from 'node:child_process';
import { until } from '../support/until.js';

/** Building the package takes most of it, when its sources have changed. */
const START_DEADLINE_MS = 120_000;
const STOP_DEADLINE_MS = 20_000;

/** A command as a user starts it, to be held with `await using`. */
export class Program {
  readonly #child: ChildProcess;
  #output = '';
  #hasEnded = false;

  private constructor(script: string, env: Record<string, string>, args: readonly string[]) {
    this.#child = spawn(process.execPath, [script, ...args], {
      // Jest's choice of colours makes Node warn.
      env: { ...process.env, FORCE_COLOR: undefined, NO_COLOR: undefined, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    }
    this.#child.once('close', () => (this.#hasEnded = true));
  }

  /** Waits until it says where it listens. */
  static async start(script: string, env: Record<string, string> = {}, ...args: readonly string[]): Promise<Program> {
    const program = new Program(script, env, args);
    await until(() => program.origin !== '' || program.#hasEnded, `${script} to start`, START_DEADLINE_MS);
    if (program.#hasEnded) throw new Error(`${script} has ended: ${program.#output}`);
    return program;
  }

  /** What one says that ends by itself. */
  static async linesOf(
    script: string,
    env: Record<string, string> = {},
    ...args: readonly string[]
  ): Promise<string[]> {
    const program = new Program(script, env, args);
    await until(() => program.#hasEnded, `${script} to end`, STOP_DEADLINE_MS);
    return program.lines;
  }

  get lines(): string[] {
    return this.#output.trim().split('\n');
  }

  get origin(): string {
    return /http:\/\/localhost:\d+/.exec(this.#output)?.[0] ?? '';
  }

  get port(): string {
    return new URL(this.origin).port;
  }

  /** Sends it a signal. `SIGSTOP` makes it silent while its connections stay. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#child.kill(signal);
    // One that was stopped hears no SIGTERM.
    this.#child.kill('SIGCONT');
    await until(() => this.#hasEnded, 'the program to end', STOP_DEADLINE_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
