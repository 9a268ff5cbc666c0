import { describe, expect, it } from '@jest/globals';
import { Signals } from './signals.js';

interface Kinds {
  readonly came: { readonly n: number };
  readonly went: { readonly n: number };
}

function start() {
  const failed: unknown[][] = [];
  const heard: unknown[][] = [];
  const signals = new Signals<Kinds>((error, kind) => failed.push([kind, error]));
  const note = (name: string) => (signal: unknown) => void heard.push([name, signal]);
  return { signals, failed, heard, note };
}

describe('what happens', () => {
  it('is told to all who listen for its kind, in the order in which they came, and to nobody else', () => {
    const { signals, heard, note } = start();
    signals.on('came', note('first'));
    signals.on('went', note('other'));
    signals.on('came', note('second'));
    signals.tell('came', { n: 1 });

    expect(heard).toEqual([
      ['first', { n: 1 }],
      ['second', { n: 1 }],
    ]);
  });

  it('is wanted as long as someone listens', () => {
    const { signals, note } = start();
    const before = signals.wants('came');
    const first = signals.on('came', note('first'));
    const second = signals.on('came', note('second'));
    first();
    const between = signals.wants('came');
    second();
    second();

    expect([before, between, signals.wants('came'), signals.wants('went')]).toEqual([false, true, false, false]);
  });

  it('is told to who is there when it happens, whoever leaves or comes meanwhile', () => {
    const { signals, heard, note } = start();
    const leave = signals.on('came', () => {
      leave();
      signals.on('came', note('late'));
    });
    signals.on('came', note('second'));
    signals.tell('came', { n: 1 });
    signals.tell('came', { n: 2 });

    expect(heard).toEqual([
      ['second', { n: 1 }],
      ['second', { n: 2 }],
      ['late', { n: 2 }],
    ]);
  });

  it('reaches the others when a listener throws or rejects, and the failure is told of', async () => {
    const { signals, failed, heard, note } = start();
    const thrown = new Error('thrown');
    const rejected = new Error('rejected');
    signals.on('came', () => {
      throw thrown;
    });
    signals.on('came', async () => Promise.reject(rejected));
    signals.on('came', note('third'));
    signals.tell('came', { n: 1 });
    await new Promise(setImmediate);

    expect(heard).toEqual([['third', { n: 1 }]]);
    expect(failed).toEqual([
      ['came', thrown],
      ['came', rejected],
    ]);
  });
});
