import { describe } from '../errors.js';
import { type Rules, number, problemIn } from '../rules.js';

/** How much of each topic is kept for clients that resume. Whichever bound is reached first trims the oldest events. */
export interface HistoryOptions {
  /**
   * How many events of a topic are kept. `Infinity` for no such bound.
   *
   * Minimum: `0`, whole.
   *
   * @default 1_000
   */
  readonly maxEvents?: number | undefined;

  /**
   * How many bytes of a topic's events are kept. `Infinity` for no such bound.
   *
   * Minimum: `0`.
   *
   * @default 1_048_576
   */
  readonly maxBytes?: number | undefined;

  /**
   * How many milliseconds an event is kept. `Infinity` for no such bound.
   *
   * Minimum: more than `0`.
   *
   * @default 600_000
   */
  readonly maxAgeMs?: number | undefined;
}

const RULES: Rules<HistoryOptions> = {
  maxEvents: {
    expected: 'a whole number of 0 or more, or Infinity',
    allows: (value) => value === Infinity || (Number.isInteger(value) && Number(value) >= 0),
  },
  maxBytes: number(0),
  maxAgeMs: { expected: 'a number above 0', allows: (value) => typeof value === 'number' && value > 0 },
};

/**
 * Tells what is wrong with a value given as `history`, as a sentence that names the option; `undefined` when it is
 * `false` or {@link HistoryOptions}.
 *
 * @internal
 */
export function historyProblem(history: unknown): string | undefined {
  if (history === false) return undefined;
  if (typeof history !== 'object' || history === null || Array.isArray(history)) {
    return `history must be an object or false; got ${describe(history)}`;
  }
  return problemIn(history, RULES, 'history.');
}
