import { describe } from '../errors.js';
import { queryOf, readLastEventId } from '../http/last-event-id.js';
import type { StreamRequest } from '../http/stream-request.js';
import { refuse } from '../rules.js';
import { unawaited } from '../wire/profile.js';
import type { WireProfile } from '../wire/profile.js';

/** What a client says it has: all up to the event with an id, or so many events. */
export type ClaimedPlace = string | { readonly events: number } | undefined;

/**
 * Reads where a client goes on, in the way of its protocol.
 *
 * @throws SseError `invalid-options` when a profile gives what is no place, and what it throws
 */
export function claimedPlace(wire: WireProfile | undefined, request: StreamRequest): ClaimedPlace {
  if (wire?.cursor === undefined) return readLastEventId(request);
  const given: unknown = unawaited(wire.cursor({ headers: request.headers, query: queryOf(request) }));
  if (given === undefined || (typeof given === 'string' && given !== '')) return given;
  const { events } = (given ?? {}) as { events?: unknown };
  if (Number.isSafeInteger(events) && (events as number) >= 0) return { events: events as number };
  const expected = 'an id, { events: n } with a whole number n of at least 0, or undefined';
  return refuse(`The wire profile ${describe(wire.name)}`, `cursor() must give ${expected}; got ${describe(given)}`);
}
