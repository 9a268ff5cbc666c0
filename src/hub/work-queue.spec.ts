import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { WorkQueue } from './work-queue.js';

/** A queue with a clock that only moves when it is told to. */
function start() {
  let now = 0;
  const queue = new WorkQueue(() => now);
  const spend = (ms: number): void => void (now += ms);
  return { queue, spend };
}

const never = (): Promise<void> => new Promise(() => undefined);

describe('a queue of work', () => {
  it('runs what comes to an idle process at once, and answers what it does', async () => {
    const { queue } = start();
    let ran = false;
    const answer = queue.run(async () => {
      ran = true;
      return 7;
    });

    expect(ran).toBe(true);
    expect(await answer).toBe(7);
    await expect(queue.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  });

  it('has 16 under way at once, and starts the others in the order in which they came', async () => {
    const { queue } = start();
    const ends: (() => void)[] = [];
    const started: number[] = [];
    const all = Array.from({ length: 20 }, (_, n) =>
      queue.run(() => {
        started.push(n);
        return new Promise<void>((resolve) => ends.push(resolve));
      }),
    );
    await turn();
    expect(started).toHaveLength(16);
    expect(queue.waiting).toBe(4);

    ends[9]!();
    await all[9];
    await turn();
    expect(started.slice(16)).toEqual([16]);
    ends.forEach((end) => end());
    await turn();
    await turn();
    ends.forEach((end) => end());
    await Promise.all(all);

    expect(started).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(queue.waiting).toBe(0);
  });

  it('has two long ones under way at once, and lets short ones go by', async () => {
    const { queue } = start();
    const ends: (() => void)[] = [];
    const started: string[] = [];
    const work = (name: string) => () => {
      started.push(name);
      return new Promise<void>((resolve) => ends.push(resolve));
    };
    const all = [1, 2, 3, 4].map((n) => queue.run(work(`long ${n}`), true));
    all.push(...[1, 2].map((n) => queue.run(work(`short ${n}`))));
    await turn();
    expect(started).toEqual(['long 1', 'long 2', 'short 1', 'short 2']);
    expect(queue.waiting).toBe(2);

    ends[0]!();
    await all[0];
    await turn();
    expect(started.slice(4)).toEqual(['long 3']);
    for (let n = 1; n < 6; n++) {
      ends[n]!();
      await turn();
    }
    await Promise.all(all);
    expect(started.slice(5)).toEqual(['long 4']);
  });

  it('gives the event loop a turn after 4 ms, however fast each answer is there', async () => {
    const { queue, spend } = start();
    let [turns, most, inTurn] = [0, 0, 0];
    const count = (): void => {
      turns++;
      inTurn = 0;
      immediate = setImmediate(count);
    };
    let immediate = setImmediate(count);

    await Promise.all(
      Array.from({ length: 12 }, () =>
        queue.run(async () => {
          spend(1);
          most = Math.max(most, ++inTurn);
        }),
      ),
    );
    clearImmediate(immediate);

    expect(most).toBe(4);
    expect(turns).toBeGreaterThanOrEqual(2);
  });

  it('lets long work wait between its parts, once this turn has taken long enough', async () => {
    const { queue, spend } = start();

    expect(queue.pause()).toBeUndefined();
    spend(5);
    const paused = queue.pause();
    expect(paused).toBeInstanceOf(Promise);
    expect(queue.pause()).toBe(paused);
    await paused;

    expect(queue.pause()).toBeUndefined();
  });

  it('lets go of all who wait when it is closed', async () => {
    const { queue, spend } = start();
    let started = 0;
    for (let n = 0; n < 40; n++) {
      void queue.run(() => {
        started++;
        return never();
      });
    }
    spend(5);
    const paused = queue.pause();
    queue.close();
    await paused;
    await turn();

    expect(started).toBe(40);
    expect(queue.pause()).toBeUndefined();
  });
});
