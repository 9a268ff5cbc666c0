import { expect, it } from '@jest/globals';
import { memoryEngine } from '../engine/memory.js';
import { Hub } from './hub.js';

it('keeps what nobody reads any more warm for a while, but no more than 10,000 names of it, the newest', async () => {
  const engine = memoryEngine();
  const left = new Set<string>();
  engine.unsubscribe = (topics) => topics.forEach((topic) => left.add(topic));
  const hub = new Hub(engine, { windowBytes: 1e6, graceMs: 60_000, auditMs: 60_000 });
  const namesOf = (n: number): string[] => Array.from({ length: 950 }, (_, each) => `made/up/${n}/${each}`);

  for (let n = 0; n < 40; n++) {
    const view = hub.acquire(namesOf(n));
    await view.opened;
    hub.release(view);
  }
  const kept = Array.from({ length: 40 }, (_, n) => n).filter((n) => !left.has(`made/up/${n}/0`));
  expect(kept).toEqual([30, 31, 32, 33, 34, 35, 36, 37, 38, 39]);
  expect(left.size).toBe(30 * 950);

  const again = hub.acquire(namesOf(30));
  for (let n = 40; n < 60; n++) hub.release(hub.acquire(namesOf(n)));
  expect(left.has('made/up/30/0')).toBe(false);
  expect(left.has('made/up/31/0')).toBe(true);
  hub.release(again);
  await hub.close();
});
