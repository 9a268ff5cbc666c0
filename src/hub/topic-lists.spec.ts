import { describe, expect, it, jest } from '@jest/globals';
import { memoryEngine } from '../engine/memory.js';
import { TopicLists, prefixesOf } from './topic-lists.js';
import { View } from './view.js';
import { WindowBudget } from './window-budget.js';
import { WorkQueue } from './work-queue.js';

const RETENTION = { maxEvents: 10, maxBytes: 10_000, maxAgeMs: 600_000 };

const viewOf = (...selectors: string[]): View =>
  new View(0, selectors.join('\n'), selectors, new WindowBudget(1_000, () => undefined));

async function start(...names: string[]) {
  const engine = memoryEngine();
  const publish = (topic: string) => engine.append({ topic, data: new Uint8Array(1), retention: RETENTION });
  for (const name of names) await publish(name);
  const list = jest.spyOn(engine, 'list');
  return { engine, publish, list, lists: new TopicLists(engine, new WorkQueue()) };
}

describe('the prefixes of patterns', () => {
  it.each([
    [
      ['a/*', 'a/**', 'b/c/*'],
      ['a', 'b/c/'],
    ],
    [
      ['a/*', 'a/*/b', 'ab/*'],
      ['a/', 'ab/'],
    ],
    [['**', 'a/*'], ['']],
    [['*/a', '*/b', 'a/*'], ['']],
    [[], []],
    [['a/1/*', 'a/2/*', 'a/3/*', 'a/4/*', 'a/5/*', 'a/6/*', 'a/7/*', 'a/8/*', 'a/9/*'], ['a/']],
    [['a/1/*', 'a/2/*', 'a/3/*', 'a/4/*', 'a/5/*', 'a/6/*', 'a/7/*', 'a/8/*', 'b/*'], ['']],
  ])('of %j are %j: each once, and none that another one includes', (patterns, prefixes) => {
    expect(prefixesOf(patterns)).toEqual(prefixes);
  });
});

describe('the list of the topics of a selection', () => {
  it('has the names, and what the patterns match, each once', async () => {
    const { lists } = await start('a/1', 'a/2', 'a/b/c', 'x', '/own', 'y/1');
    const { topics, upTo, forgottenUpTo } = await lists.get(viewOf('a/1', 'z', 'a/*', '**/c', 'y/*'), undefined);

    expect([...topics].sort()).toEqual(['a/1', 'a/2', 'a/b/c', 'y/1', 'z']);
    expect(upTo.seq).toBe(6);
    expect(forgottenUpTo).toBe(0);
  });

  it('is asked for once for all pages up to its place, and anew behind it', async () => {
    const { lists, list, publish } = await start('a/1', 'a/2');
    const view = viewOf('a/*');
    const first = await lists.get(view, undefined);
    await publish('a/3');

    expect(await lists.get(view, 0)).toBe(first);
    expect(await lists.get(view, 1)).toBe(first);
    expect(list).toHaveBeenCalledTimes(1);
    expect((await lists.get(view, 2)).topics).toEqual(['a/1', 'a/2', 'a/3']);
    expect(list).toHaveBeenCalledTimes(2);
  });

  it('is asked for once for all who want it at the same time, whatever else they read', async () => {
    const { lists, list } = await start('a/1', 'b/1');
    const views = [viewOf('a/*'), viewOf('a/*', 'x'), viewOf('a/*/c')];
    await Promise.all([...views, views[0]!].map((view) => lists.get(view, undefined)));

    expect(list).toHaveBeenCalledTimes(1);
  });

  it('is let go of after a second, when the log may be another one, and when it could not be made', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    const { lists, list } = await start('a/1');
    const view = viewOf('a/*');
    await lists.get(view, undefined);
    jest.advanceTimersByTime(1_001);
    await lists.get(view, undefined);
    lists.delete(view);
    await lists.get(view, undefined);
    lists.delete();
    list.mockRejectedValueOnce(new Error('away'));
    await expect(lists.get(view, undefined)).rejects.toThrow('away');
    await lists.get(view, undefined);
    jest.useRealTimers();

    expect(list).toHaveBeenCalledTimes(5);
  });

  it('matches many names in parts, with turns between them', async () => {
    let now = 0;
    const { engine } = await start(...Array.from({ length: 3_000 }, (_, n) => `a/${n}`));
    // A clock on which each look costs a ms.
    const lists = new TopicLists(engine, new WorkQueue(() => now++));
    let turns = 0;
    let immediate = setImmediate(function count() {
      turns++;
      immediate = setImmediate(count);
    });
    const { topics } = await lists.get(viewOf('a/*'), undefined);
    clearImmediate(immediate);

    expect(topics).toHaveLength(3_000);
    expect(turns).toBeGreaterThanOrEqual(2);
  });
});
