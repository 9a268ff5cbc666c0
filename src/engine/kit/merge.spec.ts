import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LaneMerge } from './merge.js';

const entries = (seqs: Iterable<number>) => [...seqs].sort((a, b) => a - b).map((seq) => ({ seq }));

/** All that a merge gives. */
function taken(merge: LaneMerge<{ readonly seq: number }>): number[] {
  const seqs: number[] = [];
  for (let next = merge.next; next !== undefined; next = merge.next) {
    seqs.push(next.seq);
    merge.take();
  }
  return seqs;
}

describe('a merge of lists in lane order', () => {
  it('gives all entries of all lists once, the oldest first', () => {
    const lists = fc.array(fc.uniqueArray(fc.integer({ min: 1, max: 500 }), { maxLength: 40 }), { maxLength: 30 });
    fc.assert(
      fc.property(lists, (given) => {
        const seqs = new Set(given.flat());
        const owner = new Map([...seqs].map((seq) => [seq, given.findIndex((list) => list.includes(seq))]));
        const disjoint = given.map((list, n) => entries(list.filter((seq) => owner.get(seq) === n)));

        expect(taken(new LaneMerge(disjoint.map((list) => [list, 0] as const)))).toEqual(
          entries(seqs).map(({ seq }) => seq),
        );
      }),
    );
  });

  it('begins in each list where it is told to', () => {
    const [one, other] = [entries([1, 3, 5]), entries([2, 4, 6])];

    expect(
      taken(
        new LaneMerge<{ seq: number }>([
          [one, 1],
          [other, 3],
        ]),
      ),
    ).toEqual([3, 5]);
  });

  it('gives nothing of nothing, and takes that', () => {
    const merge = new LaneMerge([]);
    merge.take();

    expect(merge.next).toBeUndefined();
  });

  it('asks each list for the entries only that are wanted', () => {
    let asked = 0;
    const list = (first: number) => ({ at: (index: number) => (asked++, { seq: first + index * 1_000 }) });
    const merge = new LaneMerge(Array.from({ length: 1_000 }, (_, n) => [list(n), 0] as const));
    for (let n = 0; n < 256; n++) merge.take();

    expect(asked).toBe(1_000 + 256);
  });
});
