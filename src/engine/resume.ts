import type { Position } from '../topic/position.js';

/**
 * Tells whether the log contradicts the position that a client claims, and how.
 *
 * @param claimed what the client says it has read up to
 * @param head the lane's newest position
 * @param newestAtOrBefore `at` of the newest retained entry with `seq` at or below the claimed one, of the topics in question
 */
export function contradiction(
  claimed: Position,
  head: Position,
  newestAtOrBefore: number | undefined,
): 'epoch' | 'ahead' | 'diverged' | undefined {
  if (claimed.epoch !== head.epoch) return 'epoch';
  if (claimed.seq > head.seq) return 'ahead';
  // After a failover that lost a tail and used its numbers again, the sequence fits and only the time tells.
  if (newestAtOrBefore !== undefined && newestAtOrBefore > claimed.at) return 'diverged';
  return undefined;
}

/**
 * Tells whether entries of one topic beyond `after` are gone. Exact at the boundary, because the first retained
 * entry knows its predecessor: comparing with the first sequence alone would report holes that are none.
 */
export function isTrimmed(after: number, topicHead: number, first: { readonly prev: number } | undefined): boolean {
  return topicHead > after && (first === undefined || first.prev > after);
}

/** Whether the log contradicts the place that a client claims: it was none. */
export function isContradiction({ reason }: { readonly reason: string }): boolean {
  return reason === 'epoch' || reason === 'ahead' || reason === 'diverged';
}
