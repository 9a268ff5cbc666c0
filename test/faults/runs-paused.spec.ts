import { describe, expect, jest, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/until.js';
import { createRandom } from './support/random.mjs';
import { RunLab, numbers, servedEngines } from './support/runs/lab.js';
import { endOf } from './support/runs/run-node.js';

jest.setTimeout(120_000);

/** `SEED` repeats what is drawn at random. */
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const LONG = numbers(5).map((n) => `long/${n}`);
/** At any moment some of these are just writing their ends. */
const SHORT = numbers(40).map((n) => `short/${n}`);

describe.each(servedEngines)('runs of a node that stands still for longer than its lease, on $name', (engine) => {
  test('end once and alike for all, and those that took their places are left alone', async () => {
    const random = createRandom(seed);
    await using lab = await RunLab.start(engine, 3);
    const [owner, other, third] = lab.nodes as [(typeof lab.nodes)[0], (typeof lab.nodes)[0], (typeof lab.nodes)[0]];
    const started = await owner.child.call('startRuns', LONG, { count: 100_000, everyMs: 50 });
    for (const key of SHORT)
      started.push(...(await owner.child.call('startRuns', [key], { count: random.int(2, 12), everyMs: 40 })));
    const watching = await Promise.all(
      lab.nodes.flatMap((node) => started.map(async ({ key }) => ({ key, stream: await node.watch(key) }))),
    );
    for (const node of [other, third]) for (const { key, id } of started) await node.child.call('know', key, id);
    const of = (key: string) => watching.filter((each) => each.key === key).map(({ stream }) => stream);
    await until(() => LONG.every((key) => of(key).every(({ data }) => data.length > 2)), 'runs under way', 30_000);
    await delay(random.int(0, 300));

    owner.child.signal('SIGSTOP');
    const isSeen = (): boolean =>
      LONG.every((key) =>
        of(key)
          .slice(1)
          .every(({ isOver }) => isOver),
      );
    await until(isSeen, 'the others to see the end', 30_000);
    const next = await other.child.call('startRuns', LONG, { count: 30, everyMs: 20 }, { onConflict: 'reject' });
    owner.child.signal('SIGCONT');
    await until(() => watching.every(({ stream }) => stream.isOver), 'all to see the end', 30_000);

    process.stdout.write(`${engine.name}: seed ${seed}\n`);
    for (const { key, id } of started) {
      const [first, ...others] = of(key).map((stream) => ({ end: endOf(stream), data: stream.data.map(Number) }));
      expect(others).toEqual([first, first]);
      expect(first!.data).toEqual(numbers(first!.data.length));
      const state = first!.end === 'run-interrupted' ? 'interrupted' : 'completed';
      const results = await Promise.all(lab.nodes.map(({ child }) => child.call('result', key, id)));
      expect(results).toEqual(results.map(() => ({ state, data: first!.data })));
    }
    expect(LONG.map((key) => endOf(of(key)[0]!))).toEqual(LONG.map(() => 'run-interrupted'));
    const isAborted = (id: string): boolean => owner.told.get(id)?.isAborted === true;
    await until(() => started.slice(0, LONG.length).every(({ id }) => isAborted(id)), 'signals to be aborted');
    for (const { key, id, isCalled } of next) {
      expect(isCalled).toBe(true);
      expect(await third.child.call('result', key, id)).toEqual({ state: 'completed', data: numbers(30) });
    }
    expect(lab.written).toEqual([]);
  });
});
