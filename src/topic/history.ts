import { describe } from '../errors.js';

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

interface Rule {
  readonly expected: string;
  readonly allows: (value: number) => boolean;
}

const RULES: Readonly<Record<keyof HistoryOptions, Rule>> = {
  maxEvents: {
    expected: 'a whole number of 0 or more, or Infinity',
    allows: (value) => value === Infinity || (Number.isInteger(value) && value >= 0),
  },
  maxBytes: { expected: 'a number of 0 or more', allows: (value) => value >= 0 },
  maxAgeMs: { expected: 'a number above 0', allows: (value) => value > 0 },
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
  for (const [name, value] of Object.entries(history)) {
    if (!Object.hasOwn(RULES, name)) return `there is no option ${describe(`history.${name}`)}`;
    const { expected, allows } = RULES[name as keyof HistoryOptions];
    if (value === undefined || (typeof value === 'number' && allows(value))) continue;
    return `history.${name} must be ${expected}; got ${describe(value)}`;
  }
  return undefined;
}
