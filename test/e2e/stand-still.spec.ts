import { describe, expect, jest, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { adapters } from '../support/app.js';
import { type ChildApp, startChild } from '../support/child.js';
import { openRaw } from '../support/raw.js';
import { until } from '../support/until.js';

jest.setTimeout(60_000);

const STALL_MS = 1_000;
const PAUSE_MS = 2_000;
const COUNT = 1_024;
/** All of it is more than a kernel takes in for a client: on Linux up to 32 MiB at his side, and 4 MiB at ours. */
const EVENT_BYTES = 65_536;
const PART_BYTES = 131_072;

/** The ways in which a process is kept from seeing what its clients do. */
const pauses: readonly [string, (app: ChildApp, goOn: () => void) => Promise<unknown>][] = [
  ['is stopped', (app, goOn) => app.stoppedDuring(() => (goOn(), delay(PAUSE_MS)))],
  ['is stopped with its machine and the network', stopAll],
  ['has a blocked event loop', (app, goOn) => (setTimeout(goOn, PAUSE_MS / 4), app.call('block', PAUSE_MS))],
];

describe('a process that', () => {
  test.each(pauses)('%s for longer than the stall timeout ends no client that reads', async (_, pause) => {
    await using app = await startWithBacklog();
    await using client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x');
    await client.receive('id: ');
    await app.call('publishNumbers', 'topic', COUNT, EVENT_BYTES);
    const readOn = client.readInParts(PART_BYTES);
    await until(() => client.socket.bytesRead > 8 * PART_BYTES, 'some of it');
    readOn();
    // Its kernel takes in what it can, and then the process waits: not for too long.
    const hold = setInterval(() => client.socket.pause(), 1);
    await delay(STALL_MS / 3);

    await pause(app, () => {
      clearInterval(hold);
      client.socket.resume();
    });
    await until(() => client.text.length > COUNT * EVENT_BYTES || client.isClosed, 'the rest', 30_000);
    await client.receive(`data: ${COUNT - 1} x`);

    const numbers = [...client.text.matchAll(/^data: (\d+) x/gm)].map(([, n]) => Number(n));
    expect(numbers).toEqual(Array.from({ length: COUNT }, (_each, n) => n));
    expect(client.text).not.toContain('stream.');
    expect(await app.call('countOpen')).toBe(1);
  });

  test('stands still still ends a client that does not read', async () => {
    await using app = await startWithBacklog();
    await using client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x');
    await client.receive('id: ');
    client.socket.pause();
    await app.call('publishNumbers', 'topic', COUNT, EVENT_BYTES);

    await app.call('block', PAUSE_MS);
    expect(await app.call('countOpen')).toBe(1);
    const deadline = performance.now() + 15_000;
    while ((await app.call('countOpen')) > 0) expect(performance.now()).toBeLessThan(deadline);
  });
});

function startWithBacklog(): Promise<ChildApp> {
  const history = { maxEvents: COUNT, maxBytes: 2 * COUNT * EVENT_BYTES };
  return startChild(adapters[0]!, { stallTimeoutMs: STALL_MS, history });
}

/** The client goes on a moment after the process does. */
async function stopAll(app: ChildApp, goOn: () => void): Promise<void> {
  await app.stoppedDuring(() => delay(PAUSE_MS));
  for (let n = 0; n < 5; n++) await app.call('countOpen');
  goOn();
}
