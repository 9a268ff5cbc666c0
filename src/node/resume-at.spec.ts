import { describe, expect, it } from '@jest/globals';
import type { SseConnection } from '../connection/sse-connection.js';
import { placeToResume, resumeAtProblem } from './resume-at.js';

const connection = { topics: ['answers/42'] } as unknown as SseConnection;

const wrong: [string, unknown][] = [
  ['empty text', ''],
  ['a line break, which would add a header', '/a\r\nSet-Cookie: a=b'],
  ['a lone CR', '/a\r'],
  ['NUL', '/a\0'],
  ['a space', '/a b'],
  ['a control character', '/a\x7f'],
  ['what is not ASCII', '/ä'],
  ['null', null],
  ['a URL that is no text', new URL('http://localhost/')],
  ['a promise', Promise.resolve('/a')],
];

describe('the option resumeAt', () => {
  it.each(['/answers/42', '42', '../answers/42?from=start', 'https://api.example/answers/%C3%A4'])(
    'takes %s',
    (url) => {
      expect(resumeAtProblem(url, 'resumeAt')).toBeUndefined();
      expect(placeToResume(url, connection)).toBe(url);
      expect(placeToResume(() => url, connection)).toBe(url);
    },
  );

  it('asks a function with the connection, which may know of no place', () => {
    expect(resumeAtProblem(() => undefined, 'resumeAt')).toBeUndefined();
    expect(placeToResume(({ topics }) => `/${topics[0]}`, connection)).toBe('/answers/42');
    expect(placeToResume(() => undefined, connection)).toBeUndefined();
  });

  it.each(wrong)('refuses %s', (_, value) => {
    expect(resumeAtProblem(value, 'resumeAt')).toMatch(/^resumeAt must be a URL in visible ASCII characters.*; got /);
    expect(() => placeToResume((() => value) as () => string, connection)).toThrow(
      expect.objectContaining({
        code: 'invalid-options',
        message: expect.stringContaining('what resumeAt() returns must be a URL in visible ASCII characters'),
      }),
    );
  });
});
