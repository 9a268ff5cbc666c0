import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fromBase64, toBase64 } from './base64.js';

it("agrees with Node's base64 in both directions", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const text = Buffer.from(bytes).toString('base64');
      expect(toBase64(bytes)).toBe(text);
      expect(Buffer.from(fromBase64(text))).toEqual(Buffer.from(bytes));
    }),
    { numRuns: 300 },
  );
});

it.each(['A', 'AA', 'AAA', 'A===', 'AA=A', 'AAAA=', 'AA-_', 'AAA\n', 'AAAé', 'AAA日', '===='])('refuses %j', (text) => {
  expect(() => fromBase64(text)).toThrow(expect.objectContaining({ code: 'invalid-event' }));
});
