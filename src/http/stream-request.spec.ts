import { describe, expect, it } from '@jest/globals';
import { isSafe } from './stream-request.js';

describe('a request', () => {
  it.each(['GET', 'HEAD', 'QUERY'])('of %s may be made again', (method) => {
    expect(isSafe({ headers: {}, method })).toBe(true);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'get', undefined])('of %s is not repeated', (method) => {
    expect(isSafe({ headers: {}, method })).toBe(false);
  });
});
