import type { SseConnection } from '../connection/sse-connection.js';

export interface ErrorContext {
  readonly connection?: SseConnection | undefined;
  readonly topic?: string | undefined;
}

/** Tells the application of what no caller can be given. Never throws. */
export interface Reporter {
  /** Of an error, in the log and as the application wants to hear of it. */
  report(error: unknown, context?: ErrorContext): void;
  log(level: 'log' | 'warn' | 'debug', message: string): void;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
