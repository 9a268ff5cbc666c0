import type { SseConnection } from '../connection/sse-connection.js';
import { problemOf, refuse } from '../rules.js';

/**
 * Where a client goes on whose answer was cut: a URL, which may be relative to that of the request; or a function that gives one for each
 * answer, `undefined` for none.
 */
export type ResumeAt = string | ((connection: SseConnection) => string | undefined);

/** As a header carries it: anything else in it would be lost on the way, or add a header. */
const url = {
  expected: 'a URL in visible ASCII characters, such as encodeURI() makes',
  allows: (value: unknown) => typeof value === 'string' && /^[\x21-\x7e]+$/.test(value),
};

/** Says what is wrong with the option; `undefined`: nothing. */
export function resumeAtProblem(value: unknown, name: string): string | undefined {
  if (typeof value === 'function') return undefined;
  return problemOf(value, { ...url, expected: `${url.expected}, or a function that gives one` }, name);
}

/**
 * Asks where the client of a stream goes on.
 *
 * @throws SseError `invalid-options` when the function gives something else, and what it throws
 */
export function placeToResume(resumeAt: ResumeAt | undefined, connection: SseConnection): string | undefined {
  if (typeof resumeAt !== 'function') return resumeAt;
  const given: unknown = resumeAt(connection);
  const problem = problemOf(given, url, 'what resumeAt() returns');
  if (problem !== undefined) refuse('@SseStream()', problem);
  return given as string | undefined;
}
