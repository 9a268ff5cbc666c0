/** A place in a lane. Its text form is the SSE `id`. */
export interface Position {
  /** Which life of the lane the sequence belongs to: 6 characters of `0-9a-z`, drawn anew when the log starts anew. */
  readonly epoch: string;
  /** The number of the event in the lane: a safe integer, 0 (before the first event) or more. */
  readonly seq: number;
  /** The engine's clock in milliseconds when the event was stored: a safe integer, never falling within a lane. */
  readonly at: number;
}

const RADIX = 36;
const EPOCH_LENGTH = 6;
const EPOCHS = RADIX ** EPOCH_LENGTH;

/** The length of 2^53 − 1 in base 36. */
const MAX_DIGITS = 11;
const MAX_LENGTH = EPOCH_LENGTH + 2 * (1 + MAX_DIGITS);

/** The last two digits of a sequence. `toString(36)` is slow, and one event after another has the same digits before them, and the same time. */
const LOW = Array.from({ length: RADIX ** 2 }, (_, low) => low.toString(RADIX).padStart(2, '0'));
let lastHigh = 0;
let highText = '0';
let lastAt = 0;
let atText = '0';

const POSITION = /^([0-9a-z]{6})\.(0|[1-9a-z][0-9a-z]*)\.(0|[1-9a-z][0-9a-z]*)$/;

/** The text form of a position, `epoch.seq.at` with the numbers in base 36: ASCII, at most 30 characters. */
export function formatPosition({ epoch, seq, at }: Position): string {
  if (at !== lastAt) {
    lastAt = at;
    atText = at.toString(RADIX);
  }
  const high = Math.floor(seq / LOW.length);
  if (high !== lastHigh) {
    lastHigh = high;
    highText = high.toString(RADIX);
  }
  const low = seq - high * LOW.length;
  return high === 0 ? `${epoch}.${low.toString(RADIX)}.${atText}` : `${epoch}.${highText}${LOW[low]}.${atText}`;
}

/**
 * Reads back what {@link formatPosition} wrote, and nothing else: each position has one text form. Whatever a client may
 * have sent instead gives `undefined`, never an exception.
 */
export function parsePosition(text: unknown): Position | undefined {
  if (typeof text !== 'string' || text.length > MAX_LENGTH) return undefined;
  const [, epoch, seqDigits, atDigits] = POSITION.exec(text) ?? [];
  if (epoch === undefined || seqDigits === undefined || atDigits === undefined) return undefined;
  const seq = Number.parseInt(seqDigits, RADIX);
  const at = Number.parseInt(atDigits, RADIX);
  return Number.isSafeInteger(seq) && Number.isSafeInteger(at) ? { epoch, seq, at } : undefined;
}

/**
 * Draws the epoch of a lane that starts anew: one of 36^6 (about 2^31).
 *
 * @param random gives a number of at least 0 and below 1, evenly spread; the platform's `crypto` unless given
 */
export function createEpoch(random: () => number = cryptoRandom): string {
  return formatEpoch(Math.floor(random() * EPOCHS));
}

/**
 * Gives another epoch at each call, for calls that begin a lane only if there is none: the first is drawn, and the others
 * follow it. Drawing each was a tenth of what an append costs the process.
 */
export function createEpochs(): () => string {
  let next = Math.floor(cryptoRandom() * EPOCHS);
  return () => formatEpoch((next = (next + 1) % EPOCHS));
}

function formatEpoch(epoch: number): string {
  return epoch.toString(RADIX).padStart(EPOCH_LENGTH, '0');
}

/** 53 random bits: 32 would spread unevenly over the 31 that an epoch has. */
function cryptoRandom(): number {
  const [high = 0, low = 0] = globalThis.crypto.getRandomValues(new Uint32Array(2));
  return (high * 2 ** 21 + (low >>> 11)) / 2 ** 53;
}
