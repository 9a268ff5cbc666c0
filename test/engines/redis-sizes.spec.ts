import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Engine, Retention } from '../../src/engine/engine.js';
import { EVERY_TOPIC } from '../../src/engine/engine.js';
import { KEEP, OpenEngine, Recorder, append, connectionsOf, drivers, read } from '../support/redis.js';
import { ServerProcess } from '../support/server-process.js';
import { redisServer } from '../support/servers/redis.js';
import { until } from '../support/until.js';

jest.setTimeout(60_000);

const LARGEST = 16_777_216;
const LARGEST_WHOLE = 2_097_152;
const NONE: Retention = { ...KEEP, maxEvents: 0 };

let server: ServerProcess;

beforeAll(async () => {
  server = await ServerProcess.start(redisServer());
});

afterAll(() => server[Symbol.asyncDispose]());

const refusal = (limit: number) => ({
  code: 'invalid-event',
  message: expect.stringContaining(`at most ${limit} bytes`),
});

describe.each(drivers)('the Redis engine through $name', ({ name, open }) => {
  const engineAt = () => OpenEngine.over(open(server.port), { prefix: name, timeoutMs: 20_000 });
  const publish = (engine: Engine, topic: string, bytes: number, retention = KEEP) =>
    append(engine, topic, 'x'.repeat(bytes), retention);

  test('the largest event is stored, announced and read on two nodes, and a larger one touches nothing', async () => {
    await using one = await engineAt();
    await using two = await engineAt();
    const recorders = [await Recorder.start(one.engine), await Recorder.start(two.engine)];
    for (const { engine } of [one, two]) await engine.subscribe(['large', EVERY_TOPIC]);
    const clients = (await connectionsOf(server.port)).map((line) => /id=(\d+)/.exec(line)?.[1]);
    const [stored, refused, next] = await Promise.allSettled([
      publish(one.engine, 'large', LARGEST),
      publish(one.engine, 'large', LARGEST + 1),
      publish(one.engine, 'large', 5),
    ]);

    expect([stored.status, next.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(refused).toMatchObject({ status: 'rejected', reason: refusal(LARGEST) });
    for (const { engine } of [one, two]) {
      const { entries } = await read(engine, ['large']);
      expect(entries.map(({ data }) => data.byteLength)).toEqual([LARGEST, 5]);
      expect(Buffer.from(entries[0]!.data).equals(Buffer.alloc(LARGEST, 'x'))).toBe(true);
    }
    for (const recorder of recorders) {
      await until(() => recorder.entries.length > 0, 'the event after it');
      expect(recorder.hints[0]).toEqual({ topic: 'large', seq: 1 });
    }
    expect((await connectionsOf(server.port)).map((line) => /id=(\d+)/.exec(line)?.[1])).toEqual(clients);
    expect(recorders.flatMap(({ states }) => states)).toEqual([]);
  });

  test('an event that is not kept is delivered whole up to a size that cuts nobody off, and refused beyond', async () => {
    await using publisher = await engineAt();
    await using subscriber = await engineAt();
    const recorder = await Recorder.start(subscriber.engine);
    await subscriber.engine.subscribe(['whole', EVERY_TOPIC]);
    await expect(publish(publisher.engine, 'whole', LARGEST_WHOLE + 1, NONE)).rejects.toMatchObject(
      refusal(LARGEST_WHOLE),
    );
    // Larger than all that its topic keeps.
    const little = { ...KEEP, maxBytes: 4_000_000 };
    await expect(publish(publisher.engine, 'whole', 4_194_304, little)).rejects.toMatchObject(refusal(LARGEST_WHOLE));
    const kept = await publish(publisher.engine, 'whole', 4_000_000 - 64, little);
    await Promise.all(Array.from({ length: 8 }, () => publish(publisher.engine, 'whole', LARGEST_WHOLE, NONE)));
    const { seq } = await publish(publisher.engine, 'whole', 5, NONE);

    await until(() => recorder.entries.some((entry) => entry.seq === seq), 'the last event');
    const whole = recorder.entries.filter(({ data }) => data.byteLength === LARGEST_WHOLE);
    expect(new Set(whole.map((entry) => entry.seq)).size).toBe(8);
    expect(recorder.hints[0]).toEqual({ topic: 'whole', seq: kept.seq });
    expect(recorder.states).toEqual([]);
  });
});
