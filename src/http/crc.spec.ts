import { crc32 } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { PartChecksum, appendPart } from './crc.js';

/** Bytes that look like nothing, the same each time. */
const bytesOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, n) => (n * 2_654_435_761) >>> 24);

describe('a checksum', () => {
  it.each([
    [[]],
    [[0]],
    [[1]],
    [[0, 5, 0]],
    [[1, 2, 3, 4]],
    [[65_536, 1]],
    [[1, 65_536]],
    [[100, 4_096, 38, 1_000_003]],
  ])('of parts of %j bytes is that of the whole', (lengths) => {
    const whole = bytesOf(lengths.reduce((sum, length) => sum + length, 0));

    let crc = 0;
    let begin = 0;
    for (const length of lengths) {
      crc = appendPart(crc, new PartChecksum(whole.subarray(begin, begin + length)));
      begin += length;
    }

    expect(crc).toBe(crc32(whole));
  });
});
