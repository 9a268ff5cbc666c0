import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { AppendRequest, Engine } from '../engine/engine.js';
import { EngineHealth } from './engine-health.js';

const trouble = new Error('OOM');

describe('the state of an engine', () => {
  let health: EngineHealth;
  let states: unknown[];
  let stores: boolean;
  let answers: boolean;
  let appended: AppendRequest[];

  beforeEach(() => {
    jest.useFakeTimers();
    [states, stores, answers, appended] = [[], true, true, []];
    const engine = {
      health: async () => {
        if (!answers) throw trouble;
      },
      append: async (request: AppendRequest) => {
        appended.push(request);
        if (!stores) throw trouble;
      },
    } as unknown as Engine;
    health = new EngineHealth(engine, (state, error) => states.push([state, error]));
    health.succeeded('read');
  });

  afterEach(() => {
    health.close();
    jest.useRealTimers();
  });

  it('stays degraded while writes fail, however well it answers, and is up once one is stored', async () => {
    stores = false;
    health.failed('publish', trouble);
    for (let n = 0; n < 60; n++) {
      health.succeeded('read');
      health.succeeded('deliver');
      if (n % 10 === 0) health.failed('publish', trouble);
      await jest.advanceTimersByTimeAsync(1_000);
    }
    expect(states).toEqual([['degraded', trouble]]);
    health.succeeded('publish');

    expect(states).toEqual([
      ['degraded', trouble],
      ['up', undefined],
    ]);
  });

  it('stays degraded while writes fail, also when reads do for a time', async () => {
    stores = false;
    health.failed('publish', trouble);
    health.failed('read', trouble);
    await jest.advanceTimersByTimeAsync(10_000);

    expect(states.map((each) => (each as unknown[])[0])).toEqual(['degraded', 'down', 'degraded']);
  });

  it('is up again when nobody publishes any more, once the engine has stored what it is given to try', async () => {
    stores = false;
    health.failed('publish', trouble);
    await jest.advanceTimersByTimeAsync(60_000);
    const [tries] = [appended.length];
    stores = true;
    await jest.advanceTimersByTimeAsync(10_000);

    expect(states).toEqual([
      ['degraded', trouble],
      ['up', undefined],
    ]);
    expect(tries).toBeGreaterThanOrEqual(5);
    expect(tries).toBeLessThanOrEqual(10);
    expect(appended.at(-1)).toMatchObject({ topic: '/probe', retention: { maxEvents: 1 } });
  });

  it('tries nothing when a publisher has shown that it stores, and nothing after it was closed', async () => {
    health.failed('publish', trouble);
    health.succeeded('publish');
    await jest.advanceTimersByTimeAsync(60_000);
    health.failed('publish', trouble);
    health.close();
    await jest.advanceTimersByTimeAsync(60_000);

    expect(appended).toEqual([]);
  });

  it('is up again after reads have failed when it answers', async () => {
    answers = false;
    health.failed('read', trouble);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(states).toEqual([['down', trouble]]);
    answers = true;
    await jest.advanceTimersByTimeAsync(1_000);

    expect(states.at(-1)).toEqual(['up', undefined]);
  });
});
