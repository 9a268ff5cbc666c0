import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createGunzip, gunzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { frame } from './chunk.js';
import type { Frame } from './chunk.js';
import { GzipBody } from './gzip.js';

/** Around the bounds of what is stored, what is packed and what is a dictionary, and beyond a window of deflate. */
const LENGTHS = [1, 2, 47, 48, 255, 256, 257, 4_096, 4_097, 32_768, 65_535, 65_536, 200_000];

const textOf = (length: number, word = 'data: {"price":1}\n'): string =>
  word.repeat(Math.ceil(length / word.length)).slice(0, length);

/** The whole body of a client that is sent these frames. */
function bodyOf(frames: readonly Frame[]): Buffer {
  const body = new GzipBody();
  return Buffer.concat([body.header.plain, ...frames.map((each) => body.pack(each).plain), body.trailer]);
}

const plain = (frames: readonly Frame[]): Buffer => Buffer.concat(frames.map((each) => each.plain));

describe('a gzip body', () => {
  it.each(LENGTHS)('of one frame of %i bytes is what zlib unpacks', (length) => {
    for (const only of [frame([textOf(length)]), frame([randomBytes(length)])])
      expect(gunzipSync(bodyOf([only])).equals(only.plain)).toBe(true);
  });

  it('has the checksum and the length of all its frames, which zlib verifies', () => {
    const frames = LENGTHS.flatMap((length) => [frame([randomBytes(length)]), frame([textOf(length)])]);
    expect(gunzipSync(bodyOf(frames)).equals(plain(frames))).toBe(true);
  });

  it('of no frames is an empty file', () => {
    expect(gunzipSync(bodyOf([])).byteLength).toBe(0);
  });

  it('may have the same frames in any order, also where others were sent something else before', () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    let state = seed;
    const below = (limit: number): number => (state = (state * 48_271) % 2_147_483_647) % limit;
    const shared = LENGTHS.slice(0, -3).map((length, n) => frame([textOf(length, `data: ${n} of many\n`)]));
    for (let round = 0; round < 200; round++) {
      const frames = Array.from({ length: 1 + below(12) }, () => shared[below(shared.length)]!);
      const isRight = gunzipSync(bodyOf(frames)).equals(plain(frames));
      expect({ seed, round, isRight }).toEqual({ seed, round, isRight: true });
    }
  });

  it('can be read up to the end of each frame as soon as that has come', async () => {
    const body = new GzipBody();
    const unpacked: Buffer[] = [];
    const gunzip = createGunzip().on('data', (chunk: Buffer) => unpacked.push(chunk));
    gunzip.write(body.header.plain);
    for (const text of [':\n', textOf(1_000), textOf(100), ':\n']) {
      const before = Buffer.concat(unpacked).toString();
      await new Promise((resolve) => gunzip.write(body.pack(frame([text])).plain, resolve));
      expect(Buffer.concat(unpacked).toString()).toBe(before + text);
    }
    gunzip.destroy();
  });
});

describe('a frame', () => {
  const priceAt = (n: number): Frame => frame([`id: k3v09q.${n}.mwpbndsg\ndata: {"symbol":"AAPL","price":${n}}\n\n`]);

  it('takes little room behind one that it is like', () => {
    const body = new GzipBody();
    const lengths = [1_001, 1_002].map((n) => body.pack(priceAt(n)).plain.byteLength);
    expect(lengths).toEqual([priceAt(1_001).plain.byteLength + 5, expect.any(Number)]);
    expect(lengths[1]).toBeLessThan(25);
  });

  it('is packed once for all who were sent the same before', () => {
    const [first, second] = [priceAt(1), priceAt(2)];
    const bodies = [new GzipBody(), new GzipBody()];
    const packed = bodies.map((body) => [body.pack(first), body.pack(second)]);
    expect(packed[0]![0]).toBe(packed[1]![0]);
    expect(packed[0]![1]).toBe(packed[1]![1]);
  });

  it('is packed a few times at most, however many have each been sent something else before', () => {
    const next = priceAt(0);
    const packed = Array.from({ length: 100 }, (_, n) => {
      const body = new GzipBody();
      body.pack(priceAt(n));
      return body.pack(next);
    });
    expect(new Set(packed).size).toBe(5);
  });

  it('does not stay in memory for the sake of those behind it', async () => {
    const later = frame([textOf(100)]);
    const body = new GzipBody();
    const earlier: WeakRef<Frame>[] = [];
    for (let n = 0; n < 100; n++) {
      const price = priceAt(n);
      earlier.push(new WeakRef(price));
      body.pack(price);
      body.pack(later);
    }

    // A weak reference that was looked at in this turn still holds.
    await new Promise(setImmediate);
    collectGarbage();

    // The last may still be in a register.
    expect(earlier.filter((each) => each.deref() !== undefined).length).toBeLessThanOrEqual(1);
    expect(body.pack(later)).toBeDefined();
  });
});

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
