import { expect, it } from '@jest/globals';
import type { Position } from '../topic/position.js';
import { Beginnings } from './beginnings.js';

const at = (seq: number): Position => ({ epoch: 'aaaaaa', seq, at: seq });
const isA = (topic: string): boolean => topic === 'a';

it('tells the first that is stored of its topics while they open, whichever is stored first, and what fails is none', async () => {
  const beginnings = new Beginnings();
  beginnings.storing('a', Promise.resolve(at(1)));
  let open!: () => void;
  const opening = new Promise<void>((resolve) => (open = resolve));
  const first = beginnings.firstDuring(opening, isA);
  beginnings.storing('a', Promise.reject(new Error('not stored')));
  beginnings.storing('a', Promise.resolve(at(9)));
  beginnings.storing('a', Promise.resolve(at(8)));
  beginnings.storing('b', Promise.resolve(at(2)));
  const later = beginnings.firstDuring(opening, isA);
  open();

  expect(await first).toEqual(at(8));
  expect(await later).toBeUndefined();
});

it('waits for nothing that is stored of other topics', async () => {
  const beginnings = new Beginnings();
  const first = beginnings.firstDuring(Promise.resolve(), isA);
  beginnings.storing('b', new Promise(() => undefined));

  expect(await first).toBeUndefined();
});
