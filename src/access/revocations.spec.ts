import { beforeEach, describe, expect, it } from '@jest/globals';
import { concerns } from '../topic/pattern.js';
import { Revocations } from './revocations.js';

const NOW = 1_700_000_000_000;
const HOUR = 3_600_000;

describe('revocations', () => {
  let revocations: Revocations;

  beforeEach(() => {
    revocations = new Revocations();
  });

  it('deny a principal everything, and nobody else anything', () => {
    revocations.add({ principalId: 'ann' }, NOW, HOUR);

    expect(revocations.denies({ id: 'ann' }, [], NOW)).toBe(true);
    expect(revocations.denies({ id: 'ann' }, ['a'], NOW)).toBe(true);
    expect(revocations.denies({ id: 'bob' }, ['a'], NOW)).toBe(false);
    expect(revocations.denies(null, ['a'], NOW)).toBe(false);
  });

  it('of a topic deny that topic only', () => {
    revocations.add({ principalId: 'ann', topic: 'a' }, NOW, HOUR);

    expect(revocations.denies({ id: 'ann' }, [], NOW)).toBe(false);
    expect(revocations.denies({ id: 'ann' }, ['b'], NOW)).toBe(false);
    expect(revocations.denies({ id: 'ann' }, ['b', 'a'], NOW)).toBe(true);
  });

  it('pass after their time, to the millisecond', () => {
    revocations.add({ principalId: 'ann' }, NOW, HOUR);

    expect(revocations.denies({ id: 'ann' }, [], NOW + HOUR - 1)).toBe(true);
    expect(revocations.denies({ id: 'ann' }, [], NOW + HOUR)).toBe(false);
  });

  it.each([
    ['before', NOW - 1, true],
    ['at the same time', NOW, true],
    ['after', NOW + 1, false],
    ['after, as a date', new Date(NOW + 1), false],
    ['at a time that is not known', undefined, true],
    ['at a time that is none', Number.NaN, true],
    ['at a date that is none', new Date('never'), true],
  ])('deny who was authenticated %s: %s → %s', (_, issuedAt, denied) => {
    revocations.add({ principalId: 'ann' }, NOW, HOUR);

    expect(revocations.denies({ id: 'ann', issuedAt }, [], NOW + 2)).toBe(denied);
  });

  it('are renewed by the same revocation, and by no other', () => {
    revocations.add({ principalId: 'ann', topic: 'a' }, NOW, HOUR);
    revocations.add({ principalId: 'ann', topic: 'b' }, NOW, HOUR);
    revocations.add({ principalId: 'ann', topic: 'a' }, NOW + HOUR / 2, HOUR);

    expect(revocations.denies({ id: 'ann' }, ['a'], NOW + HOUR)).toBe(true);
    expect(revocations.denies({ id: 'ann' }, ['b'], NOW + HOUR)).toBe(false);
  });

  it('are taken back one by one', () => {
    revocations.add({ principalId: 'ann' }, NOW, HOUR);
    revocations.add({ principalId: 'ann', topic: 'a' }, NOW, HOUR);

    revocations.delete({ principalId: 'ann' });
    expect(revocations.denies({ id: 'ann' }, ['b'], NOW)).toBe(false);
    expect(revocations.denies({ id: 'ann' }, ['a'], NOW)).toBe(true);

    revocations.delete({ principalId: 'ann', topic: 'a' });
    revocations.delete({ principalId: 'nobody' });
    expect(revocations.denies({ id: 'ann' }, ['a'], NOW)).toBe(false);
  });

  it('still hold for everyone after many others have passed', () => {
    revocations.add({ principalId: 'ann' }, NOW, 10 * HOUR);
    for (let n = 0; n < 5_000; n++) revocations.add({ principalId: `p${n}` }, NOW + n, 1);

    expect(revocations.denies({ id: 'ann' }, [], NOW + HOUR)).toBe(true);
    expect(revocations.denies({ id: 'p4999' }, [], NOW + 4_999)).toBe(true);
    expect(revocations.denies({ id: 'p0' }, [], NOW + 5_000)).toBe(false);
  });
});

describe('a thousand revocations of one principal', () => {
  const names = Array.from({ length: 1_000 }, (_, n) => `rooms/${n}`);

  /** The fastest of some tries, in ms: the first ones are not compiled. */
  function fastest(run: () => void): number {
    const times = Array.from({ length: 5 }, () => {
      const startedAt = performance.now();
      run();
      return performance.now() - startedAt;
    });
    return Math.min(...times);
  }

  it.each([
    ['names', (n: number) => `other/${n}`, 900],
    ['patterns', (n: number) => `other/**/${n}/*`, 100],
  ])('are looked up for a stream of many %s', (_, selectorOf, count) => {
    const revocations = new Revocations();
    for (const topic of names) revocations.add({ principalId: 'ann', topic }, NOW, HOUR);
    const selectors = Array.from({ length: count }, (_, n) => selectorOf(n));

    expect(revocations.denies({ id: 'ann' }, selectors, NOW)).toBe(false);
    expect(revocations.denies({ id: 'ann' }, [...selectors, 'rooms/999'], NOW)).toBe(true);
    expect(revocations.denies({ id: 'ann' }, [...selectors, '*/999'], NOW)).toBe(true);
    // Each with each takes half a second.
    expect(fastest(() => revocations.denies({ id: 'ann' }, selectors, NOW))).toBeLessThan(50);
  });

  it('deny as each of them would by itself', () => {
    const topics = ['a', 'a/b', 'a/*', '**/c', 'd/**', undefined];
    const wanted = ['a', 'a/b', 'a/x', 'x/c', 'd', '*', '*/b', '**', 'e/*', 'e'];
    for (const topic of topics) {
      const revocations = new Revocations();
      revocations.add({ principalId: 'ann', topic }, NOW, HOUR);
      for (const selector of wanted) {
        expect([topic, selector, revocations.denies({ id: 'ann' }, [selector], NOW)]).toEqual([
          topic,
          selector,
          concerns(topic, [selector]),
        ]);
      }
    }
  });

  it('that have passed are let go of, also those of patterns', () => {
    const revocations = new Revocations();
    for (let n = 0; n < 5_000; n++) revocations.add({ principalId: 'ann', topic: `t/${n}/*` }, NOW + n, 1);

    expect([...revocations.current(NOW)].length).toBeLessThan(1_100);
    expect(revocations.denies({ id: 'ann' }, ['t/4999/x'], NOW + 4_999)).toBe(true);
    expect(revocations.denies({ id: 'ann' }, ['t/1/x'], NOW + 4_999)).toBe(false);
  });
});

describe('a revoked topic concerns a stream', () => {
  it.each([
    [undefined, [], true],
    ['a', ['a'], true],
    ['a', ['b', 'c'], false],
    ['a', [], false],
    ['news/x', ['news/*'], true],
    ['news/x', ['**'], true],
    ['news/x', ['other/*'], false],
    ['news/*', ['news/x'], true],
    ['news/*', ['news/x/y'], false],
    ['news/*', ['news/*'], true],
    ['news/*', ['other/*'], false],
    // Patterns that have topics in common: the stream reads what is revoked.
    ['news/*', ['**'], true],
    ['news/*', ['*/x'], true],
    ['**', ['news/*'], true],
  ])('%j and one that reads %j: %s', (topic, selectors, expected) => {
    expect(concerns(topic, selectors)).toBe(expected);
  });
});
