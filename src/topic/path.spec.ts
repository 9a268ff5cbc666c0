import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { defineTopic } from './define.js';
import { coversPattern, matchTopic, topicName, topicPattern } from './path.js';

const ticks = defineTopic('stocks/:market/ticks/:symbol');

/** Calls {@link topicName} as JavaScript may: with whatever it has. */
function fill(path: string, params: unknown): string {
  return topicName(defineTopic(path), params as Record<string, string>);
}

describe('the path of a definition', () => {
  it.each(['orders', 'a/b', ':id', ':a/:b', 'a:b/:c_1', 'x/:$', 'x/:größe', ':__proto__', 'a/'.repeat(511) + ':a'])(
    'may be %s',
    (path) => {
      expect(defineTopic(path).path).toBe(path);
    },
  );

  it.each([
    ['not a string', 42, 'must be a string; got 42'],
    ['empty', '', 'must not be empty'],
    ['led by a slash', '/a', 'empty segment'],
    ['ended by a slash', ':a/', 'empty segment'],
    ['with a control character', 'a\n/:b', 'control characters'],
    ['with a wildcard', 'stocks/*', "must not contain '*'"],
    ['with a parameter without a name', 'a/:', `an identifier after ':', not ":"`],
    ['with a parameter that begins with a digit', ':1a', 'an identifier'],
    ['with a parameter that is more than an identifier', ':a-b', 'an identifier'],
    ['with an optional parameter', ':a?', 'an identifier'],
    ['with the same parameter twice', ':a/x/:a', 'the parameter ":a" twice'],
    ['too long', 'x'.repeat(1_025), 'at most 1024 bytes'],
  ])('is refused when it is %s', (_, path, problem) => {
    expect(() => defineTopic(path as string)).toThrow(expect.objectContaining({ code: 'invalid-definition' }));
    expect(() => defineTopic(path as string)).toThrow(problem);
  });
});

describe('filling in a path', () => {
  it('puts strings and numbers into their segments as they are', () => {
    expect(topicName(ticks, { market: 'NYSE %2F', symbol: 7.5 })).toBe('stocks/NYSE %2F/ticks/7.5');
  });

  it('gives the path itself when it has no parameters', () => {
    expect(topicName(defineTopic('orders'), {})).toBe('orders');
  });

  it.each([
    ['no parameters', undefined, 'needs an object of parameters; got undefined'],
    ['a value without its name', 'a', 'needs an object of parameters; got "a"'],
    ['a missing parameter', {}, 'needs the parameter "id"'],
    ['a superfluous parameter', { id: 1, color: 'red' }, 'has no parameter "color"'],
    ['a parameter that is only inherited', Object.create({ id: 'x' }), 'needs the parameter "id"'],
    ['undefined', { id: undefined }, 'got undefined'],
    ['an empty value', { id: '' }, 'one segment of a topic name; got ""'],
    ['a slash', { id: 'a/b' }, 'got "a/b"'],
    ['a wildcard', { id: '*' }, 'got "*"'],
    ['another parameter', { id: ':id' }, 'got ":id"'],
    ['a line feed', { id: 'a\n' }, 'got "a\\n"'],
    ['half of a surrogate pair', { id: '\ud83d' }, 'one segment'],
    ['NaN', { id: NaN }, 'a finite number'],
    ['Infinity', { id: Infinity }, 'a finite number'],
    ['a bigint', { id: 1n }, 'got 1n'],
    ['an array that reads as a segment', { id: ['a'] }, 'got an array of 1'],
    ['an object that cannot be read', { id: Object.create(null) as unknown }, 'got an object'],
    ['a value too long', { id: 'x'.repeat(2_000) }, 'one segment'],
  ])('is refused for %s', (_, params, problem) => {
    expect(() => fill('orders/:id', params)).toThrow(expect.objectContaining({ code: 'invalid-topic' }));
    expect(() => fill('orders/:id', params)).toThrow(problem);
  });

  it('is refused when the whole name gets too long', () => {
    expect(() => fill(':a/:b', { a: 'x'.repeat(512), b: 'x'.repeat(512) })).toThrow('at most 1024 bytes');
  });

  it('does not take what objects have by birth for a parameter', () => {
    expect(() => fill('orders/:constructor', {})).toThrow('needs the parameter "constructor"');
    expect(() => fill('orders/:__proto__', {})).toThrow('needs the parameter "__proto__"');
  });
});

describe('the pattern of a path', () => {
  /** As JavaScript may call it: with whatever it has. */
  const patternOf = (path: string, params: unknown) => topicPattern(defineTopic(path), params as object);

  it.each([
    ['stocks/:market/ticks/:symbol', {}, 'stocks/*/ticks/*'],
    ['stocks/:market/ticks/:symbol', { market: 'NYSE' }, 'stocks/NYSE/ticks/*'],
    ['stocks/:market/ticks/:symbol', { symbol: 7 }, 'stocks/*/ticks/7'],
    ['stocks/:market/ticks/:symbol', { market: 'NYSE', symbol: 'AAPL' }, 'stocks/NYSE/ticks/AAPL'],
    ['orders', {}, 'orders'],
    ['x/:__proto__/:constructor', {}, 'x/*/*'],
  ])('of %s with %j is %s', (path, params, pattern) => {
    expect(patternOf(path, params)).toBe(pattern);
  });

  it.each([
    ['null', null, 'needs an object of parameters; got null'],
    ['a value without its name', 'a', 'needs an object of parameters; got "a"'],
    ['a superfluous parameter', { id: 1, color: 'red' }, 'has no parameter "color"'],
    [
      'a parameter that is undefined: what only seems to be given must not open all',
      { id: undefined },
      'got undefined',
    ],
    ['a parameter that is null', { id: null }, 'got null'],
    ['an empty value', { id: '' }, 'got ""'],
    ['a wildcard', { id: '*' }, 'got "*"'],
    ['two wildcards', { id: '**' }, 'got "**"'],
    ['a slash', { id: 'a/b' }, 'got "a/b"'],
  ])('is refused for %s', (_, params, problem) => {
    expect(() => patternOf('orders/:id/:line', params)).toThrow(expect.objectContaining({ code: 'invalid-topic' }));
    expect(() => patternOf('orders/:id/:line', params)).toThrow(problem);
  });

  it('is refused for more segments than a pattern may have', () => {
    expect(() => patternOf(`${'a/'.repeat(32)}:b`, {})).toThrow('at most 32 segments');
  });

  it.each([
    ['stocks/:symbol', 'stocks/*', true],
    ['stocks/:symbol', 'stocks/AAPL', true],
    [':kind/:id', '*/AAPL', true],
    ['stocks/:symbol', '*/*', false],
    ['stocks/:symbol', '*/AAPL', false],
    ['stocks/:symbol', 'stocks/**', false],
    ['stocks/:symbol', '**', false],
    ['stocks/:symbol', 'stocks/*/*', false],
    [':a/:b', '**/*', false],
    [':a/:b', 'a/**', false],
    ['status', 'status', true],
    ['status', '*', false],
  ])('of %s: it could give all that %s matches: %s', (path, pattern, covers) => {
    expect(coversPattern({ path }, pattern)).toBe(covers);
  });
});

describe('reading the parameters of a name', () => {
  it.each([
    ['stocks/NYSE/ticks/AAPL', { market: 'NYSE', symbol: 'AAPL' }],
    ['stocks/NYSE/ticks', undefined],
    ['stocks/NYSE/ticks/AAPL/x', undefined],
    ['stocks/NYSE/TICKS/AAPL', undefined],
    ['stocks/NYSE/ticks/', undefined],
    ['stocks/NYSE/ticks/*', undefined],
    ['stocks/NYSE/ticks/:symbol', undefined],
  ])('%s gives %j', (name, params) => {
    expect(matchTopic(ticks, name)).toEqual(params);
  });

  it('gives back what was filled in', () => {
    const segment = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 10 })
      .map((text) => text.replaceAll(/[/*:]/g, '-'));
    fc.assert(
      fc.property(segment, segment, (market, symbol) => {
        expect(matchTopic(ticks, topicName(ticks, { market, symbol }))).toEqual({ market, symbol });
      }),
    );
  });

  it('makes an own property of a parameter called __proto__, and pollutes nothing', () => {
    const params = matchTopic(defineTopic(':__proto__/:constructor'), 'a/b') ?? {};
    expect(Object.entries(params)).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]);
    expect(Object.getPrototypeOf(params)).toBe(Object.prototype);
  });

  it('fills in own parameters called __proto__', () => {
    expect(fill('x/:__proto__', JSON.parse('{"__proto__":"a"}'))).toBe('x/a');
  });
});
