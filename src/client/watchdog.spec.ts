import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Watchdog } from './watchdog.js';

let silences: number;
const create = (beat: number | false | undefined): Watchdog => new Watchdog(beat, () => silences++);

beforeEach(() => {
  silences = 0;
  jest.useFakeTimers();
});
afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

it.each([
  [undefined, 35_000],
  [15_000, 35_000],
  [30_000, 65_000],
  [1_000, 3_000],
  [200, 600],
])('with a beat of %s ms tells of a silence after %i ms', (beat, limitMs) => {
  create(beat).fed();

  jest.advanceTimersByTime(limitMs - 1);
  expect(silences).toBe(0);
  jest.advanceTimersByTime(1);
  expect(silences).toBe(1);
});

it('says so once, and keeps no timer', () => {
  create(200).fed();
  jest.advanceTimersByTime(60_000);

  expect(silences).toBe(1);
  expect(jest.getTimerCount()).toBe(0);
});

it('counts from the last that came, with one timer', () => {
  const watchdog = create(200);
  for (let n = 0; n < 50; n++) {
    watchdog.fed();
    jest.advanceTimersByTime(500);
    expect(jest.getTimerCount()).toBe(1);
  }
  expect(silences).toBe(0);

  jest.advanceTimersByTime(100);
  expect(silences).toBe(1);
});

it('rests while it is stopped, and counts anew from then on', () => {
  const watchdog = create(200);
  watchdog.fed();
  watchdog.stop();
  jest.advanceTimersByTime(10_000);
  expect(silences).toBe(0);

  watchdog.fed();
  jest.advanceTimersByTime(599);
  expect(silences).toBe(0);
  jest.advanceTimersByTime(1);
  expect(silences).toBe(1);
});

it.each([
  [5_000, 15_000],
  [200, 600],
])('goes by what the server announces: %i ms, %i ms', (beat, limitMs) => {
  const watchdog = create(undefined);
  watchdog.fed();
  jest.advanceTimersByTime(100);
  watchdog.fed(beat);

  jest.advanceTimersByTime(limitMs - 1);
  expect(silences).toBe(0);
  jest.advanceTimersByTime(1);
  expect(silences).toBe(1);
});

it.each([false, 0] as const)('with a beat of %s lets everything be silent', (beat) => {
  const watchdog = create(beat);
  watchdog.fed();

  expect(jest.getTimerCount()).toBe(0);
  expect(watchdog.isQuiet).toBe(false);
});

it.each([Infinity, 2 ** 40])('with a beat of %d ms waits, and not for 1 ms at a time', (beat) => {
  const set = jest.spyOn(globalThis, 'setTimeout');
  create(beat).fed();
  jest.advanceTimersByTime(3_600_000);

  expect(silences).toBe(0);
  expect(set).toHaveBeenCalledTimes(1);
});

it('is quiet after two beats', () => {
  const watchdog = create(1_000);
  watchdog.fed();
  jest.advanceTimersByTime(2_000);
  expect(watchdog.isQuiet).toBe(false);
  jest.advanceTimersByTime(1);
  expect(watchdog.isQuiet).toBe(true);
});

/** What a process that stands still does to a timer. */
function standStill(ms: number): void {
  jest.setSystemTime(Date.now() + ms);
  const now = performance.now();
  jest.spyOn(performance, 'now').mockImplementation(() => now + ms);
}

it('grants a beat when it is called late, as what has come may wait behind it', () => {
  const watchdog = create(1_000);
  watchdog.fed();
  standStill(20_000);
  jest.advanceTimersByTime(3_000);
  expect(silences).toBe(0);

  jest.advanceTimersByTime(999);
  expect(silences).toBe(0);
  jest.advanceTimersByTime(1);
  expect(silences).toBe(1);
});

it('forgives a late call when something comes in that beat', () => {
  const watchdog = create(1_000);
  watchdog.fed();
  standStill(20_000);
  jest.advanceTimersByTime(3_000);
  watchdog.fed();
  jest.advanceTimersByTime(2_000);

  expect(silences).toBe(0);
});
