import { SseError, describe } from '../errors.js';
import { anyFunction, problemIn } from '../rules.js';
import type { Rules } from '../rules.js';
import type { Dialect, Ending } from './dialect.js';
import { HEARTBEAT, encodeCursor, encodeEvent, encodeFields, encodeRetry, encodeStart } from './encode.js';
import { checkEvent } from './event.js';
import type { SseEvent, SseNotice } from './event.js';
import { fieldsOf, unpackEvent } from './payload.js';
import type { Payload } from './payload.js';
import type { EndReason, RefusalReason } from './words.js';

/** What a profile is told of a stream that ends without a failure of its own. */
export interface WireEnding {
  /** `complete`: all is said. `stopped`: somebody has stopped the run, and nothing more will be said. */
  readonly reason: EndReason;
  /** Whether the client is to come back, if it can. */
  readonly reconnect: boolean;
  /** The id behind which it can go on; `undefined` when there is none, as of a source without a topic. */
  readonly place: string | undefined;
  /** The body of its request, as the framework has parsed it. */
  readonly body: unknown;
}

/** What a profile is told of a stream that cannot go on. */
export interface WireFailure {
  /** The code of an `SseError`; `failed` for any other error; `reset` when events are missing; or the reason for which the module ended the stream. */
  readonly code: string;
  /** That, as a sentence that says nothing of the error. */
  readonly message: string;
  /** The error itself; `undefined` when it happened on another node, or was none. What is told of it, everybody reads. */
  readonly error: unknown;
  /** The body of the request, as the framework has parsed it. */
  readonly body: unknown;
}

/** What of a request a profile may look at. */
export interface WireRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The query of its URL. */
  readonly query: URLSearchParams;
}

/**
 * How the streams of a route speak to clients that were made for another protocol than this module's: what goes out of each event, and of
 * what happens to the stream. Events are encoded once for all streams of a profile that stand at the same place, so the functions depend
 * on what they are given and on nothing else.
 *
 * Such a stream has no events of the types `stream.*`. Its topics' events keep their `id:` lines. When events are missing it ends with `error`.
 */
export interface WireProfile {
  /** Names it in messages. */
  readonly name: string;
  /** Further headers of the responses. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** What goes out in place of an event; `undefined`: nothing. Absent: each as it is. */
  readonly encode?: ((event: SseEvent) => SseEvent | undefined) | undefined;
  /**
   * What goes out last when the stream has ended, or is ended by the module. `undefined`, as where it is absent: nothing when it is complete,
   * and otherwise what `error` gives.
   */
  readonly end?: ((ending: WireEnding) => readonly SseEvent[] | undefined) | undefined;
  /** What goes out last when the stream cannot go on. Absent: nothing. */
  readonly error?: ((failure: WireFailure) => readonly SseEvent[]) | undefined;
  /** A sign of life. Absent: a comment that says nothing. */
  readonly heartbeat?: SseEvent | SseNotice | undefined;
  /** What gives a client a place to resume from without an event of its topics. Absent: an `id:` line alone. */
  readonly prime?: ((id: string) => SseEvent) | undefined;
  /**
   * Where a client goes on that comes back: behind the event with an id, or behind so many events, counted from where the topics begin.
   * `undefined`: as one that has come for the first time. Absent: `Last-Event-ID`.
   */
  readonly cursor?: ((request: WireRequest) => string | { readonly events: number } | undefined) | undefined;
  /** The status of an answer without a stream, where a handler gives nothing and its route does not say. */
  readonly none?: 204 | 404 | undefined;
  /** One document of all events, as their source gave them, for who asks for JSON. Absent: an array of their data. */
  readonly reduce?: ((events: readonly SseEvent[]) => unknown) | undefined;
}

const RULES: Rules<WireProfile> = {
  name: { expected: 'a string', allows: (value) => typeof value === 'string' },
  headers: { expected: 'an object', allows: (value) => typeof value === 'object' && value !== null },
  encode: anyFunction,
  end: anyFunction,
  error: anyFunction,
  heartbeat: { expected: 'an event, or a comment', allows: canBeSent },
  prime: anyFunction,
  cursor: anyFunction,
  none: { expected: '204 or 404', allows: (value) => value === 204 || value === 404 },
  reduce: anyFunction,
};

/** What is wrong with a value given as `wire`, as a sentence that names the option; `undefined`: nothing. */
export function wireProblem(value: unknown, name: string): string | undefined {
  const problem = problemIn(value, RULES, `${name}.`);
  if (problem !== undefined) return problem;
  return (value as WireProfile).name === undefined ? `${name}.name must be a string; got undefined` : undefined;
}

function canBeSent(value: unknown): boolean {
  try {
    checkEvent(value);
    return encodeFields(value) !== '';
  } catch {
    return false;
  }
}

const known = new WeakMap<WireProfile, Dialect>();

/** The dialect of a profile: one for all routes that have it, so that they share bytes. */
export function dialectOf(profile: WireProfile): Dialect {
  let dialect = known.get(profile);
  if (dialect === undefined) known.set(profile, (dialect = new ProfileDialect(profile)));
  return dialect;
}

/** Why each stream ends that is not complete, for a client that knows nothing of this module. */
const ENDED: Readonly<Record<Exclude<EndReason, 'complete'>, string>> = {
  stopped: 'It was stopped',
  expired: 'What let the client in has expired',
  revoked: 'The client may not read this any more',
  'slow-consumer': 'The client has not kept up',
  lifetime: 'The stream has lasted for as long as it may',
  shutdown: 'The server is shutting down',
  closed: 'The stream was closed by the server',
};

class ProfileDialect implements Dialect {
  readonly isForeign = true;
  readonly heartbeat: string;
  readonly #profile: WireProfile;

  constructor(profile: WireProfile) {
    this.#profile = profile;
    this.heartbeat = profile.heartbeat === undefined ? HEARTBEAT : encodeEvent(profile.heartbeat);
  }

  start(retryMs: number | false, heartbeatMs: number | false): string {
    return encodeStart(retryMs, heartbeatMs);
  }

  entry(parts: (string | Uint8Array)[], id: string, payload: Payload): void {
    if (this.#profile.encode === undefined) parts.push(`id: ${id}\n`, fieldsOf(payload), '\n');
    else parts.push(this.event(unpackEvent(payload), id));
  }

  event(event: SseEvent | SseNotice, id?: string): string {
    const encoded = this.#encoded(event);
    if (id === undefined) return encoded === undefined ? '' : encodeEvent(encoded);
    return encoded === undefined ? encodeCursor(id) : `id: ${id}\n${encodeFields(encoded)}\n`;
  }

  place(id: string): string {
    const { prime } = this.#profile;
    return prime === undefined ? encodeCursor(id) : encodeEvent(unawaited(prime(id)));
  }

  reset(): string {
    return this.#failed({ code: 'reset', message: 'Events are missing that the server has no more' });
  }

  end({ reason, reconnect, retryMs, place, body }: Ending): string {
    const retry = retryMs === undefined ? '' : encodeRetry(retryMs);
    const events = this.#profile.end?.({ reason, reconnect, place, body });
    if (events !== undefined) return retry + all(events);
    return retry + (reason === 'complete' ? '' : this.#failed({ code: reason, message: ENDED[reason], body }));
  }

  failure(error: unknown, _reconnect: boolean, _id: string | undefined, body: unknown): string {
    const code = SseError.is(error) ? error.code : 'failed';
    return this.#failed({ code, message: 'The stream was ended by an error on the server', error, body });
  }

  refusal(reason: RefusalReason): string {
    return this.#failed({ code: reason, message: 'The stream could not be opened' });
  }

  #encoded(event: SseEvent | SseNotice): SseEvent | SseNotice | undefined {
    const { encode } = this.#profile;
    if (encode === undefined || !('data' in event)) return event;
    const encoded = unawaited(encode(event));
    if (encoded !== undefined) checkEncoded(this.#profile, encoded);
    return encoded;
  }

  #failed({ code, message, error, body }: Pick<WireFailure, 'code' | 'message'> & Partial<WireFailure>): string {
    return all(this.#profile.error?.({ code, message, error, body }) ?? []);
  }
}

function all(events: readonly SseEvent[]): string {
  if (Array.isArray(unawaited(events))) return events.map(encodeEvent).join('');
  throw new SseError(
    'invalid-event',
    `A wire profile's end() and error() give arrays of events, got ${describe(events)}.`,
  );
}

/** A promise is never what is asked for, and nobody waits for it: rejected, it would end the process. */
export function unawaited<T>(given: T): T {
  if (typeof (given as { then?: unknown } | undefined)?.then === 'function')
    Promise.resolve(given).catch(() => undefined);
  return given;
}

function checkEncoded({ name }: WireProfile, encoded: unknown): void {
  try {
    checkEvent(encoded);
  } catch (cause) {
    const message = `The wire profile ${describe(name)} has encoded an event as none that can be sent; see the cause.`;
    throw new SseError('invalid-event', message, { cause });
  }
}
