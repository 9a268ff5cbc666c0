import { describe, expect, it } from '@jest/globals';
import { addressKey } from './address.js';

describe('whom an address is counted for', () => {
  it.each(['127.0.0.1', '203.0.113.9', '0.0.0.0', '255.255.255.255'])('%s counts for itself', (address) => {
    expect(addressKey(address)).toBe(address);
  });

  it.each([
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['::FFFF:203.0.113.9', '203.0.113.9'],
  ])('the IPv4-mapped %s counts for %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });

  it.each([
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff'],
    ['2001:db8:1:2::1', '2001:0DB8:0001:0002:0000:0000:0000:0001'],
    ['2001:db8::1', '2001:db8:0:0:1:2:3:4'],
    ['::1', '::2'],
    ['fe80::1%eth0', 'fe80::1%eth1'],
    ['2001:db8:1:2::1.2.3.4', '2001:db8:1:2::9'],
    ['1:2:3:4::', '1:2:3:4:5:6:7:8'],
  ])('%s and %s are of one network of 64 bits, and count together', (one, other) => {
    expect(addressKey(one)).toBe(addressKey(other));
  });

  it.each([
    ['2001:db8:1:2::1', '2001:db8:1:3::1'],
    ['2001:db8:1::1', '2001:db8:2::1'],
    ['2001:db8::', '2001:db80::'],
    ['10.0.0.1', '10.0.0.2'],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.2'],
  ])('%s and %s count apart', (one, other) => {
    expect(addressKey(one)).not.toBe(addressKey(other));
  });

  it('an IPv4-mapped address in hexadecimal counts for its IPv4 address', () => {
    expect(addressKey('::ffff:cb00:7109')).toBe('203.0.113.9');
  });

  it.each([
    ['203.0.113.9:51234', '203.0.113.9'],
    ['[2001:db8:1:2::1]:51234', '2001:db8:1:2::1'],
  ])('%s, as some proxies forward it, counts for %s whatever its port', (forwarded, address) => {
    expect(addressKey(forwarded)).toBe(addressKey(address));
  });

  it.each(['', 'unknown', '_hidden', '::ffff:999.1.1.1', '1.2.3', ':::', 'a'.repeat(10_000)])(
    'what is no address (%#) counts for itself, and never throws',
    (address) => {
      expect(addressKey(address)).toBe(address);
    },
  );
});
