import { isDecodable } from '../engine/kit/percent.js';

export const CONNECTION_STRING =
  'postgres://user:password@host:5432/database, with user and password encoded as by encodeURIComponent(), or the path of a Unix socket';

/** Whether the package `pg` would understand it as what it was meant. It takes nearly any text, and tells it when a name is not found. */
export function isConnectionString(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  if (value.startsWith('/')) return true;
  const url = parse(value);
  if (url === undefined || !/^(postgres|postgresql|socket):$/.test(url.protocol)) return false;
  // The rest of a password that has a slash, a question mark or a hash in it.
  const isSplit = url.pathname.includes('@') || url.hash.includes('@') || [...url.searchParams.keys()].some(hasAt);
  return !isSplit && [url.username, url.password, url.hostname, url.pathname].every(isDecodable);
}

/** As the package `pg` does it: spaces and lone percent signs may stand there as they are, and the host may be left out. */
function parse(text: string): URL | undefined {
  const isLoose = / |%[^a-f0-9]|%[a-f0-9][^a-f0-9]/i.test(text);
  const encoded = isLoose ? encodeURI(text).replace(/%25(\d\d)/g, '%$1') : text;
  const tries = [encoded, encoded.replace('@/', '@none/')];
  const found = tries.find((each) => URL.canParse(each));
  return found === undefined ? undefined : new URL(found);
}

function hasAt(text: string): boolean {
  return text.includes('@');
}
