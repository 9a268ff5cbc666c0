import { describe, expect, jest, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/until.js';
import { LEASE_MS, RunLab, numbers, servedEngines } from './support/runs/lab.js';
import { endOf } from './support/runs/run-node.js';

jest.setTimeout(120_000);

const KEYS = numbers(10).map((n) => `chats/${n}`);

describe.each(servedEngines)('runs whose engine goes away, on $name', (engine) => {
  test('lose and double nothing when it is killed and comes back, and their node keeps them', async () => {
    await using lab = await RunLab.start(engine, 2);
    const [owner, other] = lab.nodes;
    const started = await owner!.child.call('startRuns', KEYS, { count: 110, everyMs: 60 });
    const watching = await Promise.all(
      lab.nodes.flatMap((node) => KEYS.map(async (key) => ({ key, stream: await node.watch(key) }))),
    );
    for (const { key, id } of started) await other!.child.call('know', key, id);

    for (const downMs of [300, LEASE_MS + 1_000]) {
      await lab.server.kill();
      await delay(downMs);
      await engine.restart(lab.server);
      const before = watching.map(({ stream }) => stream.data.length);
      const goesOn = (): boolean => watching.every(({ stream }, n) => stream.isOver || stream.data.length > before[n]!);
      await until(goesOn, 'all to go on', 30_000);
    }
    await until(() => watching.every(({ stream }) => stream.isOver), 'all to see the end', 60_000);

    let kept = 0;
    for (const { key, id } of started) {
      const [one, two] = watching.filter((each) => each.key === key).map(({ stream }) => stream);
      expect([endOf(one!), one!.data]).toEqual([endOf(two!), two!.data]);
      expect(one!.data.map(Number)).toEqual(numbers(one!.data.length));
      const isKept = endOf(one!) === 'complete';
      if (isKept) kept++;
      if (isKept) expect(one!.data).toHaveLength(110);
      for (const { child } of lab.nodes)
        expect((await child.call('result', key, id)).state).toBe(isKept ? 'completed' : 'interrupted');
    }
    process.stdout.write(`${engine.name}: ${kept} of ${KEYS.length} runs went on after ${LEASE_MS + 1_000} ms\n`);
    expect(kept).toBeGreaterThan(KEYS.length / 2);
  });

  test.each(engine.wipes)('come to an end that all are told when the log is lost by $name', async ({ run }) => {
    await using lab = await RunLab.start(engine, 2);
    const [owner, other] = lab.nodes;
    const started = await owner!.child.call('startRuns', KEYS, { count: 100, everyMs: 30 });
    const watching = await Promise.all(
      lab.nodes.flatMap((node) => KEYS.map(async (key) => ({ key, stream: await node.watch(key) }))),
    );
    for (const { key, id } of started) await other!.child.call('know', key, id);
    await until(() => watching.every(({ stream }) => stream.data.length > 2), 'runs under way', 30_000);

    await run(lab.server);
    await until(() => watching.every(({ stream }) => stream.isOver), 'all to see the end', 60_000);

    for (const { key, id } of started) {
      const streams = watching.filter((each) => each.key === key).map(({ stream }) => stream);
      // Told twice is told: what comes while the log is made anew may be missed once more.
      expect(Math.min(...streams.map(({ resets }) => resets.length))).toBeGreaterThan(0);
      const [one, two] = streams.map((stream) => endOf(stream));
      expect(one).toBe(two);
      const results = await Promise.all(lab.nodes.map(({ child }) => child.call('result', key, id)));
      const state = one === 'complete' ? 'completed' : 'interrupted';
      expect(results.map((result) => result.state)).toEqual([state, state]);
      // Of the log that is there.
      expect(results[1]).toEqual(results[0]);
    }
    const again = await other!.child.call('startRuns', KEYS, { count: 1, everyMs: 0 }, { onConflict: 'reject' });
    expect(again.map(({ isCalled }) => isCalled)).toEqual(KEYS.map(() => true));
  });
});
