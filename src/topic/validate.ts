import type { StandardSchemaV1 } from '@standard-schema/spec';
import { SseError, describe } from '../errors.js';
import type { SseEvent } from '../wire/event.js';
import type { TopicDefinition } from './define.js';
import type { EventMap } from './events.js';

/** How many issues of a schema an error message tells: enough to act on, whatever the size of the data. */
const MAX_ISSUES = 3;

/**
 * Checks an event that is to be published against its topic's definition, and gives it with the data that the schema
 * made of it. The answer is a promise only when the schema's is. Without `events` in the definition every event fits.
 *
 * @throws {@link SseError} with the code `schema-mismatch` when the definition has no such event type, or the schema
 * refuses the data or fails itself (`cause` has its error). An asynchronous schema rejects the promise with it.
 */
export function validateEvent(
  definition: TopicDefinition,
  event: SseEvent<unknown>,
): SseEvent<unknown> | Promise<SseEvent<unknown>> {
  const { events, path } = definition;
  if (events === undefined) return event;
  const type: unknown = event.type || 'message';
  const schema = typeof type === 'string' && Object.hasOwn(events, type) ? events[type] : undefined;
  if (schema === undefined) throw unknownType(path, type, events);

  const settle = (result: StandardSchemaV1.Result<unknown>): SseEvent<unknown> => {
    if (result.issues) throw mismatch(path, type, `does not fit its schema: ${summarise(result.issues)}`);
    return result.value === event.data ? event : { ...event, data: result.value };
  };
  const fail = (cause: unknown): never => {
    throw mismatch(path, type, 'could not be checked, its schema failed', cause);
  };
  const result = attempt(() => schema['~standard'].validate(event.data), fail);
  return 'then' in result ? result.then(settle, fail) : settle(result);
}

function attempt<T>(action: () => T, onError: (cause: unknown) => never): T {
  try {
    return action();
  } catch (error) {
    return onError(error);
  }
}

function unknownType(path: string, type: unknown, events: EventMap): SseError {
  const allowed = Object.keys(events).map(describe).join(', ');
  return new SseError(
    'schema-mismatch',
    `The topic ${describe(path)} has no event type ${describe(type)}, only ${allowed || 'none at all'}`,
  );
}

function mismatch(path: string, type: unknown, problem: string, cause?: unknown): SseError {
  const message = `The data of the event ${describe(type)} for the topic ${describe(path)} ${problem}`;
  return new SseError('schema-mismatch', message, cause === undefined ? undefined : { cause });
}

function summarise(issues: readonly StandardSchemaV1.Issue[]): string {
  const told = issues
    .slice(0, MAX_ISSUES)
    .map(({ message, path }) => (path?.length ? `${pathText(path)}: ${message}` : message));
  const untold = issues.length - told.length;
  return told.join('; ') + (untold > 0 ? `; and ${untold} more` : '');
}

function pathText(path: NonNullable<StandardSchemaV1.Issue['path']>): string {
  return path.map((segment) => String(typeof segment === 'object' ? segment.key : segment)).join('.');
}
