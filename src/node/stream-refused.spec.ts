import { expect, test } from '@jest/globals';
import { StreamRefused } from './stream-refused.js';

test.each([
  ['connections', 429, 3],
  ['connectionsPerPrincipal', 429, 3],
  ['connectionsPerAddress', 429, 3],
  ['shutdown', 503, 3],
  ['unavailable', 503, 3],
  ['expired', 401, undefined],
  ['gone', 410, undefined],
] as const)('%s is %i, with whole seconds to wait where time helps', (reason, status, retryAfterS) => {
  const refused = new StreamRefused(reason, 2_001);

  expect([refused.status, refused.retryAfterS]).toEqual([status, retryAfterS]);
});

test('nobody is told to come back at once', () => {
  expect(new StreamRefused('connections', 0).retryAfterS).toBe(1);
});
