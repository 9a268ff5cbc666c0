import { describe, expect, it } from '@jest/globals';
import type { Cursor } from './cursor.js';
import { FanOut } from './fan-out.js';
import { View } from './view.js';
import { WindowBudget } from './window-budget.js';

const turn = () => new Promise(setImmediate);

/** A view with cursors that only note when they are pumped. */
function viewOf(count: number, pump: (n: number) => void): View {
  const view = new View(0, 'a', ['a'], new WindowBudget(1e6, () => undefined));
  for (let n = 0; n < count; n++) view.add({ pump: () => pump(n), seq: 0 } as unknown as Cursor);
  return view;
}

describe('the fan-out', () => {
  it('wakes each cursor once for all that was published within one turn', async () => {
    const pumped: number[] = [];
    const fanOut = new FanOut();
    const view = viewOf(3, (n) => pumped.push(n));
    for (let n = 0; n < 10; n++) fanOut.wake(view);
    expect(pumped).toEqual([]);
    await turn();

    expect(pumped).toEqual([0, 1, 2]);
  });

  it('serves 1,000 cursors, then lets the event loop have a turn', async () => {
    let pumped = 0;
    const fanOut = new FanOut();
    fanOut.wake(viewOf(2_500, () => pumped++));
    const counts: number[] = [];
    for (let n = 0; n < 4; n++) {
      await turn();
      counts.push(pumped);
    }

    expect(counts).toEqual([1_000, 2_000, 2_500, 2_500]);
  });

  it('serves again what is woken while it is being served', async () => {
    const fanOut = new FanOut();
    let pumped = 0;
    const view: View = viewOf(1, () => ++pumped < 3 && fanOut.wake(view));
    fanOut.wake(view);
    // On a busy machine a round may wait for others, for up to 2 ms.
    for (const end = performance.now() + 5_000; pumped < 3 && performance.now() < end;) await turn();

    expect(pumped).toBe(3);
  });

  it('serves a cursor that joins during a round, and none that has left', async () => {
    const pumped: string[] = [];
    const fanOut = new FanOut();
    const late = { pump: () => pumped.push('late'), seq: 0 } as unknown as Cursor;
    const view: View = viewOf(2, (n) => {
      pumped.push(`${n}`);
      view.add(late);
      if (n === 0) view.remove([...view.readers][1]!);
    });
    fanOut.wake(view);
    await turn();

    expect(pumped).toEqual(['0', 'late']);
  });

  it('keeps what somebody still needs who comes while the only reader is being served', async () => {
    const fanOut = new FanOut();
    const ticks: number[] = [];
    const late = { pump: () => undefined, seq: 3 } as unknown as Cursor;
    const view: View = viewOf(0, () => undefined);
    const only = { pump: () => void view.add(late), seq: 5 } as unknown as Cursor;
    view.add(only);
    view.endTick = (slowest) => void ticks.push(slowest);
    fanOut.wake(view);
    await turn();
    view.remove(only);
    fanOut.wake(view);
    await turn();

    expect(ticks).toEqual([3, 3]);
  });

  it('serves one reader of each of many, in slices', async () => {
    const pumped: number[] = [];
    const fanOut = new FanOut();
    for (let n = 0; n < 1_500; n++) fanOut.wake(viewOf(1, () => pumped.push(n)));
    await turn();
    expect(pumped).toHaveLength(1_000);
    await turn();

    expect(pumped).toEqual(Array.from({ length: 1_500 }, (_, n) => n));
  });

  it('asks publishers to wait when much waits, until the next turn', async () => {
    const fanOut = new FanOut();
    const view = viewOf(1, () => undefined);
    for (let n = 0; n < 127; n++) fanOut.wake(view);
    expect(fanOut.pressure()).toBeUndefined();
    fanOut.wake(view);
    await fanOut.pressure();

    expect(fanOut.pressure()).toBeUndefined();
  });

  describe('right behind a round', () => {
    /** One cursor that takes so many ms, and has been served once. */
    async function afterRoundOf(ms: number) {
      const state = { now: 0, served: 0 };
      const fanOut = new FanOut(undefined, () => state.now);
      const view = viewOf(1, () => {
        state.served++;
        state.now += ms;
      });
      const wake = async (times: number): Promise<void> => {
        for (let n = 0; n < times; n++) fanOut.wake(view);
        await turn();
      };
      await wake(1);
      return { state, wake };
    }

    it('a lone event waits for a quarter of the time that it took', async () => {
      const { state, wake } = await afterRoundOf(4);
      await wake(1);
      state.now += 0.9;
      await turn();
      expect(state.served).toBe(1);

      state.now += 0.2;
      await turn();
      expect(state.served).toBe(2);
    });

    it('a lone event waits for 2 ms at most', async () => {
      const { state, wake } = await afterRoundOf(1_000);
      await wake(1);
      expect(state.served).toBe(1);

      state.now += 2;
      await turn();
      expect(state.served).toBe(2);
    });

    it('nobody waits any more once there are 16', async () => {
      const { state, wake } = await afterRoundOf(4);
      for (let n = 1; n < 16; n++) await wake(1);
      expect(state.served).toBe(1);

      await wake(1);
      expect(state.served).toBe(2);
    });

    it('two that came together do not wait, nor does one that comes later', async () => {
      const { state, wake } = await afterRoundOf(4);
      await wake(2);
      expect(state.served).toBe(2);

      state.now += 1;
      await wake(1);
      expect(state.served).toBe(3);
    });
  });

  it('wakes nobody once it is closed, and holds no publisher', async () => {
    let pumped = 0;
    const fanOut = new FanOut();
    const view = viewOf(1, () => pumped++);
    for (let n = 0; n < 128; n++) fanOut.wake(view);
    const pressure = fanOut.pressure();
    fanOut.close();
    await pressure;
    await turn();

    expect(pumped).toBe(0);
  });
});
