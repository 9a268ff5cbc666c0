import { expect, test } from '@jest/globals';
import { HeadCache } from './head-cache.js';

const own = { 'X-Own': 'own' };
const of = (inherited: Record<string, string | string[]>, more = {}) => ({ http2: false, own, inherited, ...more });

test('streams that inherit the same have the same headers, which are made once', () => {
  const cache = new HeadCache();

  const first = cache.headersOf(of({ 'x-powered-by': 'Express' }));

  expect(first).toMatchObject({ 'X-Own': 'own', 'x-powered-by': 'Express' });
  expect(cache.headersOf(of({ 'x-powered-by': 'Express' }))).toBe(first);
});

test.each<[what: string, more: object]>([
  ['another value', { inherited: { 'x-a': '2' } }],
  ['one more', { inherited: { 'x-a': '1', 'x-b': '1' } }],
  ['one less', { inherited: {} }],
  ['nothing', { inherited: undefined }],
  ['another encoding', { encoding: 'gzip' }],
  ['other headers of the route', { own: { 'X-Own': 'other' } }],
  ['another version of HTTP', { http2: true, own: { Connection: 'close' } }],
])('with %s they are made anew', (_, more) => {
  const cache = new HeadCache();
  const other = of({ 'x-a': '1' }, more);
  cache.headersOf(of({ 'x-a': '1' }));

  expect(cache.headersOf(other)).toEqual(new HeadCache().headersOf(other));
});

test('what is inherited as an array is looked at each time', () => {
  const cache = new HeadCache();
  const cookies = ['a=1'];
  cache.headersOf(of({ 'set-cookie': cookies }));

  cookies[0] = 'a=2\n';

  expect(() => cache.headersOf(of({ 'set-cookie': cookies }))).toThrow('set-cookie');
});

test('what cannot be sent is refused each time', () => {
  const cache = new HeadCache();

  for (let n = 0; n < 2; n++) expect(() => cache.headersOf(of({}, { own: { 'X-Bad': 'a\r\nb' } }))).toThrow('X-Bad');
});
