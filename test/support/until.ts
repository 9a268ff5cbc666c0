import { setTimeout as delay } from 'node:timers/promises';

/** Waits for what cannot be awaited. */
export async function until(condition: () => unknown, what: string, deadlineMs = 10_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Waited ${deadlineMs} ms for ${what}`);
    await delay(2);
  }
}
