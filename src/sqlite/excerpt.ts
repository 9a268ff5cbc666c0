import type { Excerpt } from '../engine/engine.js';
import type { Statements, TopicRow } from './statements.js';

/** Tells of each topic up to which sequence an excerpt leaves everything out: not always one of an entry, `0` for nothing. */
export function leftOutBy(
  sql: Statements,
  excerpt: Excerpt | undefined,
  laneHead: number,
): (topic: TopicRow) => number {
  if (excerpt === undefined) return () => 0;
  const { last, since } = excerpt;
  const upTo = Math.min(excerpt.upTo, laneHead);
  const old = since > 0 ? placeBefore(sql, since, upTo) : 0;
  return ({ id, count }) => (last < count ? Math.max(old, sql.newest.get(id, upTo, last)?.seq ?? 0) : old);
}

/** Up to where everything is older than a time, at most `upTo`. As time does not fall along the lane, all topics have one such place. */
function placeBefore(sql: Statements, since: number, upTo: number): number {
  let place = 0;
  for (let high = upTo; place < high;) {
    const middle = Math.ceil((place + high) / 2);
    const found = sql.newestAt.get(middle);
    if (found === undefined || found.at < since) place = middle;
    else high = found.seq - 1;
  }
  return place;
}
