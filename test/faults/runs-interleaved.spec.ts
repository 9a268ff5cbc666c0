import { describe, expect, jest, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunRecord } from '../../src/runs/run-record.js';
import { Run } from '../../src/runs/run.js';
import { until } from '../support/until.js';
import { createRandom } from './support/random.mjs';
import type { Random } from './support/random.mjs';
import { World } from './support/run-world.js';
import type { Seen, WorldNode } from './support/run-world.js';

jest.setTimeout(120_000);

/** `SEED` repeats a run. */
const SEEDS =
  process.env.SEED === undefined
    ? Array.from({ length: Number(process.env.RUNS ?? 16) }, () => Math.floor(Math.random() * 2 ** 31))
    : [Number(process.env.SEED)];
const STATES: Record<string, string> = { complete: 'completed', 'run-interrupted': 'interrupted' };
const TROUBLE = { failed: 0.03, uncertain: 0.05 };
const NO_TROUBLE = { failed: 0, uncertain: 0 };

type Fault = (world: World, random: Random) => Promise<void>;

async function persist<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch {
      await delay(5);
    }
  }
}

/** The same run as another node knows it, if it does before another takes its place there. */
async function known(node: WorldNode, { key, id }: RunRecord): Promise<RunRecord | undefined> {
  const found = await persist(() => node.runs.find(key));
  return found?.id === id ? found : undefined;
}

/** Runs on three nodes, each watched on all of them, while something goes wrong; resolves when all have seen all ends. */
async function play(world: World, random: Random, fault: Fault): Promise<Seen[]> {
  const seen: Seen[] = [];
  const startOne = async (key: string): Promise<void> => {
    const node = random.pick(world.nodes);
    const { run, isNew } = await persist(() => world.start(node, key, random.int(5, 150)));
    if (!isNew) return;
    seen.push(node.watch(run));
    for (const other of world.nodes) {
      const record = other === node ? undefined : await known(other, run);
      if (record !== undefined) seen.push(other.watch(record));
    }
  };
  const startAll = async (): Promise<void> => {
    for (let round = 0; round < 3; round++) {
      await Promise.all(['a', 'b', 'c'].map((key) => startOne(key)));
      await delay(random.int(0, world.leaseMs * 2));
    }
  };
  await Promise.all([fault(world, random), startAll()]);
  for (const { engine } of world.nodes) engine.trouble = NO_TROUBLE;
  // What does not come to its end is told below.
  await until(() => seen.every(({ end, run }) => end && run.end), 'all ends', 30_000).catch(() => undefined);
  return seen;
}

/** What must not be, of what somebody has seen of a run. */
async function problemsOf(world: World, { run, node, data, end }: Seen): Promise<string[]> {
  const problems: string[] = [];
  const produced = world.produced.get(run.id)!;
  const state = world.endOf(run);
  if (world.endedBefore.has(run.id))
    return end === undefined || run.end === undefined ? [`run ${run.id} has no end`] : [];
  if (end === undefined) problems.push(`no end seen, ${data.length} events`);
  else if (STATES[end] !== state) problems.push(`has seen ${end}`);
  if (run.end?.state !== state) problems.push(`says ${run.end?.state}`);
  if (produced.calls > 1) problems.push(`called ${produced.calls} times`);
  if (state === 'interrupted' && produced.calls === 1 && !produced.isDone && produced.signal?.aborted !== true)
    problems.push('its signal is not aborted');
  const { events } = await new Run(node.runs, run).result({ events: true, signal: AbortSignal.timeout(5_000) });
  const read = events?.map((event) => event.data).join();
  if (read !== world.dataOf(run).beforeEnd.join()) problems.push(`the result has ${read}`);
  const by = `run ${run.id} of ${run.key}, which is ${state} in the log, on node ${world.nodes.indexOf(node)}`;
  return problems.map((problem) => `${by}: ${problem}`);
}

/** What must not be, of a log that has lost nothing. */
function lossesOf(world: World, { run, data, resets }: Seen): string[] {
  const { beforeEnd, all } = world.dataOf(run);
  const { stored } = world.produced.get(run.id)!;
  const problems: string[] = [];
  if (resets.length > 0) problems.push(`resets ${JSON.stringify(resets)}`);
  if (beforeEnd.some((n, at) => n !== at)) problems.push(`the log has ${beforeEnd.join()}`);
  // What stands behind the end nobody reads.
  if (data.join() !== beforeEnd.join()) problems.push(`got ${data.join()} of ${beforeEnd.length}`);
  if (all < stored) problems.push(`${all} of ${stored} are stored`);
  return problems.map((problem) => `run ${run.id} of ${run.key}: ${problem}`);
}

async function problemsWith(seed: number, fault: Fault, isWhole: boolean): Promise<string[]> {
  const random = createRandom(seed);
  await using world = new World(random, 3, random.int(150, 400));
  for (const { engine } of world.nodes) engine.trouble = TROUBLE;
  const seen = await play(world, random, fault);
  const problems = (await Promise.all(seen.map((each) => problemsOf(world, each)))).flat();
  if (isWhole) problems.push(...seen.flatMap((each) => lossesOf(world, each)));
  const reported = world.nodes.flatMap(({ errors }) => errors.map(String));
  return [...problems, ...reported.filter((text) => !text.includes(' engine is '))];
}

describe('runs on three nodes whose engine fails at random', () => {
  test('end once, alike for all, and lose nothing that was stored, while nodes stand still', async () => {
    const freeze: Fault = async ({ nodes, leaseMs }, random) => {
      for (let times = 0; times < 3; times++) {
        await delay(random.int(0, 120));
        const { engine } = random.pick(nodes);
        engine.freeze();
        await delay(random.int(0, leaseMs * 3 + 500));
        engine.thaw();
      }
    };

    const all = await Promise.all(
      SEEDS.map(async (seed) => ({ seed, problems: await problemsWith(seed, freeze, true) })),
    );

    expect(all.filter(({ problems }) => problems.length > 0)).toEqual([]);
  });

  test('come to an end that all agree on when the log is lost under them', async () => {
    const wipe: Fault = async (world, random) => {
      const { nodes, leaseMs } = world;
      await delay(random.int(0, 200));
      const { engine } = random.pick(nodes);
      if (random.chance(0.5)) engine.freeze();
      world.wipe();
      await delay(random.int(0, leaseMs * 2 + 500));
      engine.thaw();
    };

    const all = await Promise.all(
      SEEDS.map(async (seed) => ({ seed, problems: await problemsWith(seed, wipe, false) })),
    );

    expect(all.filter(({ problems }) => problems.length > 0)).toEqual([]);
  });
});
