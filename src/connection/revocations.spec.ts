import { beforeEach, describe, expect, it } from '@jest/globals';
import { Revocations, concerns } from './revocations.js';

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
