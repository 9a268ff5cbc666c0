import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Retries, retryAfterMs } from './retries.js';

beforeEach(() => {
  jest.useFakeTimers({ now: 1_000_000 });
  jest.spyOn(Math, 'random').mockReturnValue(0.5);
});
afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

const cut = { reason: 'cut' } as const;
const planned = { reason: 'lifetime', isPlanned: true } as const;

it('waits longer with each failure in a row', () => {
  const retries = new Retries({});
  expect([cut, cut, cut, cut].map((each) => retries.after(each))).toEqual([1_250, 3_000, 5_000, 9_000]);
});

it('starts from what the server has said', () => {
  const retries = new Retries({ retryInterval: 10, maxRetryInterval: 100 });
  expect(retries.after(cut)).toBe(12.5);
  retries.baseMs = 400;
  expect(retries.after(planned)).toBe(500);
});

describe('the failures are over', () => {
  it.each([
    ['with a planned end', planned, 0],
    ['after 10 s', cut, 10_000],
  ])('%s of an open stream', (_, outcome, ms) => {
    const retries = new Retries({});
    for (let n = 0; n < 5; n++) retries.after(cut);
    retries.opened();
    jest.advanceTimersByTime(ms);
    retries.after(outcome);

    expect(retries.failures).toBeLessThanOrEqual(1);
  });

  it('and not when it was open for less', () => {
    const retries = new Retries({});
    retries.after(cut);
    retries.opened();
    jest.advanceTimersByTime(9_999);
    retries.after(cut);

    expect(retries.failures).toBe(2);
  });

  it('and not when it was open before another attempt', () => {
    const retries = new Retries({});
    retries.opened();
    retries.after(cut);
    jest.advanceTimersByTime(60_000);
    retries.after(cut);

    expect(retries.failures).toBe(2);
  });
});

it('bears so many failures in a row, and any number of planned ends', () => {
  const retries = new Retries({ retries: 3 });
  for (let n = 0; n < 20; n++) expect(retries.after(planned)).toBeLessThan(Infinity);
  for (let n = 0; n < 3; n++) expect(retries.after(cut)).toBeLessThan(Infinity);

  expect(retries.after(cut)).toBe(Infinity);
});

it('is down from the first failure until it is open, and not by a planned end', () => {
  const retries = new Retries({});
  retries.after(planned);
  expect(retries.downSince).toBe(0);
  retries.after(cut);
  jest.advanceTimersByTime(500);
  retries.after(cut);
  expect(retries.downSince).toBe(1_000_000);
  retries.opened();
  expect(retries.downSince).toBe(0);
});

it('learns nothing while the browser is offline', () => {
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { onLine: false }, configurable: true });
  const retries = new Retries({ retries: 3 });
  for (let n = 0; n < 20; n++) expect(retries.after({ reason: 'network' })).toBeLessThan(2_000);
  if (descriptor) Object.defineProperty(globalThis, 'navigator', descriptor);
  else Reflect.deleteProperty(globalThis, 'navigator');

  expect(retries.after({ reason: 'network' })).toBeLessThan(2_000);
  expect(retries.failures).toBe(1);
});

it('waits as long as an answer asks, once', () => {
  const retries = new Retries({});
  expect(retries.after({ reason: 'status', status: 429, leastMs: 60_000 })).toBe(67_500);
  expect(retries.notBefore - performance.now()).toBe(60_000);
  expect(retries.after(cut)).toBe(3_000);
});

it('waits exactly as long as `retryOn` says', () => {
  expect(new Retries({}).after({ reason: 'status', status: 503, exactMs: 7 })).toBe(7);
});

it('goes on at once, without a failure, where that is all there is to it', () => {
  const retries = new Retries({});
  expect(retries.after({ reason: 'unauthorized', status: 401, isAgain: true })).toBe(0);
  expect(retries.failures).toBe(0);
});

describe('after so many failures', () => {
  it.each([
    [1, 1_500],
    [2, 5_000],
    [3, 9_000],
    [4, 17_000],
    [5, 31_000],
    [2_000, 31_000],
  ])('%i: waits from the base up to %i ms', (failures, mostMs) => {
    const retries = new Retries({});
    const after = (): number => {
      retries.failures = failures - 1;
      return retries.after(cut);
    };
    jest.mocked(Math.random).mockReturnValue(0);
    expect(after()).toBe(1_000);
    jest.mocked(Math.random).mockReturnValue(0.999_999);
    expect(after()).toBeCloseTo(mostMs, 0);
  });
});

it('spreads a base of nothing, unless nothing is to be added', () => {
  const most = (maxRetryInterval: number): number => {
    const retries = new Retries({ retryInterval: 0, maxRetryInterval });
    retries.after(cut);
    return retries.after(cut);
  };
  expect(most(30_000)).toBe(500);
  expect(most(0)).toBe(0);
});

it.each([
  ['5', 5_000],
  ['0', 0],
  ['Tue, 01 Jan 2030 00:00:07 GMT', 7_000],
  ['Tuesday, 01-Jan-30 00:00:07 GMT', 7_000],
  ['Mon, 31 Dec 2029 23:59:59 GMT', 0],
  ['-5', 0],
  ['soon', 0],
  ['', 0],
  [null, 0],
])('reads Retry-After: %j as %i ms', (value, ms) => {
  jest.setSystemTime(Date.UTC(2030, 0, 1));
  expect(retryAfterMs(value)).toBe(ms);
});

describe('a stream is down since its first failure', () => {
  it('also when it was open for a moment in between, as servers answer that have no room', () => {
    const retries = new Retries({});
    retries.after(cut);
    const since = retries.downSince;
    jest.advanceTimersByTime(5_000);
    retries.opened();
    expect(retries.downSince).toBe(0);
    jest.advanceTimersByTime(999);
    retries.after({ reason: 'ended' });

    expect(retries.downSince).toBe(since);
  });

  it('and anew when it was open for longer', () => {
    const retries = new Retries({});
    retries.after(cut);
    retries.opened();
    jest.advanceTimersByTime(1_000);
    retries.after(cut);

    expect(retries.downSince).toBe(Date.now());
  });

  it('which the second end in a row is whose time had run out, and the first is not', () => {
    const expired = { reason: 'expired', isPlanned: true } as const;
    const retries = new Retries({});
    retries.opened();
    retries.after(expired);
    expect([retries.failures, retries.downSince]).toEqual([0, 0]);
    retries.opened();
    retries.after(expired);
    expect([retries.failures, retries.downSince]).toEqual([1, Date.now()]);
    retries.opened();
    jest.advanceTimersByTime(10_000);
    retries.after(expired);

    expect([retries.failures, retries.downSince]).toEqual([0, 0]);
  });
});
