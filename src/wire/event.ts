import { SseError, describe } from '../errors.js';

/** What is sent to a client: data, and how the client is to take it. Nest's `MessageEvent` fits. */
export interface SseEvent<T = unknown> {
  /** A string is sent as text, a `Uint8Array` as base64, everything else as JSON. `null` is JSON's null. */
  readonly data: T;
  /** What the client listens for. Absent and empty mean `message`. */
  readonly type?: string | undefined;
  /** What the client sends back as `Last-Event-ID`, without white space around it. Empty makes it forget the last one. */
  readonly id?: string | undefined;
  /** How long the client waits before it reconnects, in whole milliseconds: 0 to 3,600,000, an hour. */
  readonly retry?: number | undefined;
  /** Seen in the raw stream, never by the client's listeners. */
  readonly comment?: string | undefined;
}

/** An event as it is read from a topic: what `filter()` and `map()` get, and what is observed. */
export type ReadEvent<E extends SseEvent = SseEvent> = E & {
  /** The name of its topic. The client is told it with `nameTopics`. */
  readonly topic: string;
};

/** An event without data: no listener of the client hears of it. */
export interface SseNotice {
  /** Seen in the raw stream, never by the client's listeners. */
  readonly comment?: string | undefined;
  /** How long the client waits before it reconnects, in whole milliseconds: 0 to 3,600,000, an hour. */
  readonly retry?: number | undefined;
}

/** Event types and ids that begin so are the module's own. */
export const RESERVED_PREFIX = 'stream.';

/** A client that was told to stay away for longer would not be heard of again. */
export const MAX_RETRY_MS = 3_600_000;

/** An id travels back in a request header, and proxies refuse long ones: all headers together may have 8 KiB in nginx. */
export const MAX_ID_BYTES = 1_024;

/** How many fields of a wrong event its refusal names. */
const MAX_TOLD_FIELDS = 5;

const FIELDS: ReadonlySet<string> = new Set(['data', 'type', 'id', 'retry', 'comment']);

/**
 * Tells whether a value has the shape of an event: a plain object with `data`, or with only `comment` or `retry`, and
 * no field that an event does not have. Says nothing of the fields' values: see {@link checkEvent}.
 */
export function isEvent(value: unknown): value is SseEvent | SseNotice {
  if (!isPlainObject(value) || unknownField(value) !== undefined) return false;
  return Object.hasOwn(value, 'data') || isNotice(value);
}

/**
 * Takes an event as it is at this moment, and any other value as the data of one. A number as the id becomes text: rows of a database
 * have such ids, and `@Sse()` of Nest takes them.
 */
export function toEvent(value: unknown): SseEvent | SseNotice {
  if (!isEvent(value)) return { data: value };
  const event = { ...value } as { id?: unknown };
  if (typeof event.id === 'number' && Number.isFinite(event.id)) event.id = String(event.id);
  return event as SseEvent | SseNotice;
}

/**
 * Says that a value is an event, where a source could also mean data of its own: `{ type: 'tick', price: 1 }` has a field that no event
 * has, and would be sent as the data of one without a type.
 *
 * @throws SseError `invalid-event`
 *
 * @example
 * ```ts
 * ticks.pipe(map(({ price }) => asEvent({ type: 'tick', data: { price } })));
 * ```
 */
export function asEvent<E extends SseEvent | SseNotice>(event: E): E {
  const copy = copyEvent(event);
  checkSourceEvent(copy);
  return copy as E;
}

/**
 * Says that a value is the data of an event, where a source could also mean an event: `{ data: 1 }` of a database would be sent as `1`.
 *
 * @example
 * ```ts
 * rows.pipe(map((row) => asData(row)));
 * ```
 */
export function asData<T>(value: T): SseEvent<T> {
  return { data: value };
}

/**
 * Reads each field of an event once: a getter or a proxy could otherwise give the check one answer and the encoder
 * another. What is no plain object stays as it is.
 *
 * @throws SseError `invalid-event` when the value cannot be looked at
 */
export function copyEvent(value: unknown): unknown {
  try {
    return isPlainObject(value) ? { ...value } : value;
  } catch (cause) {
    throw new SseError('invalid-event', 'An event could not be read; see the cause.', { cause });
  }
}

/**
 * Checks that an event can be put on the wire as it is given. What cannot is refused, not repaired: a line break in
 * an id or a type would let its author add fields to someone else's stream.
 *
 * @throws SseError `invalid-event`, saying what was expected and what was got.
 * @see WHATWG HTML 9.2.5, "Parsing an event stream"
 */
export function checkEvent(event: unknown): asserts event is SseEvent | SseNotice {
  if (!isPlainObject(event)) throw invalid('An event must be a plain object', event);
  const unknown = unknownField(event);
  if (unknown !== undefined) throw invalid(`An event's fields are ${[...FIELDS].join(', ')}`, unknown);

  if (Object.hasOwn(event, 'data')) checkData(event.data);
  else if (!isNotice(event))
    throw new SseError('invalid-event', `An event must have data, or only a comment or retry, got ${keysOf(event)}.`);

  if (event.type !== undefined) checkToken('type', event.type);
  if (event.id !== undefined) checkId(event.id);
  if (event.retry !== undefined) checkRetry(event.retry);
  if (event.comment !== undefined && typeof event.comment !== 'string') {
    throw invalid("An event's comment must be a string", event.comment);
  }
}

const OWN = Symbol.for('nestjs-event-stream.own-event');

const READ = Symbol.for('nestjs-event-stream.read-event');

/**
 * Marks an event as one that was read, also after it has been copied: wherever it goes, its topic is no field of it, and not one of a
 * value that only looks like an event. The mark has no value, so that tests which compare events need not know of it.
 *
 * The event itself is changed, which must be nobody else's: filters are asked of each event for each connection, and a copy would
 * double what they cost.
 */
export function readEvent(event: SseEvent | SseNotice, id: string, topic: string): ReadEvent | SseNotice {
  const read = event as { id?: string; topic?: string; [READ]?: undefined };
  read.id = id;
  read.topic = topic;
  read[READ] = undefined;
  return event;
}

/** Marks an event as one of this module's own, also after it has been copied: it may pass where its type is reserved. */
export function ownEvent<T>(event: SseEvent<T>): SseEvent<T> {
  return { ...event, [OWN]: true } as SseEvent<T>;
}

/**
 * Checks an event of a source: any that can be put on the wire, but for the module's own types and ids.
 *
 * @throws SseError `invalid-event`
 */
export function checkSourceEvent(event: unknown): asserts event is SseEvent | SseNotice {
  checkEvent(event);
  if (!('data' in event) || OWN in event) return;
  for (const name of ['type', 'id'] as const) {
    if (event[name]?.startsWith(RESERVED_PREFIX)) {
      throw invalid(`An event's ${name} must not begin with "${RESERVED_PREFIX}", which is reserved`, event[name]);
    }
  }
}

/**
 * Checks an event that is published to a topic. On top of {@link checkSourceEvent}, an id must be one that a client
 * can resume from: not empty, which would make the client forget its position, and at most 1,024 bytes of UTF-8.
 *
 * @throws SseError `invalid-event`
 */
export function checkPublishable(event: unknown): asserts event is SseEvent | SseNotice {
  checkSourceEvent(event);
  if (!('data' in event) || event.id === undefined) return;
  if (event.id === '') throw invalid("A published event's id must not be empty", event.id);
  if (event.id.length > MAX_ID_BYTES || new TextEncoder().encode(event.id).length > MAX_ID_BYTES) {
    throw invalid(`A published event's id must have at most ${MAX_ID_BYTES} bytes of UTF-8`, event.id);
  }
}

/** @internal @throws SseError `invalid-event` */
export function checkToken(name: 'id' | 'type', value: unknown): asserts value is string {
  if (typeof value !== 'string') throw invalid(`An event's ${name} must be a string`, value);
  if (/[\r\n\0\p{Surrogate}]/u.test(value)) {
    throw invalid(`An event's ${name} must not contain a line break, NUL or a lone surrogate`, value);
  }
}

/** What stands around a header's value is not part of it, so the id that a client sends back would be another one. */
function checkId(value: unknown): void {
  checkToken('id', value);
  if (value.trim() !== value) throw invalid("An event's id must not begin or end with white space", value);
}

/** @internal @throws SseError `invalid-event` */
export function checkRetry(value: unknown, most = MAX_RETRY_MS): asserts value is number {
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > most) {
    throw invalid(`An event's retry must be a whole number of milliseconds, 0 to ${most}`, value);
  }
}

function checkData(data: unknown): void {
  if (data === undefined) throw invalid("An event's data must not be undefined; use null to send nothing", data);
  if (typeof data === 'function' || typeof data === 'symbol') {
    throw invalid("An event's data must be a string, bytes or a JSON value", data);
  }
}

/** An object of another realm counts: its prototype is that realm's `Object.prototype`, which has none itself. */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function unknownField(value: object): string | undefined {
  // Asked for each event that is published: without a list of its names.
  for (const name in value)
    if (!FIELDS.has(name) && !(name === 'topic' && READ in value) && Object.hasOwn(value, name)) return name;
  return undefined;
}

function keysOf(value: object): string {
  const keys = Object.keys(value).map(describe);
  if (keys.length === 0) return 'an object without a field';
  const told = keys.slice(0, MAX_TOLD_FIELDS);
  return `only ${told.join(' and ')}${keys.length > told.length ? ` and ${keys.length - told.length} more` : ''}`;
}

function isNotice(value: Record<string, unknown>): boolean {
  const says = value.comment !== undefined || value.retry !== undefined;
  return says && value.type === undefined && (value.id === undefined || READ in value);
}

function invalid(expected: string, got: unknown): SseError {
  return new SseError('invalid-event', `${expected}, got ${describe(got)}.`);
}
