import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import { LaneOrder } from './lane-order.js';
import type { Messages } from './messages.js';
import { Subjects } from './subjects.js';

const OURS = 'x.s.abcdef.t.ours';
const OTHER = 'x.s.abcdef.t.other';
const subjects = new Subjects('x', 'abcdef');

let asked: number[];
let order: LaneOrder;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
  asked = [];
});

/** Every tenth message is ours, but for what is given. */
function create(subjectOf = (seq: number): string | undefined => (seq % 10 === 0 ? OURS : OTHER)): void {
  const messages = {
    subjectOf: async (_: Subjects, seq: number) => {
      asked.push(seq);
      return subjectOf(seq);
    },
  };
  order = new LaneOrder(messages as unknown as Messages, (subject) => subject === OURS);
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What has come: tells whether it may be passed on yet. */
function arrive(seq: number) {
  order.arrived('abcdef', seq);
  const state = { isComplete: false };
  void Promise.resolve(order.complete(subjects, seq, 0)).then(() => (state.isComplete = true));
  return state;
}

describe('LaneOrder', () => {
  test('asks for what is between those that have come, once, and not for what has', async () => {
    create();
    const first = arrive(3);
    await turn();
    expect(first.isComplete).toBe(true);
    expect(asked).toEqual([1, 2]);
    arrive(4);
    arrive(7);
    await turn();
    expect(asked).toEqual([1, 2, 5, 6]);
    expect(order.complete(subjects, 7, 0)).toBeUndefined();
  });

  test('looks no further back than 16', async () => {
    create();
    arrive(1_000);
    await turn();
    expect(asked).toEqual(Array.from({ length: 16 }, (_, n) => 984 + n));
  });

  test('holds what has overtaken another one until that has come', async () => {
    create();
    const later = arrive(12);
    await turn();
    expect(later.isComplete).toBe(false);
    const earlier = arrive(10);
    await turn();
    expect([earlier.isComplete, later.isComplete]).toEqual([true, true]);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('does not wait for what is gone', async () => {
    create(() => undefined);
    const later = arrive(12);
    await turn();
    expect(later.isComplete).toBe(true);
  });

  test('waits no longer than a quarter of a second, and not again', async () => {
    create();
    const states = [arrive(12), arrive(14)];
    await turn();
    jest.advanceTimersByTime(249);
    await turn();
    expect(states).toEqual([{ isComplete: false }, { isComplete: false }]);
    jest.advanceTimersByTime(1);
    await turn();
    expect(states).toEqual([{ isComplete: true }, { isComplete: true }]);
    const next = arrive(15);
    await turn();
    expect(next.isComplete).toBe(true);
  });

  test('lets go of everything when it is to forget', async () => {
    create();
    const later = arrive(12);
    await turn();
    order.forget();
    await turn();
    expect(later.isComplete).toBe(true);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('numbers of another log say nothing about this one', async () => {
    create();
    order.arrived('zzzzzz', 10);
    const later = arrive(12);
    await turn();
    expect(later.isComplete).toBe(false);
  });
});
