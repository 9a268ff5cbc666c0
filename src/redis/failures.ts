import { cleanError, secretsOf } from '../engine/kit/clean-error.js';
import { SseError } from '../errors.js';

/** Where the credentials are: of the engine's options those that say where the server is. */
export interface Source {
  readonly client: object | undefined;
  readonly url: string | undefined;
  readonly options: object | undefined;
}

/** What leaves the engine when something fails: never with the credentials that it connects with. */
export class Failures {
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  /** A driver's error, as it may be told. */
  clean(error: unknown): Error {
    return cleanError(error, this.#secrets());
  }

  /** Says that Redis could not do something, and why. */
  failed(what: string, cause: unknown, timeoutMs?: number): SseError {
    const late = timeoutMs === undefined ? '' : ` within ${timeoutMs} ms`;
    return this.#of('engine-failed', `Redis could not ${what}${late}`, cause ?? new Error('it did not answer'));
  }

  /** Says that an event may have been stored, and why that is not known. */
  uncertain(cause: unknown): SseError {
    return this.#of('engine-uncertain', 'Redis may have stored the event, or not', cause);
  }

  /** Says that the client library makes no client of what it was given. */
  unusable(cause: unknown): SseError {
    return this.#of('invalid-options', 'redisEngine: no client can be made of url or options', cause);
  }

  #of(code: 'engine-failed' | 'engine-uncertain' | 'invalid-options', what: string, error: unknown): SseError {
    const cause = this.clean(error);
    return new SseError(code, `${what}: ${cause.message}`, { cause });
  }

  /** Asked for when something has failed: the password of a client that was given may have been changed meanwhile. */
  #secrets(): string[] {
    const { client, url, options } = this.#source;
    const { options: own, _options: ofCluster, startupNodes } = (client ?? {}) as Readonly<Record<string, unknown>>;
    return secretsIn([url, options, own, ofCluster, startupNodes]);
  }
}

/** How deep options are: `redisOptions.tls.passphrase` of a cluster, in a list of ours. */
const MAX_DEPTH = 6;

/** The passwords in options of either client library, and in the addresses there. */
export function secretsIn(value: unknown, name = '', depth = 0): string[] {
  if (typeof value === 'string') {
    if (value.includes('://')) return [...secretsOf(value), ...inQuery(value)];
    return /pass/i.test(name) ? [value, encodeURIComponent(value)] : [];
  }
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return [];
  const isPlain = Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value) as object);
  if (!isPlain) return [];
  return Object.entries(value).flatMap(([key, each]) => secretsIn(each, key, depth + 1));
}

/** ioredis takes any of its options from there. */
function inQuery(address: string): string[] {
  const { search = '', searchParams } = URL.canParse(address) ? new URL(address) : {};
  if (search === '' || searchParams === undefined) return [];
  const found = [...searchParams].flatMap(([name, value]) => secretsIn(value, name));
  return found.length > 0 ? [address, ...found] : [];
}
