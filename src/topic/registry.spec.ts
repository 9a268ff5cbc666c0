import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { type TopicDefinition, defineTopic } from './define.js';
import { matchTopic } from './path.js';
import { TopicRegistry } from './registry.js';

describe('the registry of definitions', () => {
  it('finds the definition of a topic, with its parameters', () => {
    const ticks = defineTopic('stocks/:symbol');
    const registry = new TopicRegistry([defineTopic('orders/:id'), ticks]);
    expect(registry.find('stocks/AAPL')).toEqual({ definition: ticks, params: { symbol: 'AAPL' } });
    expect(registry.find('stocks/AAPL')?.definition).toBe(ticks);
  });

  it.each(['news', 'stocks', 'stocks/AAPL/x', 'stocks/', 'stocks/*', '', '__proto__', 'constructor/name'])(
    'finds nothing for "%s"',
    (name) => {
      expect(new TopicRegistry([defineTopic('stocks/:symbol')]).find(name)).toBeUndefined();
    },
  );

  it.each([
    ['a/b/c', 'a/b/c'],
    ['a/b/x', 'a/b/:z'],
    ['a/x/c', 'a/:y/c'],
    ['a/x/y', 'a/:y/:z'],
    ['x/b/c', ':x/b/c'],
    ['x/b/y', ':x/:y/:z'],
  ])('gives %s the most specific from the left: %s', (name, path) => {
    const paths = [':x/:y/:z', ':x/b/c', 'a/:y/:z', 'a/:y/c', 'a/b/:z', 'a/b/c'];
    const registry = new TopicRegistry(paths.map((it) => defineTopic(it)));
    expect(registry.find(name)?.definition.path).toBe(path);
  });

  it('goes back to a parameter where the static segment leads nowhere', () => {
    const registry = new TopicRegistry([defineTopic('a/b/c'), defineTopic(':x/b/d')]);
    expect(registry.find('a/b/d')).toMatchObject({ definition: { path: ':x/b/d' }, params: { x: 'a' } });
  });

  it('finds what trying every definition in order finds', () => {
    const paths = fc
      .array(fc.constantFrom('a', 'b', ':'), { minLength: 1, maxLength: 4 })
      .map((segments) => segments.map((segment, index) => (segment === ':' ? `:p${index}` : segment)).join('/'));
    const names = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.uniqueArray(paths, { maxLength: 12 }), names, (all, name) => {
        const definitions = all.map((path) => defineTopic(path));
        // In ASCII ':' sorts before letters, so that a descending order has the static segments first.
        const sorted = definitions.toSorted((a, b) => (a.path < b.path ? 1 : -1));
        const first = sorted.find((definition) => matchTopic(definition, name.join('/')) !== undefined);
        expect(new TopicRegistry(definitions).find(name.join('/'))?.definition).toBe(first);
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes the same definition again', () => {
    const ticks = defineTopic('stocks/:symbol');
    const registry = new TopicRegistry([ticks, ticks]);
    registry.add(ticks);
    expect(registry.find('stocks/AAPL')?.definition).toBe(ticks);
  });

  it.each([
    ['stocks/:symbol', 'stocks/:symbol'],
    ['stocks/:symbol', 'stocks/:ticker'],
    ['orders', 'orders'],
  ])('refuses %s beside %s, because they claim the same topics', (first, second) => {
    const registry = new TopicRegistry([defineTopic(first)]);
    const add = () => registry.add(defineTopic(second));
    expect(add).toThrow(expect.objectContaining({ code: 'invalid-definition' }));
    expect(add).toThrow(`"${first}" and "${second}" claim the same topics`);
  });

  it('goes on with the first of two that claim the same topics', () => {
    const first = defineTopic('stocks/:symbol');
    const registry = new TopicRegistry([first]);
    expect(() => registry.add(defineTopic('stocks/:ticker'))).toThrow();
    expect(registry.find('stocks/AAPL')?.definition).toBe(first);
  });

  it('refuses what defineTopic did not make', () => {
    const add = () => new TopicRegistry([{ path: 'orders' } as TopicDefinition]);
    expect(add).toThrow(expect.objectContaining({ code: 'invalid-definition' }));
    expect(add).toThrow('must come from defineTopic(); got an object');
  });

  it('takes segments that objects have by birth as any other', () => {
    const registry = new TopicRegistry([defineTopic('__proto__/:constructor')]);
    expect(registry.find('__proto__/x')?.definition.path).toBe('__proto__/:constructor');
    expect(registry.find('toString/x')).toBeUndefined();
  });

  it('looks at no definition that begins otherwise, among 1,000', () => {
    const registry = new TopicRegistry(Array.from({ length: 1_000 }, (_, index) => defineTopic(`kind${index}/:id`)));
    const lookUps = jest.spyOn(Map.prototype, 'get');
    const match = registry.find('kind999/7');
    const steps = lookUps.mock.calls.length;
    lookUps.mockRestore();
    expect(match?.params).toEqual({ id: '7' });
    expect(steps).toBeLessThan(10);
  });
});

describe('overlapping', () => {
  const registry = new TopicRegistry(['private/:user', 'news/:section/:id', 'status'].map((path) => defineTopic(path)));

  it.each([
    ['private/*', ['private/:user']],
    ['*/x', ['private/:user']],
    ['**', ['private/:user', 'news/:section/:id', 'status']],
    ['**/**/**/x/**', ['private/:user', 'news/:section/:id']],
    ['private/*/more', []],
    ['other/**', []],
    ['status/**', ['status']],
  ])('finds for %s the definitions with a topic that it matches', (pattern, paths) => {
    expect(new Set(registry.overlapping(pattern).map(({ path }) => path))).toEqual(new Set(paths));
  });
});
