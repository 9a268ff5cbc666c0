import { describe, expect, it, jest } from '@jest/globals';
import { LogPage } from './log-page.js';
import { PageCache } from './page-cache.js';

/** A page with one event of so many bytes, or with none. */
function page(bytes = 0): LogPage {
  const entry = { topic: 'a', seq: 1, prev: 0, at: 1, data: new Uint8Array(bytes) };
  return new LogPage({ entries: bytes > 0 ? [entry] : [], upTo: { epoch: 'aaaaaa', seq: 1, at: 1 }, holes: [] });
}

describe('pages that were read a moment ago', () => {
  it('are read once for all who come to the same place, also while the first is still waiting', async () => {
    const cache = new PageCache();
    const read = jest.fn(async () => page());

    const pages = await Promise.all([cache.get('a', read), cache.get('a', read), cache.get('b', read)]);

    expect(read).toHaveBeenCalledTimes(2);
    expect(pages[0]).toBe(pages[1]);
    expect(await cache.get('a', read)).toBe(pages[0]);
  });

  it('are read again after a second, after clear(), and when the reading failed', async () => {
    jest.useFakeTimers({ now: 0 });
    const cache = new PageCache();
    const read = jest.fn(async () => page());
    await cache.get('a', read);
    jest.advanceTimersByTime(1_001);
    await cache.get('a', read);
    cache.clear();
    await cache.get('a', read);
    const failing = jest.fn(async () => Promise.reject(new Error('away')));
    await expect(cache.get('b', failing)).rejects.toThrow('away');
    await cache.get('b', read);
    jest.useRealTimers();

    expect(read).toHaveBeenCalledTimes(4);
  });

  it('take 8 MiB at most: the oldest go first, and a larger one at once', async () => {
    const cache = new PageCache();
    const read = jest.fn(async () => page(1_048_576));
    for (let n = 0; n < 10; n++) await cache.get(`${n}`, read);
    expect(cache.bytes).toBeLessThanOrEqual(8_388_608);
    await cache.get('9', read);
    expect(read).toHaveBeenCalledTimes(10);
    await cache.get('0', read);
    expect(read).toHaveBeenCalledTimes(11);

    const { bytes } = cache;
    await cache.get('large', async () => page(8_388_608));
    expect(cache.bytes).toBe(bytes);
    await cache.get('large', read);
    expect(read).toHaveBeenCalledTimes(12);
  });

  it('are not kept for longer when nobody comes any more', async () => {
    jest.useFakeTimers({ now: 0 });
    const cache = new PageCache();
    await cache.get('a', async () => page(100));
    expect(cache.bytes).toBeGreaterThan(0);
    jest.advanceTimersByTime(2_001);
    const [left, timers] = [cache.bytes, jest.getTimerCount()];
    jest.useRealTimers();

    expect([left, timers]).toEqual([0, 0]);
  });
});
