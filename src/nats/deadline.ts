import { afterReading } from '../engine/kit/deadline.js';

/** No answer came in time. */
export class DeadlineError extends Error {}

/** @throws DeadlineError */
export async function before<T>(deadline: number, pending: Promise<T> | undefined): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const give = (): void => reject(new DeadlineError('No answer in time'));
    timer = setTimeout(afterReading, Math.max(0, deadline - performance.now()), give);
  });
  try {
    return await Promise.race([pending, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end);
  });
}
