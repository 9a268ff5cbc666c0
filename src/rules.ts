import { SseError, describe } from './errors.js';

/**
 * What one option may be: what a value of it has to pass, and how that is said; or a function that says what is wrong with a value,
 * `undefined` for nothing.
 */
export type Rule = Expectation | ((value: unknown, name: string) => string | undefined);

interface Expectation {
  /** As in `maxTotalBytes must be …`. */
  readonly expected: string;
  readonly allows: (value: unknown) => boolean;
  /** There may be a password in it: of a text only that it is one is told. */
  readonly isSecret?: boolean;
}

/** A rule for each of some options. */
export type Rules<Options> = Readonly<Record<keyof Options, Rule>>;

/** What Node's timers take at most, in ms. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

export const anyFunction: Rule = { expected: 'a function', allows: (value) => typeof value === 'function' };
export const anyObject: Rule = {
  expected: 'an object',
  allows: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  isSecret: true,
};
export const trueOrFalse: Rule = { expected: 'true or false', allows: (value) => typeof value === 'boolean' };

/** One of some texts. */
export function oneOf(...texts: readonly string[]): Rule {
  const quoted = texts.map((text) => `'${text}'`);
  return { expected: listed(quoted, 'or'), allows: (value) => texts.includes(value as string) };
}

/** A number within bounds; without an upper one also `Infinity`. */
export function number(least: number, most = Infinity): Expectation {
  const expected = most === Infinity ? `a number of ${least} or more` : `a number from ${least} to ${most}`;
  return { expected, allows: (value) => typeof value === 'number' && value >= least && value <= most };
}

/** The same, and whole. */
export function wholeNumber(least: number, most: number): Rule {
  const { expected, allows } = number(least, most);
  return { expected: expected.replace('a', 'a whole'), allows: (value) => Number.isInteger(value) && allows(value) };
}

/**
 * Says what is wrong with some options, naming the first that is; `undefined`: nothing.
 *
 * @param prefix goes before their names: `history.`
 */
export function problemIn<Options>(given: unknown, rules: Rules<Options>, prefix = ''): string | undefined {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return `${prefix === '' ? 'options' : prefix.slice(0, -1)} must be an object; got ${kindOf(given)}`;
  }
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(rules, name)) {
      return `there is no option ${describe(prefix + name)}; there are ${Object.keys(rules).join(', ')}`;
    }
    const problem = problemOf(value, rules[name as keyof Options], prefix + name);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Options that belong together. */
export function group<Options>(rules: Rules<Options>): Rule {
  return (value, name) => problemIn(value, rules, `${name}.`);
}

/** The same of one option. One that is `undefined` is as if it were absent. */
export function problemOf(value: unknown, rule: Rule, name: string): string | undefined {
  if (value === undefined) return undefined;
  if (typeof rule === 'function') return rule(value, name);
  if (rule.allows(value)) return undefined;
  return `${name} must be ${rule.expected}; got ${rule.isSecret === true ? kindOf(value) : describe(value)}`;
}

/**
 * @param where whose options they are, as it begins a message
 * @throws SseError `invalid-options`, naming the option
 */
export function checkOptions<Options>(where: string, given: unknown, rules: Rules<Options>): void {
  const problem = problemIn(given, rules);
  if (problem !== undefined) refuse(where, problem);
}

/** @throws SseError `invalid-options` when none of these is given, or more than one */
export function checkOneOf<Options>(where: string, given: Options, names: readonly (keyof Options & string)[]): void {
  const found = names.filter((name) => given[name] !== undefined);
  if (found.length === 1) return;
  refuse(where, `give exactly one of ${listed(names, 'and')}; got ${listed(found, 'and') || 'none'}`);
}

/** @throws SseError `invalid-options` */
export function refuse(where: string, problem: string, cause?: unknown): never {
  throw new SseError('invalid-options', `${where}: ${problem}`, { cause });
}

/** Whoever mistakes one option for another may have given an address with its password. */
function kindOf(value: unknown): string {
  return typeof value === 'string' ? 'a text' : describe(value);
}

function listed(words: readonly string[], last: 'and' | 'or'): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}
