import { describe, expect, it, jest } from '@jest/globals';
import { LogPage } from './log-page.js';
import { PageCache } from './page-cache.js';

const page = (): LogPage => new LogPage({ entries: [], upTo: { epoch: 'aaaaaa', seq: 1, at: 1 }, holes: [] });

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

  it('are no more than 128', async () => {
    const cache = new PageCache();
    const read = jest.fn(async () => page());
    for (let n = 0; n <= 128; n++) await cache.get(`${n}`, read);
    await cache.get('128', read);
    expect(read).toHaveBeenCalledTimes(129);

    await cache.get('0', read);
    expect(read).toHaveBeenCalledTimes(130);
  });
});
