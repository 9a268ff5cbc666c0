import { SseError } from '../errors.js';

const ALPHABET = new TextEncoder().encode('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const PADDING = 0x3d;
const NOT_A_DIGIT = 64;
const DIGITS = new Uint8Array(256).fill(NOT_A_DIGIT);
ALPHABET.forEach((code, digit) => (DIGITS[code] = digit));

/**
 * Writes bytes as base64 with padding (RFC 4648, section 4). Own code, because it runs in browsers too: `btoa` takes
 * no bytes, `Uint8Array.prototype.toBase64` is not in Node 20, and naming `Buffer` makes bundlers ship a copy of it.
 */
export function toBase64(bytes: Uint8Array): string {
  const text = new Uint8Array(Math.ceil(bytes.length / 3) * 4).fill(PADDING);
  for (let from = 0, to = 0; from < bytes.length; from += 3, to += 4) {
    const left = bytes.length - from;
    const bits = (bytes[from]! << 16) | ((bytes[from + 1] ?? 0) << 8) | (bytes[from + 2] ?? 0);
    text[to] = ALPHABET[bits >> 18]!;
    text[to + 1] = ALPHABET[(bits >> 12) & 63]!;
    if (left > 1) text[to + 2] = ALPHABET[(bits >> 6) & 63]!;
    if (left > 2) text[to + 3] = ALPHABET[bits & 63]!;
  }
  return new TextDecoder().decode(text);
}

/**
 * Reads what {@link toBase64} wrote.
 *
 * @throws SseError `invalid-event` when the text is not padded base64.
 */
export function fromBase64(text: string): Uint8Array {
  const digits = text.replace(/={1,2}$/, '');
  if (text.length % 4 !== 0 || digits.length % 4 === 1) throw notBase64();
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  for (let from = 0, to = 0; from < digits.length; from += 4, to += 3) {
    const bits =
      (digit(digits, from) << 18) |
      (digit(digits, from + 1) << 12) |
      (digit(digits, from + 2) << 6) |
      digit(digits, from + 3);
    bytes[to] = bits >> 16;
    bytes[to + 1] = bits >> 8;
    bytes[to + 2] = bits;
  }
  return bytes;
}

/** Past the end counts as zero bits; the stores of `fromBase64` past its array's end are dropped. */
function digit(text: string, at: number): number {
  if (at >= text.length) return 0;
  const value = DIGITS[text.charCodeAt(at)] ?? NOT_A_DIGIT;
  if (value === NOT_A_DIGIT) throw notBase64();
  return value;
}

function notBase64(): SseError {
  return new SseError('invalid-event', 'Expected padded base64 (RFC 4648, section 4).');
}
