/** An address as the driver takes it, and the credentials that stood in it. */
export interface ServerAddress {
  readonly server: string;
  readonly isTls: boolean;
  readonly credentials: Credentials | undefined;
}

export type Credentials = { readonly user: string; readonly pass: string } | { readonly token: string };

export const EXPECTED_SERVERS =
  'an address or a list of addresses: host, host:port, nats://host:port or tls://host:port, with user:password@ or token@ before the host ' +
  'where they are needed, percent-encoded';

const FORM = /^(?:(nats|tls):\/\/)?(?:([^@/?#\s]*)@)?([^@/?#\s]+)\/?$/i;
const HOST = /^(?:[a-z0-9._-]+|\[[0-9a-f:.%]+\])(?::(\d{1,5}))?$/i;
/** With at least two colons: with one, what follows is a port. */
const BARE_IPV6 = /^[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*$/i;
const MAX_PORT = 65_535;

/**
 * Takes an address apart: the driver itself does not look at what stands before the host.
 *
 * @returns `undefined` for one that is mistyped
 */
export function parseServer(address: string): ServerAddress | undefined {
  const [, scheme, userinfo, host = ''] = FORM.exec(address.trim()) ?? [];
  const [whole, port = '0'] = HOST.exec(host) ?? BARE_IPV6.exec(host) ?? [];
  if (whole === undefined || Number(port) > MAX_PORT) return undefined;
  const credentials = userinfo === undefined ? undefined : parseCredentials(userinfo);
  if (credentials === 'mistyped') return undefined;
  return { server: host, isTls: scheme?.toLowerCase() === 'tls', credentials };
}

function parseCredentials(userinfo: string): Credentials | 'mistyped' {
  const colon = userinfo.indexOf(':');
  try {
    if (colon < 0) return userinfo === '' ? 'mistyped' : { token: decodeURIComponent(userinfo) };
    const user = decodeURIComponent(userinfo.slice(0, colon));
    return user === '' ? 'mistyped' : { user, pass: decodeURIComponent(userinfo.slice(colon + 1)) };
  } catch {
    return 'mistyped';
  }
}
