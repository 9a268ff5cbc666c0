import { afterEach, describe, expect, it } from '@jest/globals';
import type { Attempt, StreamOptions, Url } from './options.js';
import { isRepeatable, requestOf } from './request.js';

const URL_HERE = 'https://here.example/stream';

function attemptAt(lastEventId = ''): Attempt {
  return { number: 1, lastEventId, reason: undefined, status: undefined, signal: new AbortController().signal };
}

async function ask(url: Url, options: StreamOptions = {}, lastEventId = '', resumeUrl?: string) {
  const { url: asked, init } = await requestOf(url, options, attemptAt(lastEventId), resumeUrl);
  return { ...init, url: asked, headers: Object.fromEntries(new Headers(init.headers)) };
}

/** As on a page. */
function onPage(href: string): void {
  Object.defineProperty(globalThis, 'location', { value: new URL(href), configurable: true });
}

afterEach(() => void Reflect.deleteProperty(globalThis, 'location'));

it('asks for a stream that no cache answers', async () => {
  const { signal, ...asked } = await ask(URL_HERE);

  expect(signal).toBeInstanceOf(AbortSignal);
  expect(asked).toEqual({
    url: URL_HERE,
    method: 'GET',
    headers: { accept: 'text/event-stream' },
    cache: 'no-store',
    credentials: 'same-origin',
  });
});

it.each<[StreamOptions, string, boolean]>([
  [{}, 'GET', true],
  [{ method: 'QUERY', body: 'x' }, 'QUERY', true],
  [{ method: 'get' }, 'get', true],
  [{ body: 'x' }, 'POST', false],
  [{ body: '' }, 'POST', false],
  [{ method: 'POST' }, 'POST', false],
  [{ method: 'REPORT', body: 'x' }, 'REPORT', false],
  [{ method: 'POST', body: 'x', reconnect: true }, 'POST', true],
  [{ reconnect: false }, 'GET', false],
])('of %j the method is %s, and it is repeatable: %s', async (options, method, expected) => {
  const asked = await ask(URL_HERE, options);

  expect(asked.method).toBe(method);
  expect(asked.body).toBe(options.body);
  expect(isRepeatable(options)).toBe(expected);
});

it('goes on by GET where an answer has said, without the body', async () => {
  const options = { body: 'x', headers: { authorization: 'a' } };
  const asked = await ask(URL_HERE, options, '7', 'https://here.example/runs/1');

  expect(asked).toMatchObject({ method: 'GET', url: 'https://here.example/runs/1' });
  expect(asked).not.toHaveProperty('body');
  expect(asked.headers).toEqual({ accept: 'text/event-stream', authorization: 'a', 'last-event-id': '7' });
});

it('asks for the URL and the headers each time, with the attempt', async () => {
  const seen: Attempt[] = [];
  const asked = await ask(
    async (attempt) => {
      seen.push(attempt);
      return new URL('https://there.example/a?ticket=1');
    },
    {
      headers: (attempt) => {
        seen.push(attempt);
        return [['authorization', attempt.lastEventId]];
      },
      withCredentials: true,
    },
    'p1',
  );

  expect(seen.map(({ lastEventId }) => lastEventId)).toEqual(['p1', 'p1']);
  expect(asked).toMatchObject({ url: 'https://there.example/a?ticket=1', credentials: 'include' });
  expect(asked.headers.authorization).toBe('p1');
});

it("keeps a caller's own Accept", async () => {
  expect((await ask(URL_HERE, { headers: { Accept: 'text/event-stream, */*' } })).headers).toEqual({
    accept: 'text/event-stream, */*',
  });
});

describe('the place', () => {
  it('is in a header, as the bytes of UTF-8', async () => {
    const { headers, url } = await ask(URL_HERE, {}, '日本 €😀');

    expect(Buffer.from(headers['last-event-id']!, 'latin1').toString()).toBe('日本 €😀');
    expect(url).toBe(URL_HERE);
  });

  it.each<[string, StreamOptions['resumeIn'], StreamOptions['headers'], 'header' | 'query']>([
    ['https://here.example/page', undefined, undefined, 'header'],
    ['https://other.example/page', undefined, undefined, 'query'],
    ['https://other.example/page', undefined, { authorization: 'a' }, 'header'],
    ['https://other.example/page', 'header', undefined, 'header'],
    ['https://here.example/page', 'query', { authorization: 'a' }, 'query'],
  ])('on the page %s with %s and the headers %j is in the %s', async (page, resumeIn, headers, where) => {
    onPage(page);
    const asked = await ask(URL_HERE, { resumeIn, headers }, 'a b&c');

    expect(asked.url).toBe(where === 'query' ? `${URL_HERE}?lastEventId=a+b%26c` : URL_HERE);
    expect('last-event-id' in asked.headers).toBe(where === 'header');
  });

  it.each([
    ['?a=1', '?a=1&lastEventId=p'],
    ['?a=1#there', '?a=1&lastEventId=p#there'],
    ['#there?', '?lastEventId=p#there?'],
  ])('goes into the query behind %s', async (given, expected) => {
    expect((await ask(URL_HERE + given, { resumeIn: 'query' }, 'p')).url).toBe(URL_HERE + expected);
  });

  it.each([
    '?lastEventId=old',
    '?lastEventId=old&lastEventId=older',
    '?a=1&lastEventId=old&b=2',
    '?lastEventId=old&a=1&lastEventId=older&lastEventId=oldest&b=2',
  ])('takes the place of the one in %s', async (given) => {
    const inQuery = new URL((await ask(URL_HERE + given, { resumeIn: 'query' }, 'p')).url).searchParams;
    const others = [...new URLSearchParams(given)].filter(([name]) => name !== 'lastEventId');

    expect([...inQuery].filter(([name]) => name !== 'lastEventId')).toEqual(others);
    expect(inQuery.getAll('lastEventId')).toEqual(['p']);
  });

  it('that the URL names is kept until there is another', async () => {
    expect((await ask(`${URL_HERE}?lastEventId=given`)).url).toBe(`${URL_HERE}?lastEventId=given`);
  });
});

it('is relative to the page, and to nothing where there is none', async () => {
  onPage('https://here.example/a/page');
  expect((await ask('stream?x=1')).url).toBe('https://here.example/a/stream?x=1');

  Reflect.deleteProperty(globalThis, 'location');
  await expect(ask('/stream')).rejects.toThrow('Invalid URL');
});
