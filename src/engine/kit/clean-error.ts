import { describe } from '../../errors.js';
import { decoded } from './percent.js';

/** What of an error's own properties says why something failed, and never with which credentials. */
const TOLD = ['code', 'errno', 'syscall', 'address', 'port', 'severity', 'routine'] as const;
const MAX_DEPTH = 8;
const HIDDEN = '***';

/**
 * A driver's error as it may be logged and handed on: its name, message, code, stack and causes. Drivers attach more: the command with its
 * password, the address that they were given, the whole connection.
 *
 * @param secrets texts that must not be told, wherever they stand
 */
export function cleanError(error: unknown, secrets: readonly string[] = []): Error {
  return clean(error, secrets, 0);
}

/**
 * What must not be told of an address with credentials: its password, encoded and not, and the whole.
 *
 * @returns nothing for an address without a password
 */
export function secretsOf(address: string): string[] {
  const password = URL.canParse(address) ? new URL(address).password : '';
  if (password !== '') return [address, password, decoded(password) ?? password];
  // Mistyped: what stands before the last `@` may be a password that should have been encoded.
  const [, credentials] = /^(?:\w+:\/*)?(.*)@/s.exec(address) ?? [];
  return credentials === undefined ? [] : [address, credentials, credentials.slice(credentials.indexOf(':') + 1)];
}

function clean(error: unknown, secrets: readonly string[], depth: number): Error {
  const hide = (text: string): string =>
    secrets.reduce((told, secret) => (secret === '' ? told : told.replaceAll(secret, HIDDEN)), text);
  if (!(error instanceof Error)) return new Error(hide(typeof error === 'string' ? error : describe(error)));
  const options =
    error.cause === undefined || depth >= MAX_DEPTH ? {} : { cause: clean(error.cause, secrets, depth + 1) };
  const errors: unknown = 'errors' in error ? error.errors : undefined;
  const told =
    Array.isArray(errors) && depth < MAX_DEPTH
      ? new AggregateError(
          errors.map((each) => clean(each, secrets, depth + 1)),
          hide(error.message),
          options,
        )
      : new Error(hide(error.message), options);
  if (error.name !== told.name)
    Object.defineProperty(told, 'name', { value: error.name, configurable: true, writable: true });
  Object.defineProperty(told, 'stack', { value: hide(String(error.stack)), configurable: true, writable: true });
  for (const name of TOLD) {
    const value: unknown = Reflect.get(error, name);
    if (typeof value === 'number') Object.assign(told, { [name]: value });
    if (typeof value === 'string') Object.assign(told, { [name]: hide(value) });
  }
  return told;
}
