import type { Bench } from './bench.js';

/** A sentence of WHATWG HTML 9.2, and what comes of it. */
export interface Case {
  readonly section: string;
  readonly name: string;
  readonly run: (bench: Bench) => unknown;
  readonly expected: unknown;
  /** There is a page. */
  readonly inPage?: boolean;
  /** Where the browser's own class is known to do something else. */
  readonly native?: Difference;
  /** Where ours is. */
  readonly ours?: Difference;
}

interface Difference {
  readonly does: unknown;
  readonly because: string;
}

export const section = (name: string, cases: readonly Omit<Case, 'section'>[]): Case[] =>
  cases.map((each) => ({ section: name, ...each }));
