/**
 * Why an operation of this module failed. Programs switch on the code; people read the message.
 *
 * - `invalid-options`: a module, route or engine option is wrong. Thrown at start.
 * - `invalid-definition`: a topic definition is wrong, or two definitions claim the same pattern.
 * - `invalid-topic`: a topic name or pattern breaks the naming rules, or misses a parameter.
 * - `invalid-event`: an event cannot be put on the wire as it was given.
 * - `schema-mismatch`: the data of an event does not fit the topic's definition.
 * - `topic-ended`: the topic has ended for good, with `complete({ final: true })`; nothing was stored.
 * - `too-many-topics`: one connection asked for more topics than `limits.topicsPerConnection`, or more patterns than
 *   `limits.patternsPerConnection`.
 * - `forbidden`: `authorize` refused a topic, or was not configured where it is required.
 * - `not-a-source`: a route returned something that cannot be streamed.
 * - `not-a-stream`: a stream parameter was used on a route without `@SseStream()`.
 * - `too-large`: something exceeds a limit in bytes.
 * - `run-conflict`: a run under this key is running already, and `onConflict` is `'reject'`.
 * - `run-stopped`: a run was to make one document, and was stopped.
 * - `run-failed`, `run-interrupted`, `run-expired`: how a run has ended that one watches. Its error is told to the node that produced it.
 * - `closed`: the engine, the service or the connection has been closed.
 * - `engine-failed`: the engine could not store or read, and has stored nothing; `cause` has the engine's own error.
 * - `engine-uncertain`: the engine did not answer in time: the event may have been stored, or may yet be, or not.
 */
export type SseErrorCode =
  | 'invalid-options'
  | 'invalid-definition'
  | 'invalid-topic'
  | 'invalid-event'
  | 'schema-mismatch'
  | 'topic-ended'
  | 'too-many-topics'
  | 'forbidden'
  | 'not-a-source'
  | 'not-a-stream'
  | 'too-large'
  | 'run-conflict'
  | 'run-stopped'
  | 'run-failed'
  | 'run-interrupted'
  | 'run-expired'
  | 'closed'
  | 'engine-failed'
  | 'engine-uncertain';

const BRAND = Symbol.for('nestjs-event-stream.error');

/** The one error class of this module. */
export class SseError extends Error {
  override readonly name = 'SseError';
  readonly code: SseErrorCode;

  constructor(code: SseErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Tells whether a value is an `SseError`, also one of another loaded copy of this package. */
  static is(value: unknown): value is SseError {
    return typeof value === 'object' && value !== null && BRAND in value;
  }
}

/** Renders a foreign value for an error message: short, on one line, never throwing. */
export function describe(value: unknown): string {
  if (typeof value === 'string')
    return value.length > 80 ? `${JSON.stringify(value.slice(0, 80))}…` : JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'symbol' || typeof value === 'number' || typeof value === 'boolean' || value == null)
    return String(value);
  if (typeof value === 'function') return 'a function';
  try {
    return Array.isArray(value) ? `an array of ${value.length}` : 'an object';
  } catch {
    // A revoked proxy, of which nothing can be asked.
    return 'an object';
  }
}
