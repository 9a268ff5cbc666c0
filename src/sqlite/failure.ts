import { EngineFailures } from '../engine/kit/failure.js';
import { SseError } from '../errors.js';
import { resultOf } from './driver.js';

export const failures = new EngineFailures('SQLite');

/** What a driver's error means for whoever called the engine. */
export function explain(path: string, error: unknown): SseError {
  if (SseError.is(error)) return error;
  const result = resultOf(error);
  if (result === 'BUSY') return inUse(path, error);
  if (result === 'NOTADB') return unusable(path, 'it is not a SQLite file', error);
  return failures.failed(`use ${path}`, error, meaningOf(result));
}

export function inUse(path: string, cause?: unknown): SseError {
  const why = 'it is in use, by another process or by another engine of this one: a log has one owner';
  return failures.failed(`use ${path}`, cause, why);
}

export function gone(path: string): SseError {
  return failures.failed(`use ${path}`, undefined, 'it is no longer there');
}

/** It is not this file that is wanted, or not here. */
export function unusable(path: string, problem: string, cause?: unknown): SseError {
  return new SseError('invalid-options', `sqliteEngine: ${path} cannot be the log: ${problem}`, { cause });
}

/** `undefined`: what the error says. */
function meaningOf(result: string | undefined): string | undefined {
  if (result === 'FULL') return 'the disk is full';
  if (result === 'READONLY') return 'it is read-only';
  if (result === 'CANTOPEN') return 'it cannot be opened or made';
  if (result === 'CORRUPT')
    return 'it is damaged: put back a copy, or move it away together with its -wal to start anew';
  return undefined;
}
