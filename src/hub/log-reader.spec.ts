import { describe, expect, it } from '@jest/globals';
import type { Engine } from '../engine/engine.js';
import { memoryEngine } from '../engine/memory.js';
import type { Position } from '../topic/position.js';
import { LogReader } from './log-reader.js';
import { NOBODY } from './signals.js';
import { View } from './view.js';
import { WindowBudget } from './window-budget.js';

const RETENTION = { maxEvents: 1_000, maxBytes: 16_777_216, maxAgeMs: 600_000 };

let views = 0;
const viewOf = (...selectors: string[]): View => {
  const view = new View(++views, selectors.join('\n'), selectors, new WindowBudget(1_000, () => undefined));
  view.open({ epoch: 'aaaaaa', seq: 0, at: 0 });
  return view;
};

/** A log with an event in each of these topics, and what the engine was asked. */
async function start(topics: readonly string[], idOf?: (topic: string) => string | undefined) {
  const engine = memoryEngine();
  let head!: Position;
  for (const topic of topics) {
    head = await engine.append({ topic, data: new Uint8Array(5), id: idOf?.(topic), retention: RETENTION });
  }
  const asked: { read: number; locate: number[] } = { read: 0, locate: [] };
  const counting: Engine = Object.assign(Object.create(engine) as Engine, {
    heads: engine.heads.bind(engine),
    list: engine.list.bind(engine),
    read: (request: Parameters<Engine['read']>[0]) => (asked.read++, engine.read(request)),
    locate: (names: readonly string[], id: string) => (asked.locate.push(names.length), engine.locate(names, id)),
  });
  return { reader: new LogReader(counting, NOBODY), engine, head, asked };
}

const requestOf = (verify: Position) => ({ after: verify.seq, verify, maxBytes: 65_536 });

describe('reading the log for cursors', () => {
  it('reads one page for all whose places are of another log, or beyond its end, however different they are', async () => {
    const { reader, head, asked } = await start(['a', 'b', 'a']);
    const view = viewOf('a');
    const epochs = ['foreig', 'made-u', 'older1', 'older2'];
    const claimed = [
      ...epochs.map((epoch, n) => ({ epoch, seq: 100 + n, at: n })),
      { ...head, seq: 1_000 },
      { ...head, seq: 2_000 },
    ];

    const pages = await Promise.all(claimed.map((place) => reader.read(view, requestOf(place), head)));

    expect(asked.read).toBe(1);
    expect(pages.map(({ holes }) => holes)).toEqual([
      ...epochs.map(() => [{ reason: 'epoch', topics: ['a'] }]),
      [{ reason: 'ahead', topics: ['a'] }],
      [{ reason: 'ahead', topics: ['a'] }],
    ]);
    expect(pages.map(({ entries }) => entries.map(({ seq }) => seq))).toEqual(claimed.map(() => [1, 3]));
    expect(new Set(pages.map(({ batches }) => batches)).size).toBe(1);
  });

  it('believes a place that this process does not know yet, when the log does', async () => {
    const { reader, engine, head } = await start(['a']);
    const newer = await engine.append({ topic: 'a', data: new Uint8Array(1), retention: RETENTION });

    const page = await reader.read(viewOf('a'), requestOf(newer), head);
    const other = await reader.read(viewOf('a'), requestOf(newer), { epoch: 'before', seq: 9, at: 9 });

    // Its time is that of the reading.
    const { epoch, seq } = newer;
    expect(page).toMatchObject({ entries: [], holes: [], upTo: { epoch, seq } });
    expect(other).toMatchObject({ entries: [], holes: [], upTo: { epoch, seq } });
  });

  it('looks for an own id in few topics at once, in no more than 2,000, and once for all who ask for it', async () => {
    const names = Array.from({ length: 2_000 }, (_, n) => `t/${n}`);
    const { reader, asked } = await start(names, (topic) => (topic.endsWith('/7') ? 'own' : undefined));

    const all = await Promise.all([1, 2, 3].map(() => reader.locate(viewOf(...names), 'own')));
    expect(all.map((place) => (place === 'ambiguous' ? place : place?.seq))).toEqual([8, 8, 8]);
    asked.locate.length = 0;
    const view = viewOf('t/*');
    await Promise.all([1, 2, 3].map(() => reader.locate(view, 'own')));
    expect(asked.locate).toEqual([500, 500, 500, 500]);

    expect(await reader.locate(viewOf(...names, 't/one-more'), 'own')).toBeUndefined();
    expect(asked.locate).toHaveLength(4);
  });

  it('finds an id ambiguous that was used in two topics which are not asked for at once', async () => {
    const names = Array.from({ length: 1_000 }, (_, n) => `t/${n}`);
    const { reader } = await start(names, (topic) => (['t/1', 't/999'].includes(topic) ? 'own' : undefined));

    expect(await reader.locate(viewOf('t/*'), 'own')).toBe('ambiguous');
  });
});
