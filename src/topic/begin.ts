import { SseError, describe } from '../errors.js';
import { MAX_ID_BYTES } from '../wire/event.js';

/** What of a topic comes before the events that are published from now on. */
export type Recent =
  /** Nothing. */
  | 'now'
  /** All that history holds. */
  | 'start'
  /** So many of each topic's newest events: a whole number, 0 or more. `{ last: 1 }` is the current value. */
  | { readonly last: number }
  /** What was published in the last so many ms, by the clock of this process: 0 or more. */
  | { readonly sinceMs: number };

/**
 * Where a stream begins whose client brings no id: with what `Recent` says of each topic, or behind the event with an id, such as
 * `position()` of the service gives. What history no longer holds is not made up for, and nothing is missing between what was before and
 * what comes.
 */
export type Begin = Recent | (string & {});

/** Says what is wrong with it; `undefined`: nothing. */
export function recentProblem(name: string, value: unknown): string | undefined {
  if (value === 'now' || value === 'start' || isBounded(value)) return undefined;
  return `${name} must be 'now', 'start', { last: n } with a whole number n of at least 0, or { sinceMs: n } with a number of ms; got ${describe(value)}`;
}

/** The same of a beginning. */
export function beginProblem(value: unknown, name = 'from'): string | undefined {
  if (typeof value === 'string' && value !== '' && value.length <= MAX_ID_BYTES) return undefined;
  const problem = recentProblem(name, value);
  return problem && `${problem}, or the id of an event`;
}

/** @throws SseError `invalid-options` */
export function checkBegin(where: string, value: unknown): asserts value is Begin {
  const problem = beginProblem(value);
  if (problem !== undefined) throw new SseError('invalid-options', `${where}: ${problem}`);
}

function isBounded(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const [[name, amount] = [], ...others] = Object.entries(value as Record<string, unknown>);
  if (others.length > 0 || typeof amount !== 'number' || !(amount >= 0)) return false;
  return name === 'last' ? Number.isSafeInteger(amount) : name === 'sinceMs' && Number.isFinite(amount);
}
