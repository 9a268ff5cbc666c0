import { describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { before } from '../../src/nats/deadline.js';
import { within as withinPostgres } from '../../src/postgres/timing.js';
import { within as withinRedis } from '../../src/redis/calls.js';

const MS = 50;
const late = (): Error => new Error('late');

describe.each<[string, <T>(answer: Promise<T>) => Promise<T | undefined>]>([
  ['Redis', (answer) => withinRedis(MS, 'it', answer)],
  ['PostgreSQL', (answer) => withinPostgres(answer, MS, late)],
  ['NATS', (answer) => before(performance.now() + MS, answer)],
])('a deadline of %s', (_, within) => {
  test('takes an answer that has come while this process stood still', async () => {
    await using server = await Answering.start();
    // A turn of its own, behind which timers come.
    await new Promise(setImmediate);
    // It answers meanwhile, and when this is over, the timer is what comes first.
    const answered = within(server.ask());
    for (const until = performance.now() + 20 * MS; performance.now() < until;);

    expect(await answered).toEqual(['answer']);
  });

  test('passes when there is no answer', async () => {
    await expect(within(new Promise(() => undefined))).rejects.toThrow();
  });
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
