import type { Position } from '../../topic/position.js';
import type { Hole, LogEntry, ReadPage, ReadRequest } from '../engine.js';
import { contradiction, isTrimmed } from '../resume.js';
import type { LaneMerge } from './merge.js';

/** What an engine knows of a topic when it is asked what is missing of it. */
export interface KnownTopic {
  /** Sequence of its newest event, also when that is no longer retained. */
  readonly head: number;
  /** The first that is retained. */
  readonly first: { readonly prev: number } | undefined;
  /** Who stands before this sequence may have missed events that are no longer known of. */
  readonly unknownBefore: number;
}

/** What an engine has found for a {@link ReadRequest}. */
export interface Found {
  readonly head: Position;
  readonly entries: readonly LogEntry[];
  /** There is more behind these. */
  readonly isCut: boolean;
  readonly holes: readonly Hole[];
  /** When the newest retained entry at or before the claimed place was stored. */
  readonly newestAt: number | undefined;
}

/** Reads a page, and from the start when the log contradicts the position that is claimed. */
export async function readPage(
  request: ReadRequest,
  find: (topics: string[], after: number | undefined) => Promise<Found>,
): Promise<ReadPage> {
  const { after, verify } = request;
  const topics = [...new Set(request.topics)];
  const found = await find(topics, after);
  const lost = verify && contradiction(verify, found.head, found.newestAt);
  if (lost === undefined) return pageOf(found, after === undefined ? [] : found.holes);
  return pageOf(await find(topics, undefined), [{ reason: lost, topics }]);
}

function pageOf({ head, entries, isCut }: Found, holes: readonly Hole[]): ReadPage {
  return { entries, upTo: endOf(head, isCut ? entries.at(-1) : undefined), holes };
}

/** Up to where a page goes: to its last entry if it is cut there, else to the head of the lane. */
export function endOf(head: Position, cutAt: Pick<LogEntry, 'seq' | 'at'> | undefined): Position {
  return cutAt === undefined ? head : { epoch: head.epoch, seq: cutAt.seq, at: cutAt.at };
}

/** Takes what fits into a page, at least one, in lane order. */
export function takePage<T extends { readonly seq: number }>(
  merge: LaneMerge<T>,
  bytesOf: (entry: T) => number,
  { maxEntries, maxBytes }: Pick<ReadRequest, 'maxEntries' | 'maxBytes'>,
): { readonly taken: T[]; readonly isCut: boolean } {
  const taken: T[] = [];
  let bytes = 0;
  for (let next = merge.next; next !== undefined; next = merge.next) {
    bytes += bytesOf(next);
    if (taken.length > 0 && (taken.length >= maxEntries || bytes > maxBytes)) return { taken, isCut: true };
    taken.push(next);
    merge.take();
  }
  return { taken, isCut: false };
}

/** What is missing of topics beyond a place. */
export function holesBeyond(
  after: number | undefined,
  topics: readonly string[],
  known: (topic: string, n: number) => KnownTopic | undefined,
  forgotten: number,
): Hole[] {
  if (after === undefined) return [];
  const trimmed: string[] = [];
  const unknown: string[] = [];
  for (const [n, topic] of topics.entries()) {
    const state = known(topic, n);
    if (after < (state?.unknownBefore ?? forgotten)) unknown.push(topic);
    else if (state !== undefined && isTrimmed(after, state.head, state.first)) trimmed.push(topic);
  }
  return holesOf(trimmed, unknown);
}

/** The holes of topics of which events are gone, and of those of which it cannot be told. */
export function holesOf(trimmed: readonly string[], unknown: readonly string[]): Hole[] {
  const holes: Hole[] = [];
  if (trimmed.length > 0) holes.push({ reason: 'trimmed', topics: trimmed });
  if (unknown.length > 0) holes.push({ reason: 'unknown', topics: unknown });
  return holes;
}
