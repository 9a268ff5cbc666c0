import { SseError } from '../errors.js';
import type { SseErrorCode } from '../errors.js';

/** How a run has ended. */
export type RunEndState = 'completed' | 'failed' | 'stopped' | 'interrupted' | 'expired';

/** What the log says of the end of a run, behind its last event. */
export interface RunEnd {
  readonly state: RunEndState;
  /** Why it was stopped or interrupted, as whoever did it has said. */
  readonly reason?: string | undefined;
  /** The HTTP status of the error that it has failed with, where that had one: 400 to 599. */
  readonly status?: number | undefined;
  /** When to try again, as that error has said it. */
  readonly retryAfter?: string | undefined;
}

const STATES: readonly unknown[] = ['completed', 'failed', 'stopped', 'interrupted', 'expired'] satisfies RunEndState[];

const FAILURES: Readonly<Partial<Record<RunEndState, readonly [SseErrorCode, string]>>> = {
  failed: ['run-failed', 'The run has failed'],
  interrupted: ['run-interrupted', 'The run was interrupted: what produced it is gone'],
  expired: ['run-expired', 'The run has lasted for longer than it may'],
};

/** The error that stands for the end of a run, with its status if it has one; `undefined` when it is no failure. */
export function failureOf({ state, status, retryAfter }: RunEnd): SseError | undefined {
  const [code, message] = FAILURES[state] ?? [];
  if (code === undefined) return undefined;
  const error = new SseError(code, `${message}`);
  const headers = retryAfter === undefined ? undefined : { 'retry-after': retryAfter };
  return status === undefined ? error : Object.assign(error, { status, headers });
}

export function formatRunEnd(end: RunEnd): string {
  return JSON.stringify(end);
}

/** Reads back what {@link formatRunEnd} wrote; `undefined` for anything else. */
export function parseRunEnd(said: string): RunEnd | undefined {
  if (said === '') return undefined;
  try {
    const end = JSON.parse(said) as RunEnd | null;
    return STATES.includes(end?.state) ? (end as RunEnd) : undefined;
  } catch {
    return undefined;
  }
}
