import { expect, jest, test } from '@jest/globals';
import { until } from '../support/until.js';
import { RunLab, numbers, servedEngines } from './support/runs/lab.js';
import { RunNode, endOf } from './support/runs/run-node.js';

jest.setTimeout(120_000);

const EVENTS = 320;
const BYTES = 65_536;
const MEGABYTE = 1_048_576;
const redis = servedEngines.find(({ name }) => name === 'redis');

/** Has 100 watch a run of 20 MB who do not read, and all of them read on when it is over. */
async function watchSlowly(node: RunNode, logBytes: number): Promise<void> {
  const [warm] = await node.child.call('startRuns', ['warm'], { count: 50, everyMs: 0, bytes: BYTES });
  await node.child.call('result', 'warm', warm!.id);
  const plan = { count: EVENTS, everyMs: 4, bytes: BYTES };
  const [run] = await node.child.call('startRuns', ['a'], plan);
  const streams = await Promise.all(numbers(100).map(() => node.watch('a')));
  await until(() => streams.every(({ status }) => status === 200), 'all to watch', 30_000);
  for (const { socket } of streams) socket.pause();
  const before = await node.child.call('memory');

  let most = 0;
  while (node.told.get(run!.id)?.isDone !== true) most = Math.max(most, await node.child.call('memory'));
  const growth = most - before - logBytes;
  process.stdout.write(`100 who do not read: ${Math.round(growth / MEGABYTE)} MB above the log\n`);

  expect(growth).toBeLessThan(60 * MEGABYTE);
  for (const { socket } of streams) socket.resume();
  await until(() => streams.every(({ isOver }) => isOver), 'all to read on to the end', 60_000);
  expect(new Set(streams.map((stream) => endOf(stream)))).toEqual(new Set(['complete']));
  for (const { data } of streams) expect(data.map((text) => Number(text.split('|')[0]))).toEqual(numbers(EVENTS));
}

test('100 who do not read hold up no run of 20 MB, and cost its node little, with the log in its memory', async () => {
  await using node = await RunNode.start(undefined, 0, 0, 10_000);
  await watchSlowly(node, EVENTS * BYTES);
});

(redis === undefined ? test.skip : test)(
  '100 who do not read cost a node little when the log is in Redis',
  async () => {
    await using lab = await RunLab.start(redis!, 1, 10_000);
    await watchSlowly(lab.nodes[0]!, 0);
  },
);
