import { batchOf } from '../hub/batch.js';
import { History } from '../hub/history.js';
import { formatPosition } from '../topic/position.js';
import type { Begin } from '../topic/begin.js';
import type { Dialect } from '../wire/dialect.js';
import { readOf } from './kept.js';
import type { Selection } from './selection.js';
import { transform } from './transform.js';

/**
 * Where a stream begins whose client has the first so many events of a selection, as many as it is given of them: counted from the event
 * with the id where the selection begins, or from its first. When there are not so many, behind all of them. `undefined`: they cannot be
 * counted, for some are no longer retained. Rejects with what the engine does, and with what a step or the dialect throws.
 */
export async function behind(
  selection: Selection,
  count: number,
  { begin, dialect }: { readonly begin: Begin | undefined; readonly dialect: Dialect },
): Promise<Begin | undefined> {
  const after = typeof begin === 'string' && begin !== 'now' && begin !== 'start' ? begin : undefined;
  if (count === 0) return after ?? 'start';
  const { hub, steps } = selection;
  const history = new History(hub, readOf(selection));
  const known = new Set<string>();
  let left = count;
  for await (const entry of history.events(after, Infinity)) {
    const isFirst = after === undefined && !known.has(entry.topic);
    if (history.holes.length > 0 || (isFirst && entry.prev !== 0)) return undefined;
    if (isFirst) known.add(entry.topic);
    for (const { id: _, topic: __, ...event } of transform(batchOf(history.place.epoch, [entry]), steps))
      if ('data' in event && dialect.event(event) !== '') left--;
    if (left === 0) break;
  }
  return history.holes.length > 0 ? undefined : formatPosition(history.place);
}
