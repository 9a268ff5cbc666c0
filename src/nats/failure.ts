import { cleanError } from '../engine/kit/clean-error.js';
import { SseError } from '../errors.js';

/** What a call rejects with that has failed: without anything that must not be told. */
export function failureOf(
  code: 'engine-failed' | 'engine-uncertain',
  what: string,
  cause: unknown,
  secrets: readonly string[],
): SseError {
  const told = cleanError(cause, secrets);
  return new SseError(code, `${what}: ${told.message}`, { cause: told });
}
