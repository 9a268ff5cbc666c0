import { isIPv6 } from 'node:net';

/**
 * Whom connections from an address are counted for: an IPv4 address, or the first 64 bits of an IPv6 one, since whoever
 * has one of those addresses has all of them (RFC 6177).
 */
export function addressKey(address: string): string {
  const plain = withoutPort(address).replace(/%.*$/, '').toLowerCase();
  if (!isIPv6(plain)) return plain;
  const groups = groupsOf(plain);
  return ipv4Of(groups) ?? `${groups.slice(0, 4).join(':')}::/64`;
}

/** Some proxies forward an address with the port of the connection. */
function withoutPort(address: string): string {
  return /^\[(.*)\](?::\d+)?$/.exec(address)?.[1] ?? /^(\d+(?:\.\d+){3}):\d+$/.exec(address)?.[1] ?? address;
}

/** The IPv4 address that an IPv6 one stands for (RFC 4291, section 2.5.5.2). */
function ipv4Of(groups: readonly string[]): string | undefined {
  if (groups.slice(0, 6).join(':') !== '0:0:0:0:0:ffff') return undefined;
  return groups
    .slice(6)
    .flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255])
    .join('.');
}

/** The eight groups of an IPv6 address, without leading zeros. */
function groupsOf(address: string): string[] {
  const [head = '', tail] = address.split('::');
  const before = split(head);
  const after = tail === undefined ? [] : split(tail);
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0');
  return [...before, ...zeros, ...after].map((group) => group.replace(/^0+(?=.)/, ''));
}

/** Groups between colons; a dotted IPv4 tail is two of them. */
function split(part: string): string[] {
  return part === '' ? [] : part.split(':').flatMap((group) => (group.includes('.') ? hexOf(group) : group));
}

function hexOf(ipv4: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0] = ipv4.split('.').map(Number);
  return [a * 256 + b, c * 256 + d].map((group) => group.toString(16));
}
