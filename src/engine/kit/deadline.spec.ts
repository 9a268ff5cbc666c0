import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from '@jest/globals';
import { DeadlineTimer, before, within } from './deadline.js';

const MS = 50;
const late = (): Error => new Error('late');

describe.each<[string, <T>(answer: Promise<T>) => Promise<T>]>([
  ['within a time', (answer) => within(answer, MS, late)],
  ['before a time', (answer) => before(performance.now() + MS, answer)],
])('an answer that is wanted %s', (_, inTime) => {
  test('is taken when it has come while this process stood still', async () => {
    await using server = await Answering.start();
    // A turn of its own, behind which timers come.
    await new Promise(setImmediate);
    // It answers meanwhile, and when this is over, the timer is what comes first.
    const answered = inTime(server.ask());
    for (const until = performance.now() + 20 * MS; performance.now() < until;);

    expect(await answered).toEqual(['answer']);
  });

  test('is waited for no longer', async () => {
    await expect(inTime(new Promise(() => undefined))).rejects.toThrow();
  });
});

test('one timer ends many calls, each behind its deadline and none is forgotten', async () => {
  const begin = performance.now();
  const deadlines = [30, 30, 60, 90].map((ms) => begin + ms);
  const ended: number[] = [];
  let onEnd = (): void => undefined;
  const timer = new DeadlineTimer(
    () => deadlines[0],
    (now) => {
      while (deadlines[0] !== undefined && deadlines[0] <= now) ended.push(performance.now() - deadlines.shift()!);
      if (deadlines.length === 0) onEnd();
    },
  );
  const over = new Promise<void>((resolve) => (onEnd = resolve));
  for (let n = 0; n < 4; n++) timer.arm();
  await over;

  expect(ended.length).toBe(4);
  expect(ended.every((late) => late >= 0)).toBe(true);
});

/** Another thread, which answers at once. */
class Answering {
  readonly #worker = new Worker(
    "const { parentPort } = require('node:worker_threads'); parentPort.on('message', () => parentPort.postMessage('answer')); parentPort.postMessage('up');",
    { eval: true },
  );

  static async start(): Promise<Answering> {
    const server = new Answering();
    await once(server.#worker, 'message');
    return server;
  }

  ask(): Promise<unknown[]> {
    this.#worker.postMessage('question');
    return once(this.#worker, 'message');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
