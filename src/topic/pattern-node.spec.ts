import { afterEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { PatternNode } from './pattern-node.js';

const patterns = fc.array(fc.constantFrom('a', 'b', '*', '**'), { minLength: 1, maxLength: 5 });

afterEach(() => {
  jest.restoreAllMocks();
});

describe('the tree of patterns', () => {
  it('keeps no node of a pattern whose last value is gone', () => {
    const root = new PatternNode<number>();
    root.add(['a', 'b', '**', 'c'], 1);
    root.delete(['a', 'b', '**', 'c'], 1);
    expect(root.isEmpty).toBe(true);
  });

  it('keeps the nodes that another pattern needs', () => {
    const root = new PatternNode<number>();
    root.add(['a', '*'], 1);
    root.add(['a', '*', 'b'], 2);
    root.delete(['a', '*', 'b'], 2);
    expect(root.match(['a', 'x'])).toEqual([1]);
    root.delete(['a', '*'], 1);
    expect(root.isEmpty).toBe(true);
  });

  it('is empty once everything added was deleted, in any order', () => {
    const shuffled = fc
      .uniqueArray(patterns, { selector: (pattern) => pattern.join('/'), maxLength: 10 })
      .chain((added) => fc.tuple(fc.constant(added), fc.shuffledSubarray(added, { minLength: added.length })));
    fc.assert(
      fc.property(shuffled, ([added, deleted]) => {
        const root = new PatternNode<number>();
        for (const pattern of added) expect(root.add(pattern, 1)).toBe(true);
        for (const pattern of deleted) expect(root.delete(pattern, 1)).toBe(true);
        expect(root.isEmpty).toBe(true);
      }),
    );
  });

  it('looks only at the nodes that a name can reach, among 10,000 patterns', () => {
    const root = new PatternNode<number>();
    for (let user = 0; user < 10_000; user++) root.add(['users', String(user), '*'], user);
    const lookUps = jest.spyOn(Map.prototype, 'get');
    const matches = root.match(['users', '77', 'mail']);
    const steps = lookUps.mock.calls.length;
    expect(matches).toEqual([77]);
    expect(steps).toBeLessThan(20);
  });

  it('looks only at the ends that a name has, among 10,000 patterns with the same beginning', () => {
    const root = new PatternNode<number>();
    for (let user = 0; user < 10_000; user++) root.add(['**', 'mail', String(user)], user);
    const everys = jest.spyOn(Array.prototype, 'every');
    const matches = root.match(['users', 'mail', '77']);
    const looks = everys.mock.calls.length;
    expect(matches).toEqual([77]);
    expect(looks).toBeLessThan(20);
  });

  it.each([32, 500])('tries patterns made to be costly once each, on a name of %i segments', (length) => {
    const root = new PatternNode<number>();
    const kinds = ['a', '*', '**'];
    // All of three kinds of segments, and then as much as fits in a pattern: 20 clients with 169 patterns each.
    for (let n = 0; n < 3_380; n++) {
      const digits = Array.from({ length: 8 }, (_, digit) => kinds[Math.floor(n / 3 ** digit) % 3] as string);
      root.add([...digits, ...Array.from({ length: 24 }, (_, at) => (at % 2 === 0 ? '**' : 'a'))], n);
    }
    const looks = jest.spyOn(Array.prototype, 'every');
    root.match(Array<string>(length).fill('a'));

    expect(looks.mock.calls.length).toBeLessThan(3_380 * 32);
  });
});
