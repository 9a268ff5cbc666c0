import { describe, expect, it } from '@jest/globals';
import { PULSE_MS, StandStill } from './stand-still.js';

describe('standing still', () => {
  it('is what is missing between two looks, as far as it is later than what asks', () => {
    const standStill = new StandStill();
    standStill.begin(1_000);
    const looks = [1_250, 1_700, 5_700, 5_950].map((now) => standStill.look(now));

    expect(looks).toEqual([false, false, true, false]);
    expect([0, 5_000, 5_690, 5_700, 5_900].map((since) => standStill.msSince(since))).toEqual([
      4_000 - PULSE_MS,
      700,
      10,
      0,
      0,
    ]);
  });

  it('is not what passes while nobody looks', () => {
    const standStill = new StandStill();
    standStill.begin(0);
    standStill.begin(60_000);

    expect([standStill.look(60_250), standStill.msSince(0)]).toEqual([false, 0]);
  });

  it('is kept in bounds, and none of it is lost', () => {
    const standStill = new StandStill();
    standStill.begin(0);
    for (let n = 1; n <= 10_000; n++) standStill.look(n * 1_000);

    expect(standStill.msSince(0)).toBe(10_000 * (1_000 - PULSE_MS));
    expect(standStill.msSince(9_990_000)).toBe(10 * (1_000 - PULSE_MS));
  });
});
