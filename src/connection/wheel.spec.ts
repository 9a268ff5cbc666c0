import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Wheel, type WheelTask } from './wheel.js';

const DAY_MS = 86_400_000;

/** Notes when it is woken. */
class Task implements WheelTask {
  slot: number | undefined;
  readonly woken: number[] = [];
  readonly #then: () => void;

  constructor(then: () => void = () => undefined) {
    this.#then = then;
  }

  onTime(nowMs: number): void {
    this.woken.push(nowMs);
    this.#then();
  }
}

describe('a wheel', () => {
  let wheel: Wheel;

  beforeEach(() => {
    jest.useFakeTimers();
    wheel = new Wheel();
  });

  afterEach(() => {
    wheel.close();
    jest.useRealTimers();
  });

  it('has one timer for any number of tasks, and none for none', () => {
    const tasks = Array.from({ length: 1_000 }, () => new Task());
    expect(jest.getTimerCount()).toBe(0);

    tasks.forEach((task, n) => wheel.schedule(task, n));
    expect(jest.getTimerCount()).toBe(1);

    tasks.forEach((task) => wheel.cancel(task));
    expect(jest.getTimerCount()).toBe(0);
  });

  it.each([0, 1, 24, 25, 26, 40.5, 1_000, 15_000])(
    'meets a time of %p ms to 25 ms, late rather than early',
    (delayMs) => {
      jest.advanceTimersByTime(7);
      const start = performance.now();
      const task = new Task();
      wheel.schedule(task, delayMs);
      jest.advanceTimersByTime(delayMs + 26);

      expect(task.woken).toHaveLength(1);
      expect(task.woken[0]! - start).toBeGreaterThanOrEqual(delayMs);
      expect(task.woken[0]! - start).toBeLessThanOrEqual(delayMs + 26);
    },
  );

  it('wakes tasks in the order of their times, whatever the order in which they were scheduled', () => {
    const order: string[] = [];
    const task = (name: string) => new Task(() => order.push(name));
    wheel.schedule(task('late'), 500);
    wheel.schedule(task('early'), 100);
    wheel.schedule(task('middle'), 300);
    jest.advanceTimersByTime(99);
    expect(order).toEqual([]);
    jest.advanceTimersByTime(1_000);

    expect(order).toEqual(['early', 'middle', 'late']);
  });

  it('wakes in order also when the event loop was held up past several times', () => {
    const order: string[] = [];
    wheel.schedule(new Task(() => order.push('second')), 200);
    wheel.schedule(new Task(() => order.push('first')), 100);
    const now = jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 1_000);
    jest.advanceTimersByTime(100);
    now.mockRestore();

    expect(order).toEqual(['first', 'second']);
    expect(jest.getTimerCount()).toBe(0);
  });

  describe('whose process has stood still', () => {
    const standStill = (ms: number): void => {
      const now = performance.now.bind(performance);
      jest.spyOn(performance, 'now').mockImplementation(() => now() + ms);
    };
    afterEach(() => void jest.restoreAllMocks());

    it('says for how long, to a quarter of a second, while there are tasks of clients', () => {
      wheel.schedule(Object.assign(new Task(), { isOfClient: true }), 60_000);
      jest.advanceTimersByTime(1_000);
      const [before, sinceMs] = [wheel.stoodStillMs(0), performance.now()];
      standStill(5_000);
      jest.advanceTimersByTime(1_000);

      expect(before).toBe(0);
      expect(wheel.stoodStillMs(sinceMs)).toBeGreaterThan(4_700);
      expect(wheel.stoodStillMs(sinceMs)).toBeLessThanOrEqual(5_000);
      expect(wheel.stoodStillMs(performance.now())).toBe(0);
    });

    it('wakes a task only when what has come meanwhile was read', () => {
      const task = Object.assign(new Task(), { isOfClient: true });
      const order: string[] = [];
      wheel.schedule(task, 1_000);
      jest.advanceTimersByTime(500);
      standStill(5_000);
      // As what has arrived is read after the timers that are due, such as the wheel's next look.
      const read = (): unknown => order.push(task.woken.length === 0 ? 'read before' : 'read after');
      setTimeout(() => setImmediate(read), 250);
      jest.advanceTimersByTime(1_000);

      expect([order, task.woken.length]).toEqual([['read before'], 1]);
    });

    it('takes no pulse for tasks that are of no client, and none when there are no tasks any more', () => {
      const task = Object.assign(new Task(), { isOfClient: true });
      const timers = jest.spyOn(globalThis, 'setTimeout');
      wheel.schedule(new Task(), 60_000);
      jest.advanceTimersByTime(10_000);
      expect(timers).toHaveBeenCalledTimes(1);
      wheel.schedule(task, 60_000);
      jest.advanceTimersByTime(1_000);
      expect(timers.mock.calls.length).toBeGreaterThanOrEqual(5);
      wheel.cancel(task);
      jest.advanceTimersByTime(1_000);
      timers.mockClear();
      jest.advanceTimersByTime(10_000);

      expect(timers).not.toHaveBeenCalled();
    });
  });

  it('wakes a task that was scheduled again at its last time only', () => {
    const task = new Task();
    wheel.schedule(task, 100);
    wheel.schedule(task, 1_000);
    jest.advanceTimersByTime(900);
    expect(task.woken).toEqual([]);
    wheel.schedule(task, 50);
    jest.advanceTimersByTime(10_000);

    expect(task.woken).toHaveLength(1);
  });

  it('lets a task schedule itself again when it is woken', () => {
    const task: Task = new Task(() => wheel.schedule(task, 100));
    wheel.schedule(task, 100);
    jest.advanceTimersByTime(1_000);

    expect(task.woken.length).toBeGreaterThanOrEqual(8);
    expect(task.woken.length).toBeLessThanOrEqual(10);
    expect(jest.getTimerCount()).toBe(1);
  });

  it('does not wake a task that was cancelled, and takes a second cancel', () => {
    const task = new Task();
    const other = new Task();
    wheel.schedule(task, 100);
    wheel.schedule(other, 100);
    wheel.cancel(task);
    wheel.cancel(task);
    jest.advanceTimersByTime(1_000);

    expect([task.woken.length, other.woken.length]).toEqual([0, 1]);
  });

  it('does not wake a task that another task of the same moment has cancelled', () => {
    const cancelled = new Task();
    wheel.schedule(new Task(() => wheel.cancel(cancelled)), 100);
    wheel.schedule(cancelled, 100);
    jest.advanceTimersByTime(1_000);

    expect(cancelled.woken).toEqual([]);
  });

  it('wakes a task that another task of the same moment has put off at its new time only', () => {
    const start = performance.now();
    const putOff = new Task();
    wheel.schedule(new Task(() => wheel.schedule(putOff, 5_000)), 100);
    wheel.schedule(putOff, 100);
    jest.advanceTimersByTime(20_000);

    expect(putOff.woken).toHaveLength(1);
    expect(putOff.woken[0]! - start).toBeGreaterThanOrEqual(5_100);
  });

  it('sets its timer to no time that has passed, of which Node 24 and later warn', () => {
    const setTimer = jest.spyOn(globalThis, 'setTimeout');
    const start = performance.now();
    const busy = jest.spyOn(performance, 'now');
    wheel.schedule(new Task(() => busy.mockReturnValue(start + 60.5)), 20);
    wheel.schedule(new Task(), 45);
    jest.advanceTimersByTime(26);
    wheel.schedule(new Task(), -100);

    expect(setTimer.mock.calls.length).toBeGreaterThanOrEqual(2);
    for (const [, delayMs] of setTimer.mock.calls) expect(delayMs).toBeGreaterThanOrEqual(0);
    busy.mockRestore();
    setTimer.mockRestore();
  });

  it('waits longer than a timer of Node can, without waking in between', () => {
    const setTimer = jest.spyOn(globalThis, 'setTimeout');
    const task = new Task();
    wheel.schedule(task, 30 * DAY_MS);
    jest.advanceTimersByTime(1_000);

    expect(task.woken).toEqual([]);
    expect(setTimer.mock.calls.length).toBeLessThanOrEqual(2);
    setTimer.mockRestore();
  });

  it('wakes a task of which the time is longer than a timer of Node can wait', () => {
    const task = new Task();
    wheel.schedule(task, 30 * DAY_MS);
    jest.advanceTimersByTime(29 * DAY_MS);
    expect(task.woken).toEqual([]);
    jest.advanceTimersByTime(DAY_MS + 26);

    expect(task.woken).toHaveLength(1);
  });

  it('wakes nobody once it is closed', () => {
    const task = new Task();
    wheel.schedule(task, 100);
    wheel.close();
    jest.advanceTimersByTime(1_000);

    expect(task.woken).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });
});
