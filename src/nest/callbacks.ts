import { Logger } from '@nestjs/common';
import { messageOf } from '../node/reporter.js';
import type { ErrorContext, Reporter } from '../node/reporter.js';
import type { NodeSignals } from '../node/signals.js';
import type { Signals } from '../signals.js';
import type { ResolvedOptions } from './resolve-options.js';
import type { StreamHooks } from './sse-options.js';

/** Calls what the application has given, its logger included: nothing of that can bring down a stream, or the process. */
export class Callbacks implements Reporter {
  readonly #options: Pick<ResolvedOptions, 'hooks' | 'onError'>;
  readonly #logger = new Logger('SseModule');

  constructor(options: Pick<ResolvedOptions, 'hooks' | 'onError'>) {
    this.#options = options;
  }

  /** Logs an error that no caller can be given, and tells the `onError` option. */
  report(error: unknown, context: ErrorContext = {}): void {
    this.#log('error', () => [messageOf(error), ...stackOf(error)]);
    this.tell(error, context);
  }

  /** Tells the `onError` option of an error. */
  tell(error: unknown, context: ErrorContext): void {
    this.#call('onError', () => this.#options.onError(error, context));
  }

  log(level: 'log' | 'warn' | 'debug', message: string): void {
    this.#log(level, () => [message]);
  }

  /** Has the hooks hear of what happens. */
  listen(signals: Signals<NodeSignals>): void {
    const { onOpened, onClosed, onReset, onSlow, onRefused, onEngineState } = this.#options.hooks;
    const hear = <Kind extends keyof NodeSignals>(
      kind: Kind,
      name: keyof StreamHooks,
      call: (signal: NodeSignals[Kind]) => unknown,
    ): unknown => signals.on(kind, (signal) => this.#call(`hooks.${name}`, () => call(signal)));
    if (onOpened) hear('opened', 'onOpened', ({ connection }) => onOpened(connection));
    if (onClosed) hear('closed', 'onClosed', ({ connection, reason }) => onClosed(connection, reason));
    if (onReset) hear('reset', 'onReset', ({ connection, reason, topics }) => onReset(connection, reason, topics));
    if (onRefused) hear('refused', 'onRefused', ({ connection, reason }) => onRefused(connection, reason));
    if (onEngineState) hear('engine', 'onEngineState', ({ state, error }) => onEngineState(state, error));
    if (onSlow === undefined) return;
    hear('behind', 'onSlow', ({ connection }) => onSlow(connection));
    hear('ending', 'onSlow', ({ connection, reason }) => reason === 'slow-consumer' && onSlow(connection));
  }

  #call(name: string, call: () => unknown): void {
    const failed = (thrown: unknown): void =>
      this.#log('error', () => [`The option ${name} has failed`, ...stackOf(thrown)]);
    try {
      Promise.resolve(call()).catch(failed);
    } catch (thrown) {
      failed(thrown);
    }
  }

  #log(level: 'log' | 'warn' | 'debug' | 'error', given: () => readonly [message: string, ...more: unknown[]]): void {
    try {
      this.#logger[level](...given());
    } catch {
      // What the application logs with has failed: there is nobody left to tell.
    }
  }
}

function stackOf(error: unknown): unknown[] {
  return error instanceof Error ? [error.stack] : [];
}
