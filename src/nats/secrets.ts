import { secretsOf } from '../engine/kit/clean-error.js';
import { decoded } from '../engine/kit/percent.js';

const NAMES = ['pass', 'password', 'token', 'creds', 'nkey', 'seed', 'jwt'] as const;
const TLS_NAMES = ['key', 'pfx', 'passphrase'] as const;

/** What must not be told of the options that a connection is made with. What an authenticator keeps to itself cannot be known. */
export function secretsOfOptions(options: unknown): string[] {
  const tls = isObject(options) ? options['tls'] : undefined;
  const texts = [...valuesOf(options, NAMES), ...valuesOf(tls, TLS_NAMES)];
  return texts.flatMap((text) => [text, encodeURIComponent(text)]).filter((text) => text !== '');
}

/** What must not be told of an address, encoded or not. */
export function secretsOfAddress(address: string): string[] {
  return secretsOf(address).flatMap((secret) => [secret, decoded(secret) ?? secret]);
}

function valuesOf(object: unknown, names: readonly string[]): string[] {
  if (!isObject(object)) return [];
  return names.flatMap((name) => {
    const value = object[name];
    if (typeof value === 'string') return [value];
    return value instanceof Uint8Array ? [Buffer.from(value).toString()] : [];
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
