import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { expect, jest, test } from '@jest/globals';
import { until } from '../support/until.js';
import { RunLab, numbers, servedEngines } from './support/runs/lab.js';
import { RunNode } from './support/runs/run-node.js';

jest.setTimeout(120_000);

const EVENTS = 320;
const BYTES = 65_536;
const MEGABYTE = 1_048_576;
const redis = servedEngines.find(({ name }) => name === 'redis');

/** Has some watch a run of 20 MB who do not read, and all of them read on when it is over. */
async function watchSlowly(node: RunNode, logBytes: number, count = 100): Promise<void> {
  const [warm] = await node.child.call('startRuns', ['warm'], { count: 50, everyMs: 0, bytes: BYTES });
  await node.child.call('result', 'warm', warm!.id);
  const plan = { count: EVENTS, everyMs: 4, bytes: BYTES };
  const [run] = await node.child.call('startRuns', ['a'], plan);
  await using readers = new Readers(node.port, count);
  const streams = readers.all;
  await until(() => streams.every(({ head }) => head.startsWith('HTTP/1.1 200 ')), 'all to watch', 30_000);
  for (const { socket } of streams) socket.pause();
  const before = await node.child.call('memory');

  const most = { held: 0, rss: 0 };
  for (let isDone = false; !isDone;) {
    isDone = node.told.get(run!.id)?.isDone === true;
    const { held, rss } = await node.child.call('memory');
    Object.assign(most, { held: Math.max(most.held, held), rss: Math.max(most.rss, rss) });
  }
  const megabytes = (name: 'held' | 'rss'): number => Math.round((most[name] - before[name] - logBytes) / MEGABYTE);
  process.stdout.write(
    `${count} who do not read: ${megabytes('held')} MB held above the log, RSS ${megabytes('rss')} MB\n`,
  );

  expect(megabytes('held')).toBeLessThan(60);
  expect(megabytes('rss')).toBeLessThan(60);
  for (const { socket } of streams) socket.resume();
  await until(() => streams.every(({ isOver }) => isOver), 'all to read on to the end', 60_000);
  for (const { got, tail } of streams) {
    expect(got).toEqual(numbers(EVENTS));
    expect(tail).toContain('"reason":"complete"');
  }
}

/** Reads numbers, and keeps no text: there are 2 GB of it. */
class Reader {
  readonly socket: Socket;
  readonly got: number[] = [];
  head = '';
  tail = '';
  isOver = false;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1').setEncoding('latin1');
    this.socket.write('GET /watch?key=a HTTP/1.0\r\nHost: localhost\r\n\r\n');
    this.socket.on('close', () => (this.isOver = true));
    this.socket.on('error', () => undefined);
    this.socket.on('data', (text: string) => {
      if (this.head === '') this.head = text.slice(0, 20);
      const whole = this.tail + text;
      let from = 0;
      for (const match of whole.matchAll(/data: (\d+)\|/g)) {
        this.got.push(Number(match[1]));
        from = match.index + match[0].length;
      }
      // What may be the beginning of another.
      this.tail = whole.slice(Math.max(from, whole.length - 200));
    });
  }
}

class Readers implements AsyncDisposable {
  readonly all: readonly Reader[];

  constructor(port: number, count: number) {
    this.all = numbers(count).map(() => new Reader(port));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.all) socket.destroy();
    await until(() => this.all.every(({ isOver }) => isOver), 'all to be closed');
  }
}

test('100 who do not read hold up no run of 20 MB, and cost its node little, with the log in its memory', async () => {
  await using node = await RunNode.start(undefined, 0, 0, 10_000);
  await watchSlowly(node, EVENTS * BYTES);
});

(redis === undefined ? test.skip : test)('30 who do not read cost a node little when the log is in Redis', async () => {
  await using lab = await RunLab.start(redis!, 1, 10_000);
  await watchSlowly(lab.nodes[0]!, 0, 30);
});
