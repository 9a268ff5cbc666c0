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
 * for ranges of unknown size, would read all of it. Each of their statements has an index that it goes by, and is planned
 * once for a connection: planning anew was half of what an append took.
 */
export const PLANNING = [
  'plan_cache_mode = force_generic_plan',
  'enable_seqscan = off',
  'enable_bitmapscan = off',
  'enable_hashjoin = off',
  'enable_mergejoin = off',
  'max_parallel_workers_per_gather = 0',
  'jit = off',
]
  .map((setting) => `SET ${setting}`)
  .join(' ');
