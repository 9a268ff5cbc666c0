import { isDecodable } from '../engine/kit/percent.js';

/** What an address has to look like, for messages. */
const ADDRESS = 'redis://user:password@host:6379/0, or the same with rediss:// for TLS';

/** What is wrong with the address of a server, told without showing any of it; `undefined`: nothing. */
export function addressProblem(address: unknown, name: string): string | undefined {
  const problem = typeof address === 'string' ? problemOf(address) : 'it is no text';
  return problem === undefined ? undefined : `${name} must be ${ADDRESS}: ${problem}`;
}

/**
 * Only what both client libraries understand in the same way is right: ioredis takes `REDISS://` for a connection without TLS, and what has
 * no scheme for a host or a path.
 */
function problemOf(address: string): string | undefined {
  if (!/^rediss?:\/\//.test(address)) return 'it does not begin with redis:// or rediss://';
  // Where the user or the password ends, and the host begins, is then anybody's guess.
  const unencoded = 'in a user or password / is written %2F, ? %3F, # %23, @ %40 and % %25';
  if (!URL.canParse(address)) return `its host or port is none (${unencoded})`;
  const { username, password, hostname, port, pathname, search, hash } = new URL(address);
  if (hostname === '') return 'it has no host';
  if (port === '0') return 'its port is not from 1 to 65535';
  if (!/^\/?$|^\/\d+$/.test(pathname)) return `what follows the host is not the number of a database (${unencoded})`;
  if (hash !== '' || search.includes('@')) return `something follows the number of the database (${unencoded})`;
  return [username, password].every(isDecodable) ? undefined : `its user or password is not encoded (${unencoded})`;
}
