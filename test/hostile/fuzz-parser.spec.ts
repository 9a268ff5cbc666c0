import { expect, test } from '@jest/globals';
import { createStreamParser } from '../../src/wire/parse.js';
import type { Random } from '../faults/support/random.mjs';
import { caseFailed, startFuzz } from './support/fuzz.js';

const WORDS = [
  ...['data', 'data:', 'data: ', 'event: ', 'event', 'id: ', 'id', 'id:\0', 'retry: ', 'retry: 99999999999999999999'],
  ...['\n', '\n', '\n\n', '\r', '\r\n', '\r\r', ':', ': ', ' ', '\0', '\t', '0', '-1', '1e9'],
  ...['\ufeff', '\u2028', '\u0085', 'é', '日', '🦊', '__proto__', 'stream.end', '{"a":', 'x'.repeat(40)],
].map((word) => Buffer.from(word));

/** A stream that looks like one at first sight: its own words in any order, with bytes changed, lost and repeated. */
function streamBytes(random: Random): Buffer {
  if (random.chance(0.15)) return noise(random, random.int(0, 60));
  const parts = Array.from({ length: random.int(1, 14) }, () => random.pick(WORDS));
  const stream = Buffer.concat(parts);
  for (let changes = random.chance(0.5) ? random.int(1, 4) : 0; changes > 0; changes--) {
    stream[random.int(0, stream.length)] = random.int(0, 256);
  }
  return random.chance(0.1) ? stream.subarray(random.int(0, stream.length)) : stream;
}

function noise(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.int(0, 256)));
}

/** All that a parser tells of a stream, as one text. Anything that it throws but `too-large` passes through. */
function read(chunks: Iterable<Uint8Array>, maxEventChars: number): string {
  let told = '';
  const parser = createStreamParser(
    {
      onEvent: ({ type, data, lastEventId }) => (told += `E${type}\u0001${data}\u0001${lastEventId}\u0002`),
      onRetry: (ms) => (told += `R${ms}\u0002`),
      onComment: (text) => (told += `C${text}\u0002`),
      onCursor: (id) => (told += `I${id}\u0002`),
    },
    { maxEventChars },
  );
  try {
    for (const chunk of chunks) parser.push(chunk);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return `${told}too-large`;
  }
  return told;
}

function* cut(whole: Uint8Array, random: Random): Generator<Uint8Array> {
  const longest = random.pick([1, 2, 5, 30]);
  for (let at = 0; at < whole.length;) {
    const end = at + random.int(random.chance(0.1) ? 0 : 1, longest + 1);
    yield whole.subarray(at, end);
    at = end;
  }
}

test('the parser reads any bytes, and the same whatever the chunks, throwing nothing but too-large', () => {
  const fuzz = startFuzz('parser');
  const { random } = fuzz;
  let tooLarge = 0;
  for (let n = 0; n < fuzz.cases; n++) {
    const bytes = streamBytes(random);
    const maxEventChars = random.chance(0.2) ? random.int(1, 50) : 1_000;
    const whole = read([bytes], maxEventChars);
    const inChunks = read(cut(bytes, random), maxEventChars);
    if (whole !== inChunks) throw caseFailed(fuzz, n, `${whole} became ${inChunks}`, bytes.toString('latin1'));
    if (whole.endsWith('too-large')) tooLarge++;
  }

  // The bound was reached often enough to have been tried, and is not all there was.
  expect(tooLarge).toBeGreaterThan(fuzz.cases / 1_000);
  expect(tooLarge).toBeLessThan(fuzz.cases / 2);
});

test('the time that a stream takes grows with its length only, whatever it is made of', () => {
  const fuzz = startFuzz('parser');
  const { random } = fuzz;
  const slow: unknown[] = [];
  for (let n = 0; n < 25; n++) {
    const piece = Buffer.concat(Array.from({ length: random.int(1, 5) }, () => streamBytes(random)));
    const times = Math.ceil(40_000 / (piece.length + 1));
    const chunk = random.pick([7, 1_000, 65_536]);
    const short = fastest(() => read(slices(repeat(piece, times), chunk), Infinity));
    const long = fastest(() => read(slices(repeat(piece, times * 8), chunk), Infinity));
    // Linear is 8, quadratic 64; a short run is too noisy to be told from another.
    if (long > 20 && long > 32 * short) slow.push([piece.toString('latin1'), chunk, short, long]);
  }

  expect(slow).toEqual([]);
});

function repeat(piece: Buffer, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, () => piece));
}

function* slices(bytes: Buffer, length: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

function fastest(run: () => unknown): number {
  let best = Infinity;
  for (let n = 0; n < 3; n++) {
    const startedAt = performance.now();
    run();
    best = Math.min(best, performance.now() - startedAt);
  }
  return best;
}
