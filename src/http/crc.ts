import { crc32 } from 'node:zlib';

/** What bytes contribute to the CRC-32 (RFC 1952, section 8) of whatever they are a part of. */
export class PartChecksum {
  readonly crc: number;
  /** What moves a checksum past as many bytes. */
  readonly shift: number;

  constructor(bytes: Uint8Array) {
    this.crc = crc32(bytes);
    this.shift = shiftOf(bytes.byteLength);
  }
}

/**
 * The checksum of bytes followed by a part. It is linear: that of the whole comes from those of its parts, and no byte is looked
 * at again. That of nothing is 0.
 */
export function appendPart(whole: number, { crc, shift }: PartChecksum): number {
  return (multiply(shift, whole) ^ crc) >>> 0;
}

/** The polynomial of CRC-32. The highest bit stands for the lowest power of x in it, as in those below. */
const POLYNOMIAL = 0xedb88320;
const ONE = 0x80000000;
const X_TO_THE_8TH = 0x00800000;

/** The power of x that a checksum is multiplied by for so many bytes that come after it. */
function shiftOf(bytes: number): number {
  let shift = ONE;
  let power = X_TO_THE_8TH;
  for (let left = bytes; left > 0; left >>>= 1) {
    if ((left & 1) === 1) shift = multiply(power, shift);
    power = multiply(power, power);
  }
  return shift;
}

/** Multiplies two polynomials over GF(2), modulo that of CRC-32. */
function multiply(a: number, b: number): number {
  let product = 0;
  let factor = b;
  for (let bits = a | 0; bits !== 0; bits <<= 1) {
    if (bits < 0) product ^= factor;
    factor = (factor & 1) === 1 ? (factor >>> 1) ^ POLYNOMIAL : factor >>> 1;
  }
  return product >>> 0;
}
