import { SseError, describe } from '../errors.js';
import { nameProblem } from './name.js';
import { PatternNode } from './pattern-node.js';

/** The most segments of a pattern: the bound of the work that one pattern can cause for one name. */
const MAX_SEGMENTS = 32;

/** Tells whether a selector is a pattern (has a `*`) and not the name of one topic. */
export function isPattern(selector: string): boolean {
  return selector.includes('*');
}

/**
 * Checks that a value selects topics: a name, or a pattern.
 *
 * A pattern obeys the rules of a topic name, except that a segment may be `*`, which stands for exactly one segment, or
 * `**`, which stands for any number of them, none included (`news/**` matches `news`). At most 32 segments.
 *
 * @throws {@link SseError} with the code `invalid-topic`
 */
export function checkPattern(selector: unknown): asserts selector is string {
  const problem = patternProblem(selector);
  if (problem !== undefined)
    throw new SseError('invalid-topic', `A topic pattern ${problem}; got ${describe(selector)}`);
}

function patternProblem(selector: unknown): string | undefined {
  if (typeof selector !== 'string' || !isPattern(selector)) return nameProblem(selector);
  const segments = selector.split('/');
  const literal = segments.map((segment) => (isWildcard(segment) ? '-'.repeat(segment.length) : segment)).join('/');
  const problem = nameProblem(literal);
  if (problem !== undefined) return problem;
  return segments.length > MAX_SEGMENTS ? `must have at most ${MAX_SEGMENTS} segments` : undefined;
}

/**
 * The text that every matching name begins with: the segments before the first wildcard, with their slash.
 *
 * `news/*` gives `news/`, `**` gives an empty string, a name gives itself. Where only `**` follows, as in `news/**`,
 * the slash is left out, because the pattern matches `news` too.
 */
export function literalPrefix(pattern: string): string {
  const segments = pattern.split('/');
  const wildcard = segments.findIndex(isWildcard);
  if (wildcard <= 0) return wildcard === 0 ? '' : pattern;
  const prefix = segments.slice(0, wildcard).join('/');
  return segments.slice(wildcard).every((segment) => segment === '**') ? prefix : `${prefix}/`;
}

/** Tells whether some name is matched by both patterns; a name is a pattern that matches itself. In `p × q` steps for patterns of `p` and `q` segments. */
export function patternsOverlap(a: string, b: string): boolean {
  const [left, right] = [a.split('/'), b.split('/')];
  const visited = new Set<number>();
  const meet = (i: number, j: number): boolean => {
    const key = i * (right.length + 1) + j;
    if (visited.has(key)) return false;
    visited.add(key);
    const [one, other] = [left[i], right[j]];
    if (one === undefined && other === undefined) return true;
    // `**` stands for nothing, or takes whatever the other side has next.
    if (one === '**') return meet(i + 1, j) || (other !== undefined && meet(i, j + 1));
    if (other === '**') return meet(i, j + 1) || (one !== undefined && meet(i + 1, j));
    if (one === undefined || other === undefined) return false;
    return (one === other || one === '*' || other === '*') && meet(i + 1, j + 1);
  };
  return meet(0, 0);
}

/**
 * Values stored under patterns, found by the topic names that the patterns match.
 *
 * The patterns share one tree of segments up to their first `**`, and are found by their last one behind it. So the cost of a match grows with
 * the number of patterns that begin and end like the name, not with the number stored.
 */
export class PatternIndex<T> {
  readonly #root = new PatternNode<T>();
  #size = 0;

  /** How many pairs of pattern and value are stored. */
  get size(): number {
    return this.#size;
  }

  /**
   * Stores a value under a pattern, or under a name. Storing the same pair again changes nothing.
   *
   * @throws {@link SseError} with the code `invalid-topic`
   */
  add(pattern: string, value: T): void {
    checkPattern(pattern);
    if (this.#root.add(pattern.split('/'), value)) this.#size++;
  }

  /** Removes a pair of pattern and value, and tells whether it was stored. */
  delete(pattern: string, value: T): boolean {
    const deleted = this.#root.delete(pattern.split('/'), value);
    if (deleted) this.#size--;
    return deleted;
  }

  /** The distinct values of all patterns that match a name, in no particular order. */
  match(name: string): T[] {
    return this.#root.match(name.split('/'));
  }

  /** Tells whether one of the patterns matches a name. */
  hasMatch(name: string): boolean {
    return this.#root.hasMatch(name.split('/'));
  }
}

function isWildcard(segment: string): boolean {
  return segment === '*' || segment === '**';
}

/** Whether a topic, by name or by pattern, is among the names and patterns that a stream reads; `undefined` stands for any. */
export function concerns(topic: string | undefined, selectors: readonly string[]): boolean {
  if (topic === undefined) return true;
  const isOfMany = isPattern(topic);
  return selectors.some(
    (selector) => selector === topic || ((isOfMany || isPattern(selector)) && patternsOverlap(selector, topic)),
  );
}
