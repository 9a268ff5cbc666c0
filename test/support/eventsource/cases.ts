import type { Bench } from './bench.js';
import type { Case } from './case.js';
import { closing, events, states } from './event-cases.js';
import { formats, retries } from './format-cases.js';
import { construction, inter } from './interface-cases.js';
import { positions, requests } from './request-cases.js';

export const CASES: readonly Case[] = [
  ...construction,
  ...inter,
  ...events,
  ...closing,
  ...states,
  ...formats,
  ...retries,
  ...requests,
  ...positions,
];

const DEADLINE_MS = 15_000;

/** The name of a case, in full. */
export function nameOf({ section: about, name }: Case): string {
  return `${about}: ${name}`;
}

export async function runCase(name: string, bench: Bench): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, DEADLINE_MS, 'nothing, for too long')));
  try {
    return await Promise.race([CASES.find((each) => nameOf(each) === name)!.run(bench), late]);
  } finally {
    clearTimeout(timer);
    bench.close();
  }
}
