import { expect, it, jest } from '@jest/globals';
import { openStream } from './open-stream.js';

it('a snapshot that comes when its stream is over asks for nothing, and leaves no timer', async () => {
  const timers = jest.spyOn(globalThis, 'setTimeout');
  const fetch = jest.fn<() => Promise<Response>>();
  let give!: () => void;
  const snapshot = (): Promise<void> => new Promise((resolve) => (give = resolve));
  const stream = openStream('http://stocks.example/', { snapshot, fetch });

  stream.close();
  give();
  await new Promise((resolve) => setImmediate(resolve));

  expect(timers).not.toHaveBeenCalled();
  expect(fetch).not.toHaveBeenCalled();
  timers.mockRestore();
});
