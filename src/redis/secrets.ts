import { secretsOf } from '../engine/kit/clean-error.js';

/** Where the credentials are: of the engine's options those that say where the server is. */
export interface Source {
  readonly client?: object | undefined;
  readonly url?: string | undefined;
  readonly options?: object | undefined;
}

/** What must not be told. To be asked for when something has failed: the password of a client that was given may have been changed meanwhile. */
export function secretsOfSource({ client, url, options }: Source): string[] {
  const { options: own, _options: ofCluster, startupNodes } = (client ?? {}) as Readonly<Record<string, unknown>>;
  return secretsIn([url, options, own, ofCluster, startupNodes]);
}

/** How deep options are: `redisOptions.tls.passphrase` of a cluster, in a list of ours. */
const MAX_DEPTH = 6;

/** The passwords in options of either client library, and in the addresses there. */
function secretsIn(value: unknown, name = '', depth = 0): string[] {
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
