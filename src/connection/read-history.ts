import type { Hole } from '../engine/engine.js';
import { SseError, describe } from '../errors.js';
import { batchOf } from '../hub/batch.js';
import { History } from '../hub/history.js';
import type { Hub } from '../hub/hub.js';
import { formatPosition } from '../topic/position.js';
import { MAX_ID_BYTES } from '../wire/event.js';
import type { ReadEvent, SseEvent } from '../wire/event.js';
import { readOf } from './kept.js';
import type { Selection } from './selection.js';
import { transform } from './transform.js';

export interface ReadOptions {
  /** Only what came after the event with this id. Absent: from the first event that history holds. */
  readonly after?: string | undefined;
  /** Of each topic so many of its newest events at most: a whole number, 0 or more. Absent: all. */
  readonly last?: number | undefined;
  /**
   * How many events there may be in one answer: a whole number, 1 to 10,000.
   *
   * @default 1_000
   */
  readonly limit?: number | undefined;
}

/** What history holds of some topics, up to a place. */
export interface HistoryPage<E extends SseEvent = SseEvent> {
  /** In the order in which they were published, each with its topic and its id. */
  readonly events: readonly ReadEvent<E>[];
  /** The place behind them: a stream that begins there, or another `read`, gets what follows without a gap. */
  readonly lastEventId: string;
  /** Whether there are more of them than `limit`. */
  readonly hasMore: boolean;
  /** What is missing that came after `after`; empty when nothing is. */
  readonly holes: readonly Hole[];
}

const DEFAULT_LIMIT = 1_000;
const MAX_LIMIT = 10_000;

/** Reads what history holds of a selection. Rejects with what the engine does, and with what a step throws. */
export async function readHistory<E extends SseEvent>(
  hub: Hub,
  selection: Selection<unknown, E>,
  options: ReadOptions,
): Promise<HistoryPage<E>> {
  checkOptions(options);
  const { after, last = Infinity, limit = DEFAULT_LIMIT } = options;
  const history = new History(hub, readOf(selection));
  const events: ReadEvent<E>[] = [];
  let place: string | undefined;
  for await (const entry of history.events(after, last)) {
    const [event] = transform(batchOf(history.place.epoch, [entry]), selection.steps);
    // A notice says nothing that would be of use later.
    if (event === undefined || !('data' in event)) continue;
    if (events.length === limit) return { events, lastEventId: place as string, hasMore: true, holes: history.holes };
    events.push(event as ReadEvent<E>);
    place = formatPosition(history.place);
  }
  return { events, lastEventId: formatPosition(history.place), hasMore: false, holes: history.holes };
}

function checkOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null) throw wrong(`the options must be an object`, options);
  const { after, last, limit, ...others }: Record<string, unknown> = { ...options };
  const [other] = Object.keys(others);
  if (other !== undefined) throw wrong('there are the options after, last and limit', other);
  const isId = typeof after === 'string' && after !== '' && after.length <= MAX_ID_BYTES;
  if (after !== undefined && !isId) throw wrong('after must be the id of an event', after);
  if (last !== undefined && !isWhole(last, 0, Infinity)) throw wrong('last must be a whole number of at least 0', last);
  if (limit !== undefined && !isWhole(limit, 1, MAX_LIMIT))
    throw wrong(`limit must be a whole number from 1 to ${MAX_LIMIT}`, limit);
}

function isWhole(value: unknown, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
}

function wrong(expected: string, got: unknown): SseError {
  return new SseError('invalid-options', `read(): ${expected}, got ${describe(got)}`);
}
