import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { LogEntry } from '../engine/engine.js';
import { ENTRY_OVERHEAD_BYTES } from '../engine/memory-log.js';
import { COMPLETE, packEvent } from '../wire/payload.js';
import { type Reader, View } from './view.js';
import { type HeldEntry, WindowBudget } from './window-budget.js';

const DATA = packEvent({ data: 'x' });
const entryOf = (seq: number, data = DATA): LogEntry => ({ topic: 'a', seq, prev: seq - 1, at: seq, data });
const head = (seq: number) => ({ epoch: 'aaaaaa', seq, at: seq });

/** A view that somebody reads, in a budget of its own. */
function setUp(maxBytes = 1e9) {
  const budget: WindowBudget = new WindowBudget(maxBytes, (held) => view.evict(held));
  const view = new View(0, 'a', ['a'], budget);
  view.refs = 1;
  const push = (seq: number, data?: Uint8Array): void => {
    const held: HeldEntry = { entry: entryOf(seq, data), windows: 0 };
    view.push(held);
    if (held.windows > 0) budget.add(held);
  };
  return { view, budget, push };
}

const readerAt = (seq: number) => ({ seq }) as Reader;
const seqsOf = (view: View, from: number) => view.batch(from, Infinity).entries.map(({ seq }) => seq);

describe('the window of a view', () => {
  it('begins at the head that it was opened at, and keeps what came while it was being opened', () => {
    const { view, push } = setUp();
    expect([view.isOpen, view.floor]).toEqual([false, Infinity]);
    for (const seq of [3, 4, 5, 6]) push(seq);
    view.open(head(4));

    expect([view.isOpen, view.floor, view.lastSeq]).toEqual([true, 4, 6]);
    expect(seqsOf(view, 4)).toEqual([5, 6]);
  });

  it('does not pretend to have what it let go of before it was open', () => {
    const { view, push } = setUp();
    for (let seq = 1; seq <= 10_500; seq++) push(seq);
    view.open(head(0));

    expect(view.floor).toBe(500);
    expect(view.countAfter(view.floor)).toBe(10_000);
  });

  it('holds at most 10,000 events', () => {
    const { view, push } = setUp();
    view.open(head(0));
    for (let seq = 1; seq <= 12_000; seq++) push(seq);

    expect([view.floor, view.countAfter(0)]).toEqual([2_000, 10_000]);
  });

  it('holds at most 8 MiB, but always the newest event', () => {
    const { view, push } = setUp();
    view.open(head(0));
    for (let seq = 1; seq <= 10; seq++) push(seq, new Uint8Array(1_048_576));
    expect([view.floor, view.countAfter(0)]).toEqual([2, 8]);

    push(11, new Uint8Array(20_000_000));
    expect([view.floor, view.beforeLast?.seq]).toEqual([10, 10]);
  });

  it('lets go of the oldest when the process holds too much, and says so by its floor', () => {
    const size = DATA.byteLength + ENTRY_OVERHEAD_BYTES;
    const { view, budget, push } = setUp(5 * size);
    view.open(head(0));
    for (let seq = 1; seq <= 8; seq++) push(seq);

    expect([view.floor, view.countAfter(0), budget.bytes]).toEqual([3, 5, 5 * size]);
  });

  it('takes an event that comes twice once', () => {
    const { view, push } = setUp();
    view.open(head(0));
    for (const seq of [1, 2, 2, 1, 3]) push(seq);

    expect(seqsOf(view, 0)).toEqual([1, 2, 3]);
  });

  it('holds nothing for nobody, and does not pretend to', () => {
    const { view, budget, push } = setUp();
    view.open(head(0));
    push(1);
    view.refs = 0;
    push(2);

    expect([view.floor, view.countAfter(0), budget.bytes]).toEqual([2, 0, 0]);
  });

  it('gives all who stand at the same place the same bytes, within one tick and until there is news', () => {
    const { view, push } = setUp();
    view.open(head(0));
    push(1);
    push(2);
    const batch = view.batch(0, 1_000);
    expect(view.batch(0, 1_000)).toBe(batch);
    expect(view.batch(0, 1)).not.toBe(batch);
    expect(view.batch(1, 1_000)).not.toBe(batch);

    const before = view.batch(0, 1_000);
    push(3);
    expect(view.batch(0, 1_000).place.seq).toBe(3);
    view.endTick(0);
    expect(view.batch(0, 1_000)).not.toBe(before);
  });

  it('gives all readers of all windows that have only one event the same bytes, and lets go of them with it', () => {
    const budget = new WindowBudget(1e9, () => undefined);
    const views = ['a', 'b'].map((key, n) => new View(n, key, ['a'], budget));
    const held: HeldEntry = { entry: entryOf(1), windows: 0 };
    for (const view of views) {
      view.refs = 1;
      view.add(readerAt(0));
      view.open(head(0));
      view.push(held);
    }
    budget.add(held);
    const [first, second] = views.map((view) => view.batch(0, 1_000));
    expect([first, first!.isOfOne]).toEqual([second, false]);

    for (const view of views) view.endTick(1);
    expect([held.batch, budget.bytes]).toEqual([undefined, 0]);
  });

  it('says of one event that it is for one reader, as long as there is one', () => {
    const { view, push } = setUp();
    view.open(head(0));
    view.add(readerAt(0));
    push(1);
    expect(view.batch(0, 1_000)).toMatchObject({ isOfOne: true, entries: [{ seq: 1 }] });
    view.add(readerAt(0));
    const shared = view.batch(0, 1_000);
    expect([shared.isOfOne, view.batch(0, 1_000)]).toEqual([false, shared]);

    push(2);
    expect(view.batch(0, 1_000).entries.map(({ seq }) => seq)).toEqual([1, 2]);
    view.endTick(2);
    push(3, COMPLETE);
    expect(view.batch(2, 1_000)).toMatchObject({ entries: [], control: { seq: 3 }, isOfOne: false });
  });

  it('is a list of what was pushed, whatever is let go of in between', () => {
    const step = fc.oneof(
      fc.constant('push' as const),
      fc.record({ release: fc.nat(3) }),
      fc.record({ batch: fc.nat(3) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { view, budget, push } = setUp();
        view.open(head(0));
        let model: number[] = [];
        let seq = 0;
        for (const each of steps) {
          if (each === 'push') {
            push(++seq);
            model.push(seq);
          } else if ('release' in each) {
            const upTo = (model[0] ?? seq + 1) - 1 + each.release;
            view.endTick(upTo);
            model = model.filter((kept) => kept > upTo);
          } else {
            const from = Math.max(view.floor, (model[0] ?? 1) - 1 + each.batch);
            if (from < view.lastSeq) expect(seqsOf(view, from)).toEqual(model.filter((kept) => kept > from));
          }
          expect([view.countAfter(0), view.lastSeq]).toEqual([model.length, seq]);
          expect(view.beforeLast?.seq).toBe(model.length === 0 ? undefined : model[model.length - 1]! - 1);
          expect(budget.bytes).toBe(model.length * (DATA.byteLength + ENTRY_OVERHEAD_BYTES));
        }
      }),
    );
  });

  it('gives what fits one write, at least one event, and never past the end of a topic', () => {
    const { view, push } = setUp();
    view.open(head(0));
    push(1, new Uint8Array(100).fill(116));
    push(2, new Uint8Array(100).fill(116));
    push(3, COMPLETE);
    push(4);

    const shape = (from: number, maxBytes: number) => {
      const { entries, control, place } = view.batch(from, maxBytes);
      return [entries.map(({ seq }) => seq), control?.seq, place.seq];
    };
    expect(shape(0, 1)).toEqual([[1], undefined, 1]);
    expect(shape(0, 150)).toEqual([[1], undefined, 1]);
    expect(shape(0, 10_000)).toEqual([[1, 2], 3, 3]);
    expect(shape(2, 10_000)).toEqual([[], 3, 3]);
    expect(shape(3, 10_000)).toEqual([[4], undefined, 4]);
  });

  it('lets go of what all readers have got at the end of a tick', () => {
    const { view, budget, push } = setUp();
    view.open(head(0));
    for (const seq of [1, 2, 3]) push(seq);
    view.endTick(2);
    expect([view.floor, seqsOf(view, 2)]).toEqual([2, [3]]);

    view.endTick(Infinity);
    expect([view.floor, budget.bytes]).toEqual([3, 0]);
  });
});
