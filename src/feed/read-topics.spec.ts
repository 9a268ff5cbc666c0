import { describe, expect, it } from '@jest/globals';
import type { Engine, LogEntry } from '../engine/engine.js';
import { memoryEngine } from '../engine/memory.js';
import { readTopics } from './read-topics.js';

const RETENTION = { maxEvents: 1_000, maxBytes: 16_777_216, maxAgeMs: 600_000 };
const NAMES = Array.from({ length: 1_700 }, (_, n) => `t/${n}`);
const BOUNDS = { maxEntries: 100, maxBytes: 1_048_576 };

async function fill(engine: Engine, count: number): Promise<number[]> {
  const seqs: number[] = [];
  for (let n = 0; n < count; n++) {
    const topic = NAMES[(n * 619) % NAMES.length] as string;
    seqs.push((await engine.append({ topic, data: new Uint8Array(10), retention: RETENTION })).seq);
  }
  return seqs;
}

describe('reading more topics than an engine is asked for at once', () => {
  it('gives pages as if all had been read at once, from any place', async () => {
    const engine = memoryEngine();
    const seqs = await fill(engine, 2_500);

    for (const after of [undefined, 0, 1, 1_200, 2_499, 2_500]) {
      const read: LogEntry[] = [];
      let from = after;
      for (let isLast = false; !isLast;) {
        const page = await readTopics(engine, { topics: NAMES, after: from, ...BOUNDS });
        expect(page.entries.length).toBeLessThanOrEqual(BOUNDS.maxEntries);
        expect(page.holes).toEqual([]);
        read.push(...page.entries);
        from = page.upTo.seq;
        isLast = from === 2_500;
      }
      expect(read.map(({ seq }) => seq)).toEqual(seqs.filter((seq) => seq > (after ?? 0)));
    }
  });

  it('asks for those only that have something new', async () => {
    const engine = memoryEngine();
    await fill(engine, 2_000);
    const asked: number[] = [];
    const read = engine.read.bind(engine);
    engine.read = (request) => {
      asked.push(request.topics.length);
      return read(request);
    };

    const page = await readTopics(engine, { topics: NAMES, after: 1_990, ...BOUNDS });

    expect(page.entries.map(({ seq }) => seq)).toEqual([
      1_991, 1_992, 1_993, 1_994, 1_995, 1_996, 1_997, 1_998, 1_999, 2_000,
    ]);
    expect(asked).toEqual([10]);
  });

  it('ends where those that had nothing new are known to have nothing, though they get something meanwhile', async () => {
    const engine = memoryEngine();
    await fill(engine, 2_000);
    const read = engine.read.bind(engine);
    engine.read = async (request) => {
      await engine.append({ topic: NAMES[5] as string, data: new Uint8Array(1), retention: RETENTION });
      return read(request);
    };
    const { topics: heads } = await engine.heads([NAMES[5] as string]);
    expect(heads[0]?.seq).toBeLessThan(1_990);

    for (const after of [1_990, 2_000]) {
      const { upTo } = await readTopics(engine, { topics: NAMES, after, ...BOUNDS });
      const page = await read({ topics: NAMES, after: upTo.seq, ...BOUNDS });
      expect(page.entries.map(({ topic }) => topic)).toContain(NAMES[5]);
    }
  });

  it('tells what is wrong with a place of all topics, and what was trimmed of those that lost something', async () => {
    const engine = memoryEngine();
    await fill(engine, 1_700);
    const { upTo } = await engine.heads([]);
    const topicsOf = async (verify: typeof upTo): Promise<unknown> => {
      const { holes } = await readTopics(engine, { topics: NAMES, after: verify.seq, verify, ...BOUNDS });
      return holes.map(({ reason, topics }) => [reason, topics.length]);
    };

    expect(await topicsOf({ ...upTo, epoch: upTo.epoch === 'zzzzzz' ? 'aaaaaa' : 'zzzzzz' })).toEqual([
      ['epoch', 1_700],
    ]);
    expect(await topicsOf({ ...upTo, seq: upTo.seq + 1 })).toEqual([['ahead', 1_700]]);
    expect(await topicsOf({ ...upTo, at: 0 })).toEqual([['diverged', 1_700]]);
    const one = { topic: 't/7', data: new Uint8Array(1), retention: { ...RETENTION, maxEvents: 1 } };
    await engine.append(one);
    await engine.append(one);
    const { holes } = await readTopics(engine, { topics: NAMES, after: upTo.seq, verify: upTo, ...BOUNDS });
    expect(holes).toEqual([{ reason: 'trimmed', topics: ['t/7'] }]);
  });
});
