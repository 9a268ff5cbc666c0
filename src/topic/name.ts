import { SseError, describe } from '../errors.js';

/** The most bytes that a topic name, a pattern or a definition's path may have in UTF-8. */
const MAX_NAME_BYTES = 1_024;

/** The most bytes that one UTF-16 code unit can take in UTF-8: names shorter than the quotient need no counting. */
const MAX_BYTES_PER_UNIT = 3;

const SEGMENT = String.raw`(?!:)[^\u0000-\u001f\u007f/*\p{Cs}]+`;
const NAME = new RegExp(`^${SEGMENT}(?:/${SEGMENT})*$`, 'u');

// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/;
const LONE_SURROGATE = /\p{Cs}/u;

const utf8 = new TextEncoder();

/**
 * Checks that a value is a topic name.
 *
 * A name is 1 to 1,024 bytes of UTF-8: segments separated by `/`, none of them empty, without control characters
 * (U+0000–U+001F, U+007F), lone surrogates or `*`, and no segment begins with `:`. Everything else is allowed, and
 * names are compared byte by byte: case matters, nothing is normalised.
 *
 * @throws {@link SseError} with the code `invalid-topic`
 */
export function checkTopicName(name: unknown): asserts name is string {
  const problem = nameProblem(name);
  if (problem !== undefined) throw new SseError('invalid-topic', `A topic name ${problem}; got ${describe(name)}`);
}

/**
 * Tells which rule of {@link checkTopicName} a value breaks, as the end of a sentence ("must be a string"), or
 * `undefined` when it is a topic name.
 *
 * @internal
 */
export function nameProblem(name: unknown): string | undefined {
  if (typeof name !== 'string') return 'must be a string';
  if (!fits(name)) return `must have at most ${MAX_NAME_BYTES} bytes in UTF-8`;
  return NAME.test(name) ? undefined : brokenRule(name);
}

function fits(name: string): boolean {
  if (name.length * MAX_BYTES_PER_UNIT <= MAX_NAME_BYTES) return true;
  return name.length <= MAX_NAME_BYTES && utf8.encode(name).length <= MAX_NAME_BYTES;
}

function brokenRule(name: string): string {
  if (name === '') return 'must not be empty';
  if (CONTROL_CHARACTER.test(name)) return 'must not contain control characters';
  if (LONE_SURROGATE.test(name)) return 'must not contain half of a surrogate pair';
  if (name.includes('*')) return "must not contain '*' (only a pattern may, as a whole segment: '*' or '**')";
  const segments = name.split('/');
  if (segments.includes('')) return 'must not have an empty segment (no leading, trailing or double slash)';
  const parameter = segments.find((segment) => segment.startsWith(':'));
  return `must not have a segment that begins with ':' (fill the parameter ${describe(parameter)})`;
}
