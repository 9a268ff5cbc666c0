import { describe, expect, test } from '@jest/globals';
import type { Engine } from '../engine.js';
import { memoryEngine } from '../memory.js';
import { reopenable } from './reopenable.js';

const retention = { maxEvents: 10, maxBytes: 1_000, maxAgeMs: 60_000 };
const append = (engine: Engine): Promise<unknown> => engine.append({ topic: 'a', data: new Uint8Array(1), retention });
const namesIn = async (engine: Engine): Promise<readonly string[]> => (await engine.list('')).names;

describe('a reopenable engine', () => {
  test('is the one of the first application: what was stored before is there', async () => {
    const engine = memoryEngine();
    await append(engine);

    expect(await namesIn((await engine.open?.()) as Engine)).toEqual(['a']);
  });

  test('gives each application one of its own, and is the last of them for whoever calls it', async () => {
    const engine = memoryEngine();
    const first = (await engine.open?.()) as Engine;
    await append(first);
    const second = (await engine.open?.()) as Engine;

    expect(await namesIn(second)).toEqual([]);
    await first.close();
    await append(engine);
    expect(await namesIn(second)).toEqual(['a']);
    await expect(append(first)).rejects.toMatchObject({ code: 'closed' });
  });

  test('that has been closed is closed until it is opened', async () => {
    const engine = memoryEngine();
    await engine.close();

    await expect(append(engine)).rejects.toMatchObject({ code: 'closed' });
    await append((await engine.open?.()) as Engine);
    await append(engine);
  });

  test('opens nothing when what it needs is missing', async () => {
    const missing = new Error('npm install it');
    const engine = reopenable(memoryEngine, () => Promise.reject(missing));

    await expect(engine.open?.()).rejects.toBe(missing);
  });

  test('has transactions when its instances have them', async () => {
    const added: unknown[] = [];
    const create = (): Engine =>
      Object.assign(memoryEngine(), {
        appendInTransaction: async (transaction: unknown) => void added.push(transaction),
      });

    await reopenable(create).appendInTransaction?.('BEGIN', { topic: 'a', data: new Uint8Array(1), retention });

    expect(added).toEqual(['BEGIN']);
    expect(memoryEngine().appendInTransaction).toBeUndefined();
  });
});
