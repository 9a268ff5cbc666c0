import { Logger } from '@nestjs/common';
import type { ResolvedOptions } from './resolve-options.js';
import type { ErrorContext, StreamHooks } from './sse-options.js';

/** Calls what the application has given, its logger included: nothing of that can bring down a stream, or the process. */
export class Callbacks {
  readonly hasHooks: boolean;
  readonly #options: Pick<ResolvedOptions, 'hooks' | 'onError'>;
  readonly #logger = new Logger('SseModule');

  constructor(options: Pick<ResolvedOptions, 'hooks' | 'onError'>) {
    this.#options = options;
    this.hasHooks = Object.keys(options.hooks).length > 0;
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

  hook<Name extends keyof StreamHooks>(name: Name, ...given: Parameters<NonNullable<StreamHooks[Name]>>): void {
    const hook = this.#options.hooks[name] as ((...given: unknown[]) => unknown) | undefined;
    if (hook !== undefined) this.#call(`hooks.${name}`, () => hook(...given));
  }

  log(level: 'log' | 'warn' | 'debug', message: string): void {
    this.#log(level, () => [message]);
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

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function stackOf(error: unknown): unknown[] {
  return error instanceof Error ? [error.stack] : [];
}
