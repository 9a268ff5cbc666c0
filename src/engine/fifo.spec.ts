import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Fifo } from './fifo.js';

type Command = { push: number } | { shift: number } | 'retain even' | 'clear';

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ push: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 6, arbitrary: fc.record({ shift: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 1, arbitrary: fc.constant('retain even' as const) },
  { weight: 1, arbitrary: fc.constant('clear' as const) },
);

describe('a fifo', () => {
  it('is empty at first', () => {
    const fifo = new Fifo<number>();
    expect([fifo.length, fifo.first, fifo.last, fifo.at(0), fifo.shift()]).toEqual([
      0,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('behaves as an array does under any sequence of changes', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const fifo = new Fifo<number>();
        let model: number[] = [];
        let count = 0;
        for (const each of commands) {
          if (each === 'clear') {
            fifo.clear();
            model = [];
          } else if (each === 'retain even') {
            fifo.retain((item) => item % 2 === 0);
            model = model.filter((item) => item % 2 === 0);
          } else if ('push' in each) {
            for (let n = 0; n < each.push; n++, count++) {
              fifo.push(count);
              model.push(count);
            }
          } else {
            for (let n = 0; n < each.shift; n++) expect(fifo.shift()).toBe(model.shift());
          }
          expect(Array.from({ length: fifo.length }, (_, index) => fifo.at(index))).toEqual(model);
          expect([fifo.first, fifo.last, fifo.at(-1 - model.length)]).toEqual([model[0], model.at(-1), undefined]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('finds the first item of a tail, wherever the tail begins', () => {
    const fifo = new Fifo<number>();
    for (let item = 0; item < 100; item++) fifo.push(item);
    for (let n = 0; n < 40; n++) fifo.shift();

    expect(fifo.firstIndex(() => true)).toBe(0);
    expect(fifo.firstIndex(() => false)).toBe(60);
    for (let item = 40; item < 100; item++) expect(fifo.firstIndex((each) => each >= item)).toBe(item - 40);
  });

  it('lets go of an item that was shifted', () => {
    const fifo = new Fifo<object>();
    fifo.push({});
    fifo.push({});
    fifo.shift();
    expect(fifo.at(-1)).toBeUndefined();
  });
});
