import { describe, expect, it } from '@jest/globals';
import { Passed } from './passed.js';

describe('what lies behind a reader', () => {
  it.each([
    ['aaaaaa.10.x', true, 'its place'],
    ['aaaaaa.z.y', true, 'a position before it: the second part counts, in base 36'],
    ['aaaaaa.11.a', false, 'a position behind it'],
    ['bbbbbb.1.a', false, 'a position of another log'],
    ['order-1', true, 'an id that it has had'],
    ['order-2', false, 'an id that it has not'],
    ['', false, 'the beginning, of which nobody knows where it was'],
  ])('%s: %s (%s)', (spot, isPassed) => {
    const passed = new Passed('order-1');
    passed.goTo('aaaaaa.10.x');

    expect(passed.has(spot)).toBe(isPassed);
  });

  it('is the beginning for who is there', () => {
    expect(new Passed('').has('')).toBe(true);
  });

  it('remembers 256 ids that have no order', () => {
    const passed = new Passed('');
    for (let n = 0; n < 257; n++) passed.goTo(`order-${n}`);

    expect(passed.has('order-1')).toBe(true);
    expect(passed.has('order-0')).toBe(false);
  });

  it.each([
    ['aaaaaa.5.x', 'order-1', true, 'from where it is, whatever comes'],
    ['aaaaaa.4.x', 'aaaaaa.6.x', true, 'from before to behind'],
    ['aaaaaa.4.x', 'order-1', false, 'to an id that may lie before it'],
    ['aaaaaa.6.x', 'aaaaaa.7.x', false, 'from behind it: something lies between'],
    ['', 'aaaaaa.7.x', false, 'from a beginning'],
  ])('is followed by a step from %s to %s: %s (%s)', (from, to, follows) => {
    expect(new Passed('aaaaaa.5.x').isFollowedBy(from, to)).toBe(follows);
  });

  it('is not followed by a step from an older position where its own place has no order', () => {
    const passed = new Passed('aaaaaa.5.x');
    passed.goTo('order-1');

    expect(passed.isFollowedBy('aaaaaa.5.x', 'aaaaaa.6.x')).toBe(false);
    expect(passed.isFollowedBy('order-1', 'aaaaaa.6.x')).toBe(true);
  });

  it('ends before what follows a reset at the same place, unless it has had the reset', () => {
    const [told, untold] = [new Passed('aaaaaa.5.x'), new Passed('aaaaaa.5.x')];
    told.goTo('aaaaaa.5.x', true);

    expect(told.isFollowedBy(told.spot, 'aaaaaa.9.x')).toBe(true);
    expect(untold.isFollowedBy(told.spot, 'aaaaaa.9.x')).toBe(false);
    expect(told.place).toBe('aaaaaa.5.x');
  });
});
