import { describe, expect, it } from '@jest/globals';
import { anyFunction, anyObject, checkOneOf, checkOptions, number, oneOf, problemIn, wholeNumber } from './rules.js';
import type { Rules } from './rules.js';

interface Options {
  readonly way?: 'a' | 'b' | 'c';
  readonly size?: number;
  readonly count?: number;
  readonly from?: number;
  readonly url?: string;
  readonly options?: object;
  readonly now?: () => number;
  readonly own?: unknown;
}

const RULES: Rules<Options> = {
  way: oneOf('a', 'b', 'c'),
  size: number(1_024),
  count: wholeNumber(1, 5),
  from: number(0.5, 2),
  url: { expected: 'an address', allows: (value) => value === 'redis://host', isSecret: true },
  options: anyObject,
  now: anyFunction,
  own: (value, name) => (value === 1 ? `${name} is 1` : undefined),
};

describe('options', () => {
  it.each<[unknown, string]>([
    [undefined, 'options must be an object; got undefined'],
    [[1], 'options must be an object; got an array of 1'],
    ['redis://user:secret@host', 'options must be an object; got a text'],
    [{ sise: 1 }, 'there is no option "sise"; there are way, size, count, from, url, options, now, own'],
    [{ constructor: 1 }, 'there is no option "constructor"'],
    [{ way: 'd' }, "way must be 'a', 'b' or 'c'; got \"d\""],
    [{ size: 1 }, 'size must be a number of 1024 or more; got 1'],
    [{ size: NaN }, 'size must be a number of 1024 or more; got NaN'],
    [{ count: 1.5 }, 'count must be a whole number from 1 to 5; got 1.5'],
    [{ count: null }, 'count must be a whole number from 1 to 5; got null'],
    [{ from: 3 }, 'from must be a number from 0.5 to 2; got 3'],
    [{ url: 'redis://user:secret@host' }, 'url must be an address; got a text'],
    [{ options: 'redis://user:secret@host' }, 'options must be an object; got a text'],
    [{ now: 5 }, 'now must be a function; got 5'],
    [{ own: 1 }, 'own is 1'],
  ])('%j are refused, in one form', (given, problem) => {
    expect(problemIn(given, RULES)).toContain(problem);
    expect(() => checkOptions('someEngine', given, RULES)).toThrow(
      expect.objectContaining({ code: 'invalid-options', message: expect.stringContaining(`someEngine: ${problem}`) }),
    );
  });

  it.each<Options>([
    {},
    { way: undefined, url: undefined, own: undefined } as unknown as Options,
    { way: 'b', size: Infinity, count: 5, from: 0.5, url: 'redis://host', options: {}, now: Date.now, own: 2 },
  ])('%j are taken', (given) => {
    expect(problemIn(given, RULES)).toBeUndefined();
  });

  it('of a part of the options are named as such', () => {
    expect(problemIn({ size: 1 }, RULES, 'limits.')).toContain('limits.size must be');
    expect(problemIn({ sise: 1 }, RULES, 'limits.')).toContain('no option "limits.sise"');
    expect(problemIn(5, RULES, 'limits.')).toBe('limits must be an object; got 5');
  });

  it.each<[Options, string]>([
    [{}, 'got none'],
    [{ url: '', options: {} }, 'got url and options'],
  ])('of which one is to be given are refused as %j', (given, got) => {
    expect(() => checkOneOf('someEngine', given, ['url', 'options'])).toThrow(
      `someEngine: give exactly one of url and options; ${got}`,
    );
    expect(() => checkOneOf<Options>('someEngine', { url: '' }, ['url', 'options'])).not.toThrow();
  });
});
