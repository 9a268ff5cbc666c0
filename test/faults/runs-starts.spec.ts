import { describe, expect, jest, test } from '@jest/globals';
import { until } from '../support/until.js';
import { createRandom } from './support/random.mjs';
import { RunLab, numbers, servedEngines } from './support/runs/lab.js';
import type { RunNode } from './support/runs/run-node.js';

jest.setTimeout(120_000);

/** `SEED` repeats what is drawn at random. */
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const ENDLESS = { count: 100_000, everyMs: 60_000 };
const keysOf = (name: string): string[] => numbers(40).map((n) => `${name}/${n}`);

describe.each(servedEngines)('starts on two nodes at once, far from their engine, on $name', (engine) => {
  test('make one producer, one refusal, or one that goes on', async () => {
    await using lab = await RunLab.start(engine, 2, 10_000);
    lab.nodes[0]!.proxy!.slow(7);
    lab.nodes[1]!.proxy!.slow(12);
    const [one, two] = lab.nodes as [RunNode, RunNode];
    const both = async (keys: string[], onConflict: 'join' | 'reject' | 'replace') => {
      const [first, second] = await Promise.all(
        [one, two].map(({ child }) => child.call('startRuns', keys, ENDLESS, { onConflict })),
      );
      return keys.map((_, n) => [first![n]!, second![n]!] as const);
    };

    for (const [first, second] of await both(keysOf('join'), 'join')) {
      expect(first.id).toBe(second.id);
      expect([first.isCalled, second.isCalled].sort()).toEqual([false, true]);
    }
    for (const each of await both(keysOf('reject'), 'reject')) {
      expect(each.map(({ isCalled }) => isCalled).sort()).toEqual([false, true]);
      expect(each.map(({ isRefused }) => isRefused).sort()).toEqual([false, true]);
    }
    const keys = keysOf('replace').slice(0, 12);
    await one.child.call('startRuns', keys, ENDLESS);
    const replaced = await both(keys, 'replace');
    for (const [n, key] of keys.entries()) {
      const states = await Promise.all(lab.nodes.map(({ child }) => child.call('stateOf', key)));
      expect(states[0]).toEqual(states[1]);
      expect(states[0]?.state).toBe('running');
      expect(replaced[n]!.map(({ id }) => id)).toContain(states[0]?.id);
    }
    expect(lab.written).toEqual([]);
  });
});

describe.each(servedEngines)('100 who come and go at random on three nodes, on $name', (engine) => {
  test('are all given the same events of the one run, once', async () => {
    const random = createRandom(seed);
    await using lab = await RunLab.start(engine, 3, 10_000);
    const [started] = await lab.nodes[0]!.child.call('startRuns', ['a'], { count: 400, everyMs: 8 });
    const watch = async (): Promise<string[]> => {
      const got: string[] = [];
      for (let lastEventId: string | undefined; ;) {
        const stream = await random.pick(lab.nodes).watch('a', lastEventId);
        const most = random.int(1, 200);
        await until(() => stream.isOver || stream.data.length >= most, 'events or the end', 60_000);
        if (!stream.isOver) stream.socket.destroy();
        const messages = stream.messages.filter(({ event }) => event === undefined);
        got.push(...messages.map((message) => `${message.id} ${message.data}`));
        lastEventId = messages.findLast((message) => message.id !== undefined)?.id ?? lastEventId;
        if (stream.status === 204 || stream.messages.at(-1)?.event === 'stream.end') return got;
      }
    };
    const startedAt = performance.now();
    const all = await Promise.all(
      numbers(100).map(async () => {
        const at = startedAt + random.int(0, 3_000);
        await until(() => performance.now() > at, 'the moment to come');
        return watch();
      }),
    );

    process.stdout.write(`${engine.name}: seed ${seed}\n`);
    expect(new Set(all.map((got) => got.join('\n'))).size).toBe(1);
    expect(all[0]!.map((text) => Number(text.split(' ')[1]))).toEqual(numbers(400));
    expect(await lab.nodes[1]!.child.call('stateOf', 'a')).toEqual({ id: started!.id, state: 'completed' });
    const produced = await Promise.all(lab.nodes.map(({ child }) => child.call('produced')));
    expect(produced.flat()).toHaveLength(1);
  });
});
