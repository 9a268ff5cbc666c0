/** A name as SQL takes it: case and every character kept. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as SQL takes it, whatever `standard_conforming_strings` says. */
export function quoteLiteral(text: string): string {
  return ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/**
 * What the functions run with. Their tables change too fast for statistics: a plan made for a table that looked empty, or
 * for ranges of unknown size, would read all of it. Each of their statements has an index that it goes by.
 */
export const PLANNING =
  'SET enable_seqscan = off SET enable_bitmapscan = off SET max_parallel_workers_per_gather = 0 SET jit = off';
