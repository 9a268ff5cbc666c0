import { expect, test } from '@jest/globals';
import { Cursor } from '../../src/hub/cursor.js';
import { Hub } from '../../src/hub/hub.js';
import { OwnTopic } from '../../src/hub/own-topic.js';
import { runTopic } from '../../src/topic/own-name.js';
import { packEvent } from '../../src/wire/payload.js';
import { until } from '../support/until.js';
import { createRandom } from './support/random.mjs';
import { SharedLog, ShakyEngine } from './support/shaky-engine.js';

const OPTIONS = { windowBytes: 67_108_864, graceMs: 10_000, auditMs: 45_000 };

test('what the nodes tell each other in a burst is read from the log in few pages', async () => {
  const log = new SharedLog();
  const engine = new ShakyEngine(log, createRandom(1));
  const hub = new Hub(engine, OPTIONS);
  const taken: unknown[] = [];
  const onMessage = (message: unknown): void => void taken.push(message);
  const retention = { maxEvents: 1_000, maxBytes: Infinity, maxAgeMs: 60_000 };
  const topic = new OwnTopic<number>(hub, engine, { name: '/told', retention, onMessage });
  await topic.load();
  const before = engine.calls.read;

  const told = Array.from({ length: 300 }, (_, n) => n);
  for (const n of told) log.append('/told', packEvent({ data: n }));
  await until(() => taken.length === told.length, 'all to be taken in');

  expect(taken).toEqual(told);
  // A page of this engine has at most five entries.
  expect(engine.calls.read - before).toBeLessThan(150);
  topic.close();
  await hub.close();
});

test('the events of a run are delivered as those of any topic, without a read for each', async () => {
  const log = new SharedLog();
  const engine = new ShakyEngine(log, createRandom(1));
  const hub = new Hub(engine, OPTIONS);
  const topic = runTopic('chats/1', 'id');
  const seqs: number[] = [];
  const cursor = new Cursor(hub, [topic], {
    isWritable: true,
    maxWriteBytes: 65_536,
    onSlow: 'resume',
    write: ({ entries }) => seqs.push(...entries.map(({ seq }) => seq)) > 0,
    reset: () => undefined,
  });
  await cursor.open();
  const before = engine.calls.read;

  for (let n = 0; n < 100; n++) log.append(topic, packEvent({ data: n }));
  await until(() => seqs.length === 100, 'all to be delivered');

  expect(engine.calls.read - before).toBe(0);
  cursor.close();
  await hub.close();
});
