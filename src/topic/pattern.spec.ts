import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PatternIndex, checkPattern, isPattern, literalPrefix } from './pattern.js';

const names = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 6 }).map((it) => it.join('/'));
const patterns = fc
  .array(fc.constantFrom('a', 'b', 'c', '*', '**'), { minLength: 1, maxLength: 6 })
  .map((it) => it.join('/'));

/** A pattern that a matcher which tries every split takes longer than the universe for, and names to try it on. */
const EVIL = [...Array<string>(15).fill('**/a'), '**/b'].join('/');
const LONG_MISS = Array<string>(511).fill('a').join('/');
const LONG_HIT = `${LONG_MISS}/b`;

function matchesPattern(pattern: string, name: string): boolean {
  const index = new PatternIndex<true>();
  index.add(pattern, true);
  return index.hasMatch(name);
}

describe('a pattern', () => {
  it.each(['*', '**', 'news/*', '*/news', 'a/**/b', '**/**', 'a/*/**/*', 'plain/name', '__proto__/*'])(
    'may be %s',
    (pattern) => {
      expect(() => checkPattern(pattern)).not.toThrow();
    },
  );

  it.each([
    ['not a string', null, 'must be a string; got null'],
    ['empty', '', 'must not be empty'],
    ['a wildcard within a segment', 'a*b', "'*' or '**'"],
    ['a wildcard at the end of a segment', 'a/b*', "'*' or '**'"],
    ['three stars', '***', "'*' or '**'"],
    ['led by a slash', '/*', 'empty segment'],
    ['ended by a slash', '*/', 'empty segment'],
    ['with a control character', 'a\n/*', 'control characters'],
    ['with a parameter', ':symbol/*', 'fill the parameter'],
    ['too long', 'x'.repeat(1_023) + '/*', 'at most 1024 bytes'],
    ['of 33 segments', Array(33).fill('*').join('/'), 'at most 32 segments'],
  ])('is refused when it is %s', (_, pattern, problem) => {
    expect(() => checkPattern(pattern)).toThrow(expect.objectContaining({ code: 'invalid-topic' }));
    expect(() => checkPattern(pattern)).toThrow(problem);
  });

  it('may have 32 segments', () => {
    expect(() => checkPattern(Array(32).fill('**').join('/'))).not.toThrow();
  });

  it('is told from a name by its wildcard', () => {
    expect(isPattern('news/*')).toBe(true);
    expect(isPattern('news')).toBe(false);
  });
});

describe('the literal prefix of a pattern', () => {
  it.each([
    ['news/*', 'news/'],
    ['news/eu/*/a', 'news/eu/'],
    ['*', ''],
    ['**', ''],
    ['**/a', ''],
    ['news/**/a', 'news/'],
    ['news/**/*', 'news/'],
    ['news/**', 'news'],
    ['news/**/**', 'news'],
    ['news/eu', 'news/eu'],
  ])('of %s is "%s"', (pattern, prefix) => {
    expect(literalPrefix(pattern)).toBe(prefix);
  });

  it('begins every name that the pattern matches', () => {
    fc.assert(
      fc.property(patterns, names, (pattern, name) => {
        fc.pre(matchesPattern(pattern, name));
        expect(name.startsWith(literalPrefix(pattern))).toBe(true);
      }),
    );
  });
});

describe('matching a name against a pattern', () => {
  it.each([
    ['news', 'news', true],
    ['news', 'News', false],
    ['news', 'news/eu', false],
    ['news/*', 'news/eu', true],
    ['news/*', 'news', false],
    ['news/*', 'news/eu/fr', false],
    ['*', 'news', true],
    ['news/**', 'news', true],
    ['news/**', 'news/eu/fr', true],
    ['news/**', 'newsletter', false],
    ['**', 'a/b/c', true],
    ['**/c', 'c', true],
    ['**/c', 'a/b/c', true],
    ['**/c', 'a/c/b', false],
    ['a/**/c', 'a/c', true],
    ['a/**/c', 'a/b/c/c', true],
    ['a/**/*', 'a', false],
    ['**/b/**/b', 'a/b/a', false],
    ['**/b/**/b', 'b/b', true],
    ['é/*', 'e\u0301/x', false],
  ])('%s on %s gives %s', (pattern, name, matches) => {
    expect(matchesPattern(pattern, name)).toBe(matches);
  });

  it('gives what trying every split gives', () => {
    fc.assert(
      fc.property(patterns, names, (pattern, name) => {
        expect(matchesPattern(pattern, name)).toBe(matchesNaively(pattern.split('/'), name.split('/')));
      }),
      { numRuns: 5_000 },
    );
  });

  it('ends for a pattern made to explode', () => {
    expect(matchesPattern(EVIL, LONG_MISS)).toBe(false);
    expect(matchesPattern(EVIL, LONG_HIT)).toBe(true);
  });
});

describe('the pattern index', () => {
  it('finds what matching each pattern finds, also after deletions', () => {
    fc.assert(
      fc.property(fc.array(patterns, { maxLength: 12 }), fc.nat(12), names, (stored, deletions, name) => {
        const index = new PatternIndex<string>();
        for (const pattern of stored) index.add(pattern, pattern);
        for (const pattern of stored.slice(0, deletions)) index.delete(pattern, pattern);
        const left = [...new Set(stored)].filter((pattern) => !stored.slice(0, deletions).includes(pattern));
        expect(index.size).toBe(left.length);
        const matching = left.filter((pattern) => matchesNaively(pattern.split('/'), name.split('/')));
        expect(index.match(name).sort()).toEqual(matching.sort());
        expect(index.hasMatch(name)).toBe(matching.length > 0);
      }),
      { numRuns: 2_000 },
    );
  });

  it('gives a value once, however many of its patterns match', () => {
    const index = new PatternIndex<string>();
    index.add('news/*', 'connection');
    index.add('**/**', 'connection');
    expect(index.match('news/eu')).toEqual(['connection']);
    expect(index.size).toBe(2);
  });

  it('keeps a value until each of its patterns is deleted', () => {
    const index = new PatternIndex<string>();
    index.add('news/*', 'connection');
    index.add('**', 'connection');
    expect(index.delete('**', 'connection')).toBe(true);
    expect(index.match('news/eu')).toEqual(['connection']);
    expect(index.delete('news/*', 'connection')).toBe(true);
    expect(index.match('news/eu')).toEqual([]);
  });

  it('stores a pair once', () => {
    const index = new PatternIndex<string>();
    index.add('news/*', 'connection');
    index.add('news/*', 'connection');
    expect(index.size).toBe(1);
    expect(index.delete('news/*', 'connection')).toBe(true);
    expect(index.match('news/eu')).toEqual([]);
  });

  it.each([
    ['another pattern', 'news/**', 'a'],
    ['a longer pattern', 'news/*/x', 'a'],
    ['a shorter pattern', 'news', 'a'],
    ['another value', 'news/*', 'b'],
  ])('deletes nothing for %s', (_, pattern, value) => {
    const index = new PatternIndex<string>();
    index.add('news/*', 'a');
    expect(index.delete(pattern, value)).toBe(false);
    expect(index.size).toBe(1);
    expect(index.match('news/eu')).toEqual(['a']);
  });

  it('refuses what is not a pattern', () => {
    expect(() => new PatternIndex().add('a*b', 1)).toThrow(expect.objectContaining({ code: 'invalid-topic' }));
  });

  it('takes segments that objects have by birth as any other', () => {
    const index = new PatternIndex<number>();
    index.add('__proto__/*', 1);
    expect(index.match('__proto__/constructor')).toEqual([1]);
    expect(index.match('constructor')).toEqual([]);
  });

  it('ends for patterns made to explode', () => {
    const index = new PatternIndex<string>();
    index.add(EVIL, 'evil');
    index.add(EVIL.replaceAll('a', '*'), 'worse');
    index.add(Array(32).fill('**').join('/'), 'all');
    expect(index.match(LONG_MISS)).toEqual(['all']);
    expect(index.match(LONG_HIT).sort()).toEqual(['all', 'evil', 'worse']);
  });
});

function matchesNaively([segment, ...pattern]: string[], name: string[]): boolean {
  if (segment === undefined) return name.length === 0;
  if (segment === '**')
    return name.some((_, skip) => matchesNaively(pattern, name.slice(skip))) || matchesNaively(pattern, []);
  return name.length > 0 && (segment === '*' || segment === name[0]) && matchesNaively(pattern, name.slice(1));
}
