import type { StandardSchemaV1 } from '@standard-schema/spec';
import { describe } from '../errors.js';
import type { ReadEvent, SseEvent } from '../wire/event.js';

/** The event types of a topic, each with a schema of its data: {@link type}, or any Standard Schema (zod, valibot, …). */
export type EventMap = Readonly<Record<string, StandardSchemaV1>>;

/** What is known of a topic's events: `undefined` where the definition says nothing. */
interface HasEvents<Events extends EventMap = EventMap> {
  readonly events: Events | undefined;
}

/** An event as it is read from the topics of a definition: the union over its event types, told apart by `type`. */
export type EventOf<Definition extends HasEvents> =
  Definition extends HasEvents<infer Events>
    ? ReadEvent<EventUnion<Events, { [Type in keyof Events]: StandardSchemaV1.InferOutput<Events[Type]> }>>
    : never;

/** An event as it is published to the topics of a definition: like {@link EventOf}, with the data that goes into the schemas. */
export type PublishedEvent<Definition extends HasEvents> =
  Definition extends HasEvents<infer Events>
    ? EventUnion<Events, { [Type in keyof Events]: StandardSchemaV1.InferInput<Events[Type]> }>
    : never;

type EventUnion<Events extends EventMap, Data extends Record<keyof Events, unknown>> = string extends keyof Events
  ? SseEvent<unknown>
  : { [Type in keyof Events & string]: TypedEvent<Type, Data[Type]> }[keyof Events & string];

/** `message` is what the wire format calls an event without a type. */
type TypedEvent<Type extends string, Data> = Omit<SseEvent<Data>, 'type'> &
  (Type extends 'message' ? { readonly type?: Type | undefined } : { readonly type: Type });

const UNCHECKED: StandardSchemaV1 = Object.freeze({
  '~standard': Object.freeze({
    version: 1,
    vendor: 'nestjs-event-stream',
    validate: (value: unknown) => ({ value }),
  }),
});

/**
 * Declares the data of an event type to the compiler only; nothing is checked at run time. It is itself a Standard
 * Schema, one that takes everything as it is.
 *
 * @example
 * ```ts
 * const ticks = defineTopic('stocks/:symbol', { events: { tick: type<{ price: number }>() } });
 * ```
 */
export function type<T>(): StandardSchemaV1<T> {
  return UNCHECKED as StandardSchemaV1<T>;
}

/** A line break or NUL would add fields to the stream; `stream.` is for what the module itself says. */
const PUBLISHABLE_TYPE = /^(?!stream\.)[^\r\n\0]+$/;

/**
 * Tells what is wrong with a value given as `events`, as a sentence that names the option; `undefined` when it is an
 * {@link EventMap}.
 *
 * @internal
 */
export function eventsProblem(events: unknown): string | undefined {
  if (typeof events !== 'object' || events === null || Array.isArray(events)) {
    return `events must be an object; got ${describe(events)}`;
  }
  for (const [name, schema] of Object.entries(events)) {
    if (!PUBLISHABLE_TYPE.test(name)) {
      return `an event type must be one line, not empty, and not begin with 'stream.'; got ${describe(name)}`;
    }
    if (!isSchema(schema)) return `events.${name} must be type<T>() or a Standard Schema; got ${describe(schema)}`;
  }
  return undefined;
}

function isSchema(value: unknown): value is StandardSchemaV1 {
  // A schema may be a function, as those of arktype are.
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return false;
  const { '~standard': standard } = value as { '~standard'?: { version?: unknown; validate?: unknown } | null };
  return standard?.version === 1 && typeof standard.validate === 'function';
}
