import { describe, expect, test } from '@jest/globals';
import { Alarm } from './alarm.js';

const [OURS, STRANGER] = [1, 2];

/** Reads up to a head, as often as the alarm wants it at once, and says how often. */
function readAtOnce(alarm: Alarm, head: number): number {
  let reads = 0;
  for (; alarm.urgency === 'now'; reads++) alarm.judge(alarm.take(), head);
  return reads;
}

describe('an alarm', () => {
  test('of a number that was not read yet is worth a read at once', () => {
    const alarm = new Alarm();
    alarm.ring(OURS, '5', 4);

    expect(readAtOnce(alarm, 5)).toBe(1);
    expect(alarm.urgency).toBe('no');
  });

  test('that comes while its number is being read is worth no other read', () => {
    const alarm = new Alarm();
    const claims = alarm.take();
    alarm.ring(OURS, '5', 4);
    alarm.judge(claims, 5);

    expect(alarm.urgency).toBe('no');
  });

  test('that comes during a read which did not find its number is worth another', () => {
    const alarm = new Alarm();
    const claims = alarm.take();
    alarm.ring(OURS, '6', 4);
    alarm.judge(claims, 5);

    expect(readAtOnce(alarm, 6)).toBe(1);
  });

  test('of a number that has been read is looked into soon: the log may have begun anew', () => {
    const alarm = new Alarm();
    alarm.ring(OURS, '5', 5);

    expect(alarm.urgency).toBe('soon');
    alarm.judge(alarm.take(), 5);
    expect(alarm.urgency).toBe('no');
  });

  test.each(['', '0', '-5', '5.0', ' 5', '0x5', '1e9', '99999999999999999', '?9c7c', 'tabc\n5', '٥'])(
    'of %j is none',
    (payload) => {
      const alarm = new Alarm();
      alarm.ring(STRANGER, payload, 4);
      expect(alarm.urgency).toBe('no');
    },
  );

  test('of somebody who has claimed what was not there is not worth a read of its own any more', () => {
    const alarm = new Alarm();
    alarm.ring(STRANGER, '9', 4);
    expect(readAtOnce(alarm, 4)).toBe(1);
    alarm.ring(STRANGER, '10', 4);

    expect(alarm.urgency).toBe('soon');
    alarm.ring(OURS, '5', 4);
    expect(readAtOnce(alarm, 5)).toBe(1);
  });

  test('of one whose claim proves true is believed again', () => {
    const alarm = new Alarm();
    alarm.ring(OURS, '9', 4);
    expect(readAtOnce(alarm, 4)).toBe(1);
    alarm.ring(OURS, '5', 4);
    alarm.judge(alarm.take(), 5);
    alarm.ring(OURS, '6', 5);

    expect(readAtOnce(alarm, 6)).toBe(1);
  });

  test('of ten thousand strangers is worth a thousand reads at most while none proves true, and forgets who has not lied', () => {
    const alarm = new Alarm();
    for (let sender = 0; sender < 10_000; sender++) alarm.ring(sender, '9', 4);

    expect(readAtOnce(alarm, 4)).toBe(1);
    for (let sender = 0; sender < 1_000; sender++) alarm.ring(sender, '9', 4);
    expect(alarm.urgency).toBe('soon');
  });
});
