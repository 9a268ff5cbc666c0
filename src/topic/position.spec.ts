import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createEpoch, createEpochs, formatPosition, parsePosition } from './position.js';

const epochs = fc.stringMatching(/^[0-9a-z]{6}$/);
const numbers = fc.maxSafeNat();

describe('a position', () => {
  it('is written as epoch, sequence and time, the numbers in base 36', () => {
    expect(formatPosition({ epoch: 'k3x9a0', seq: 35, at: 36 })).toBe('k3x9a0.z.10');
  });

  it('has numbers as JavaScript writes them in base 36, whichever was written before', () => {
    const around = fc
      .tuple(fc.constantFrom(0, 36, 1_296, 46_656, 2 ** 31, 1e12), fc.integer({ min: -2, max: 2 }))
      .map(([n, by]) => Math.max(0, n + by));
    const seqs = fc.oneof(numbers, around);
    fc.assert(
      fc.property(fc.array(fc.record({ epoch: epochs, seq: seqs, at: seqs }), { minLength: 2 }), (positions) => {
        for (const { epoch, seq, at } of positions)
          expect(formatPosition({ epoch, seq, at })).toBe(`${epoch}.${seq.toString(36)}.${at.toString(36)}`);
      }),
    );
  });

  it('comes back from its text as it was', () => {
    fc.assert(
      fc.property(fc.record({ epoch: epochs, seq: numbers, at: numbers }), (position) => {
        expect(parsePosition(formatPosition(position))).toEqual(position);
      }),
    );
  });

  it('has one text form, so that nothing else is read as it', () => {
    const nearly = fc.stringMatching(/^[0-9a-zA-Z.+~-]{0,32}$/);
    fc.assert(
      fc.property(nearly, fc.tuple(epochs, nearly, nearly), (text, parts) => {
        for (const candidate of [text, parts.join('.')]) {
          const position = parsePosition(candidate);
          expect(position === undefined || formatPosition(position) === candidate).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('may be the first and the last that there can be', () => {
    expect(parsePosition('000000.0.0')).toEqual({ epoch: '000000', seq: 0, at: 0 });
    const last = { epoch: 'zzzzzz', seq: Number.MAX_SAFE_INTEGER, at: Number.MAX_SAFE_INTEGER };
    expect(formatPosition(last)).toBe('zzzzzz.2gosa7pa2gv.2gosa7pa2gv');
    expect(parsePosition('zzzzzz.2gosa7pa2gv.2gosa7pa2gv')).toEqual(last);
  });

  it.each([
    ['an empty text', ''],
    ['spaces', '   '],
    ['a number', '42'],
    ['a space before', ' k3x9a0.1.1'],
    ['a line feed after', 'k3x9a0.1.1\n'],
    ['an epoch that is too short', 'k3x9a.1.1'],
    ['an epoch that is too long', 'k3x9a00.1.1'],
    ['capital letters', 'K3X9A0.1.1'],
    ['letters that lower to ASCII', 'k3x9a0.\u212a.1'],
    ['a missing part', 'k3x9a0.1'],
    ['an empty part', 'k3x9a0..1'],
    ['a part too many', 'k3x9a0.1.1.1'],
    ['a leading zero', 'k3x9a0.01.1'],
    ['two zeros', 'k3x9a0.00.1'],
    ['a leading zero in the time', 'k3x9a0.1.01'],
    ['a sign', 'k3x9a0.-1.1'],
    ['a plus', 'k3x9a0.1.+1'],
    ['a sequence of 2^53', 'k3x9a0.2gosa7pa2gw.1'],
    ['a time of 2^53', 'k3x9a0.1.2gosa7pa2gw'],
    ['a sequence of 2^64', 'k3x9a0.3w5e11264sgsg.1'],
    ['non-latin1', 'k3x9a0.１.1'],
    ['an object key', '__proto__'],
    ['100 KB', 'k3x9a0.' + '1'.repeat(100_000) + '.1'],
    ['undefined', undefined],
    ['null', null],
    ['two header values', ['k3x9a0.1.1', 'k3x9a0.1.2']],
    ['one header value in an array', ['k3x9a0.1.1']],
    ['an object that reads as a position', { toString: () => 'k3x9a0.1.1' }],
    ['a symbol', Symbol('k3x9a0.1.1')],
    ['a bigint', 1n],
  ])('is not read from %s', (_, text) => {
    expect(parsePosition(text)).toBeUndefined();
  });

  it('is read or not from anything, and never throws', () => {
    fc.assert(fc.property(fc.anything(), (value) => void parsePosition(value)));
  });
});

describe('an epoch', () => {
  it.each([
    ['the smallest number', 0, '000000'],
    ['a number in the middle', 0.5, 'i00000'],
    ['the largest number', 1 - Number.EPSILON / 2, 'zzzzzz'],
  ])('is six characters for %s', (_, random, epoch) => {
    expect(createEpoch(() => random)).toBe(epoch);
  });

  it('can stand in a position, and differs from draw to draw', () => {
    const drawn = Array.from({ length: 100 }, () => createEpoch());
    expect(drawn.map((epoch) => parsePosition(`${epoch}.1.1`)?.epoch)).toEqual(drawn);
    expect(new Set(drawn).size).toBe(100);
  });

  it('comes from a source that gives each once, and begins elsewhere each time', () => {
    const [one, other] = [createEpochs(), createEpochs()];
    const given = Array.from({ length: 1_000 }, () => [one(), other()]).flat();
    expect(given.map((epoch) => parsePosition(`${epoch}.1.1`)?.epoch)).toEqual(given);
    expect(new Set(given).size).toBe(2_000);
  });
});
