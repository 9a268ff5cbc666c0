import type { WireRequest } from '../wire/profile.js';

/**
 * Reads where a client goes on that says how many events it has, in a parameter of the URL; one that says nothing may have an id.
 *
 * @param first the number that says that it has one event
 */
export function countedBy(
  parameter: string,
  first: 0 | 1,
): (request: WireRequest) => string | { events: number } | undefined {
  return ({ headers, query }) => {
    const count = query.get(parameter) ?? '';
    // What is no number is a place that nobody knows.
    if (count !== '') return /^\d{1,15}$/.test(count) ? { events: Number(count) + 1 - first } : count;
    const id = headers['last-event-id'];
    return typeof id === 'string' && id !== '' ? id : undefined;
  };
}
