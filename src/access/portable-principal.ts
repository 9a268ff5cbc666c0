import { SseError, describe } from '../errors.js';
import type { Principal } from '../topic/principal.js';

/** Those that may be dates: they travel as numbers. */
const TIMES: ReadonlySet<string> = new Set(['issuedAt', 'expiresAt']);

/**
 * Checks that a principal arrives on another node as it is: what JSON leaves out or changes, such as a getter of a class, would be missed
 * by whoever decides by it there, and `isBanned` would be `undefined`.
 *
 * @throws SseError `invalid-options`, naming what is lost
 */
export function checkPortable(principal: Principal): void {
  if (!isPlain(principal)) throw refused('a plain object as its principal', 'principal', principal);
  const { id, ...claims } = principal;
  if (typeof id !== 'string') throw refused('a principal with a string id', 'principal.id', id);
  for (const [name, claim] of Object.entries(claims)) {
    const path = `principal.${name}`;
    if (!TIMES.has(name)) checkClaim(claim, path, new Set([principal]));
    else if (claim !== undefined && !isTime(claim)) throw refused('a date, or milliseconds since 1970,', path, claim);
  }
}

function checkClaim(claim: unknown, path: string, above: ReadonlySet<unknown>): void {
  if (claim === null || ['string', 'boolean', 'undefined'].includes(typeof claim)) return;
  if (typeof claim === 'number' && Number.isFinite(claim)) return;
  const isList = Array.isArray(claim);
  if (above.has(claim) || !(isList || isPlain(claim))) throw refused('what JSON gives back as it is', path, claim);
  const within = new Set([...above, claim]);
  for (const [name, inner] of Object.entries(claim as object)) {
    checkClaim(inner, isList ? `${path}[${name}]` : `${path}.${name}`, within);
  }
}

/** An object that is nothing but its own values. */
function isPlain(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return false;
  const properties = Object.values(Object.getOwnPropertyDescriptors(value));
  return properties.every((property) => property.enumerable === true && 'value' in property) && !('toJSON' in value);
}

function isTime(value: unknown): boolean {
  return (typeof value === 'number' || value instanceof Date) && Number.isFinite(Number(value));
}

function refused(expected: string, path: string, got: unknown): SseError {
  return new SseError('invalid-options', `A ticket takes ${expected}; ${path} is ${describe(got)}`);
}
