import type { Evictable, Lane, Statements } from './statements.js';

/** How many entries are looked at together. */
const CHUNK = 64;

interface Evicted {
  readonly count: number;
  readonly bytes: number;
}

/** Evicts the oldest entries of a topic until it has so many and so much less. */
export function evictOfTopic(sql: Statements, topic: number, tooMany: number, tooMuch: number): Evicted {
  if (tooMany <= 0 && tooMuch <= 0) return { count: 0, bytes: 0 };
  const oldest = entriesFrom((after) => sql.oldestOfTopic.all(topic, after, CHUNK));
  const { last, ...evicted } = takeWhile(oldest, ({ count, bytes }) => count < tooMany || bytes < tooMuch);
  sql.evictOfTopic.run(topic, last);
  return evicted;
}

/** Evicts the oldest entries of all topics until what is left is within the total. */
export function evictBeyondTotal(sql: Statements, lane: Lane, maxTotalBytes: number): void {
  const tooMuch = lane.bytes - maxTotalBytes;
  if (tooMuch <= 0) return;
  const byTopic = new Map<number, { count: number; bytes: number }>();
  const oldest = entriesFrom((after) => sql.oldest.all(after, CHUNK));
  const { last, bytes } = takeWhile(oldest, (taken, { topic, size }) => {
    if (taken.bytes >= tooMuch) return false;
    const own = byTopic.get(topic) ?? { count: 0, bytes: 0 };
    byTopic.set(topic, { count: own.count + 1, bytes: own.bytes + size });
    return true;
  });
  sql.evict.run(last);
  for (const [topic, evicted] of byTopic) sql.shrinkTopic.run(evicted.count, evicted.bytes, topic);
  lane.bytes -= bytes;
}

function* entriesFrom(read: (after: number) => Evictable[]): Generator<Evictable> {
  for (let after = 0; ;) {
    const chunk = read(after);
    yield* chunk;
    const last = chunk.at(-1);
    if (last === undefined) return;
    after = last.seq;
  }
}

/** Adds up entries until one is no longer wanted; `last` is the sequence of the last that was. */
function takeWhile(
  entries: Iterable<Evictable>,
  isWanted: (taken: Evicted, next: Evictable) => boolean,
): Evicted & { readonly last: number } {
  const taken = { count: 0, bytes: 0, last: 0 };
  for (const entry of entries) {
    if (!isWanted(taken, entry)) break;
    taken.count++;
    taken.bytes += entry.size;
    taken.last = entry.seq;
  }
  return taken;
}
