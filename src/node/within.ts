import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits for some work, for so long at most, and tells whether it is done. Rejects with what it rejects with meanwhile; later that
 * has nobody to tell.
 */
export async function doneWithin(ms: number, work: () => Promise<unknown>): Promise<boolean> {
  const settled = new AbortController();
  const done = work().then(() => true);
  done.catch(() => undefined);
  try {
    return await Promise.race([done, delay(Math.max(0, ms), false, { signal: settled.signal })]);
  } finally {
    settled.abort();
  }
}
