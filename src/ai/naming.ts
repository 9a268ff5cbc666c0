import { SseError, describe } from '../errors.js';
import type { SseEvent } from '../wire/event.js';

/** What ends a stream for clients that wait for it; anything else they take for a broken one, or for what is still to come. */
export const DONE: SseEvent = { data: '[DONE]' };

/** The same event without a name: clients that look for none skip those that have one, or take them for something else. */
export function unnamed(event: SseEvent): SseEvent {
  const { type, ...others } = event;
  return type === undefined ? event : others;
}

/** The same event, named as its data says in `type`; or with the name that it has, which its data then says, too. */
export function named(profile: string, event: SseEvent): SseEvent {
  const { data, type = '' } = event;
  const own = typeOf(data);
  if (typeof own === 'string' && own !== '') return { ...event, type: own };
  if (type === '' || typeof data !== 'object' || data === null || Array.isArray(data)) {
    // Without one its client would skip it silently.
    const expected = `${profile}: an event must be an object with a type`;
    throw new SseError('invalid-event', `${expected}, got ${describe(data)}.`);
  }
  return { ...event, data: { type, ...data } };
}

/** What an object has under a name; `undefined` for anything else. */
export function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** A text with its next piece. What is no text is none. */
export function extended(text: unknown, piece: unknown): string {
  return (typeof text === 'string' ? text : '') + (typeof piece === 'string' ? piece : '');
}

/** Each of the data of some events that is an object. */
export function* objectsIn(events: readonly SseEvent[]): Generator<Record<string, unknown>> {
  for (const { data } of events) if (typeof data === 'object' && data !== null) yield data as Record<string, unknown>;
}

function typeOf(data: unknown): unknown {
  return fieldOf(data, 'type');
}
