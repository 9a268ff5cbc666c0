import { expect, it } from '@jest/globals';
import { SseError } from '../errors.js';
import type { RunEnd } from '../topic/run-end.js';
import { Production } from './production.js';

it('tells the producer of a run that was ended elsewhere by its signal, and reports no failure', async () => {
  const failures: unknown[] = [];
  let signal: AbortSignal | undefined;
  const end = await new Promise<RunEnd>((ended) => {
    const store = {
      topic: '/run/1/a' as const,
      store: () => Promise.reject(new SseError('closed', 'ended elsewhere')),
    };
    const production = new Production(store, { failed: (error) => failures.push(error), ended });
    const producer = async function* (context: { signal: AbortSignal }) {
      signal = context.signal;
      for (;;) yield 1;
    };
    void production.start(producer, { key: 'a', runId: '1' });
  });

  expect(end).toEqual({ state: 'interrupted', reason: 'lease' });
  expect(signal?.aborted).toBe(true);
  expect(failures).toEqual([]);
});
