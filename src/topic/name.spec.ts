import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SseError } from '../errors.js';
import { checkTopicName } from './name.js';

describe('a topic name', () => {
  it.each([
    ['one segment', 'news'],
    ['several segments', 'stocks/AAPL/ticks'],
    ['dots, also alone', '../a.b/.'],
    ['spaces, also at the ends', ' a / b '],
    ['what other systems use as wildcards or separators', 'a.>.#+?[a-z]{b}%2F\\'],
    ["':' inside a segment", 'a:b/c:'],
    ['letters of any script', 'ニュース/ünï'],
    ['a whole surrogate pair', 'mood/😀'],
    ['C1 controls and line separators, which the wire does not split on', 'a\u0085\u2028b'],
    ['a name that objects have by birth', '__proto__/constructor'],
    ['1,024 bytes', 'x'.repeat(1_024)],
    ['1,024 bytes in 512 characters', 'é'.repeat(512)],
  ])('may have %s', (_, name) => {
    expect(() => checkTopicName(name)).not.toThrow();
  });

  it.each([
    ['not a string', 42, 'must be a string; got 42'],
    ['nothing', undefined, 'must be a string; got undefined'],
    ['empty', '', 'must not be empty; got ""'],
    ['one byte too long', 'x'.repeat(1_025), 'at most 1024 bytes'],
    ['one byte too long in UTF-8 only', 'é'.repeat(512) + 'x', 'at most 1024 bytes'],
    ['very long', 'x'.repeat(10_000_000), 'at most 1024 bytes'],
    ['led by a slash', '/a', 'empty segment'],
    ['ended by a slash', 'a/', 'empty segment'],
    ['broken by a double slash', 'a//b', 'empty segment'],
    ['only a slash', '/', 'empty segment'],
    ['with NUL', 'a\0b', 'control characters'],
    ['with a line feed, also at the end', 'a\n', 'control characters'],
    ['with U+001F', 'a\u001fb', 'control characters'],
    ['with DEL', 'a\u007fb', 'control characters'],
    ['with the first half of a pair', 'a\ud83d', 'surrogate'],
    ['with the second half of a pair', '\ude00a', 'surrogate'],
    ['with the halves swapped', '\ude00\ud83d', 'surrogate'],
    ['with a wildcard segment', 'a/*', "must not contain '*'"],
    ["with '*' in a segment", 'a*b', "must not contain '*'"],
    ['with an unfilled parameter', 'stocks/:symbol', 'fill the parameter ":symbol"'],
    ["with only ':' as a segment", ':/a', 'fill the parameter ":"'],
  ])('is refused when it is %s', (_, name, problem) => {
    expect(() => checkTopicName(name)).toThrow(SseError);
    expect(() => checkTopicName(name)).toThrow(expect.objectContaining({ code: 'invalid-topic' }));
    expect(() => checkTopicName(name)).toThrow(problem);
  });

  it('is exactly what the rules, applied one by one, let through', () => {
    const fragment = fc.constantFrom('a', 'B', 'é', '😀', '/', ':', '*', ' ', '\n', '\u007f', '\ud83d', '\ude00');
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 8 }), (fragments) => {
        const name = fragments.join('');
        expect(accepts(name)).toBe(followsRules(name));
      }),
      { numRuns: 2_000 },
    );
  });
});

function accepts(name: string): boolean {
  try {
    checkTopicName(name);
    return true;
  } catch {
    return false;
  }
}

function followsRules(name: string): boolean {
  const hasControl = [...name].some((character) => character < ' ' || character === '\u007f');
  const isWellFormed = Buffer.from(name).toString() === name;
  const segmentsFit = name.split('/').every((segment) => segment !== '' && !segment.startsWith(':'));
  return !hasControl && isWellFormed && segmentsFit && !name.includes('*');
}
