import { describe, expect, it } from '@jest/globals';
import type { StreamOptions } from 'nestjs-event-stream/client';
import { Clients } from '../support/client.js';
import { type FakeAnswer, FakeServer, answer, begin } from '../support/fake-server.js';
import { until } from '../support/until.js';

// Twelve answers, and how often the client asks again: CLIENT.md, 1.2, with shorter times.

/** Spread little, so that gaps can be told from one another. */
const QUICK = { retryInterval: 20, maxRetryInterval: 40 };

interface Row {
  readonly name: string;
  readonly answer: FakeAnswer;
  readonly options?: StreamOptions & { readonly text?: undefined };
  /** How often it is asked until it is over. */
  readonly requests: number;
  readonly closed: object;
}

const status = (code: number, headers?: Record<string, string>): FakeAnswer => {
  return (response) => answer(response, code, headers);
};
const refused = (code: number): object => ({ reason: 'refused', status: code, error: { code: 'status' } });
const html: FakeAnswer = (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Log in');

const closing: Row[] = [
  { name: '204', answer: status(204), requests: 1, closed: { reason: 'complete', status: 204 } },
  { name: '401', answer: status(401), requests: 1, closed: refused(401) },
  {
    name: '401 with headers that are asked for',
    answer: status(401),
    options: { headers: async () => ({ authorization: 'x' }) },
    requests: 2,
    closed: refused(401),
  },
  { name: '403', answer: status(403), requests: 1, closed: refused(403) },
  { name: '404', answer: status(404), requests: 1, closed: refused(404) },
  { name: '501', answer: status(501), requests: 1, closed: refused(501) },
  {
    name: 'text/html',
    answer: html,
    requests: 1,
    closed: { reason: 'refused', status: 200, error: { code: 'content-type' } },
  },
  {
    name: 'a redirect to a login page',
    answer: (response, { url }, n) =>
      url === '/login' ? html(response, undefined as never, n) : answer(response, 302, { location: '/login' }),
    requests: 2,
    closed: { reason: 'refused', status: 200, error: { code: 'content-type' } },
  },
];

it.each(closing)('after $name asks no more than it should', async ({ answer: give, options, requests, closed }) => {
  await using server = await FakeServer.start(give);
  using clients = new Clients();
  const { stream } = clients.open(server.url, { ...QUICK, ...options });

  expect(await stream.closed).toMatchObject(closed);
  expect(server.requests).toHaveLength(requests);
});

it('gives the answer that it refuses, to be read', async () => {
  await using server = await FakeServer.start((response) => {
    response.writeHead(403, { 'content-type': 'text/plain' }).end('not you');
  });
  using clients = new Clients();
  const { error } = await clients.open(server.url).stream.closed;

  expect(await error!.response!.text()).toBe('not you');
});

it.each([408, 425, 429, 500, 502, 503, 504])('after %i asks again until there is a stream', async (code) => {
  await using server = await FakeServer.start((response, _, n) => {
    if (n < 3) answer(response, code);
    else begin(response, 'data: 1\n\n');
  });
  using clients = new Clients();
  const client = clients.open(server.url, QUICK);
  await client.received(1);

  expect(server.requests).toHaveLength(4);
  expect(client.story.slice(1, 4)).toEqual(['waiting status', 'connecting', 'waiting status']);
  expect(client.states.find(({ phase }) => phase === 'waiting')).toMatchObject({ status: code, attempt: 1 });
});

describe('Retry-After', () => {
  it.each([
    ['seconds', () => '1'],
    ['a date', () => new Date(Date.now() + 2_000).toUTCString()],
  ])('in %s is waited for, once', async (_, retryAfter) => {
    await using server = await FakeServer.start((response, _request, n) => {
      if (n === 0) answer(response, 429, { 'retry-after': retryAfter() });
      else if (n < 3) answer(response, 503);
      else begin(response, 'data: 1\n\n');
    });
    using clients = new Clients();
    await clients.open(server.url, QUICK).received(1);

    const [first, ...others] = server.gaps;
    expect(first).toBeGreaterThanOrEqual(990);
    expect(Math.min(...others)).toBeLessThan(first! / 2);
  });

  it('is not cut short by whoever asks for the stream at once', async () => {
    await using server = await FakeServer.start((response, _, n) => {
      if (n === 0) answer(response, 429, { 'retry-after': '1' });
      else begin(response, 'data: 1\n\n');
    });
    using clients = new Clients();
    const client = clients.open(server.url, QUICK);
    await client.told('waiting status');
    client.stream.reconnect();
    client.stream.reconnect({ url: `${server.url}?topic=other` });
    await client.received(1);

    expect(server.gaps[0]).toBeGreaterThanOrEqual(990);
    expect(server.requests.map(({ url }) => url)).toEqual(['/stream', '/stream?topic=other']);
  });
});

it('has a stream that ends at once for a failure, each time', async () => {
  await using server = await FakeServer.start((response) => {
    begin(response);
    response.end();
  });
  using clients = new Clients();
  const client = clients.open(server.url, { ...QUICK, retries: 5 });

  expect(await client.stream.closed).toMatchObject({ reason: 'lost', error: { code: 'lost' } });
  expect(server.requests).toHaveLength(6);
  const waits = client.states.flatMap((state) => (state.phase === 'waiting' ? [state.attempt] : []));
  expect(waits).toEqual([1, 2, 3, 4, 5]);
  expect(new Set(client.story)).toEqual(new Set(['connecting', 'open', 'waiting ended', 'closed lost']));
});

it('after an event and a cut waits as long as the stream has said', async () => {
  await using server = await FakeServer.start((response, _, n) => {
    begin(response, `retry: 300\nid: ${n}\ndata: ${n}\n\n`);
    setImmediate(() => response.destroy());
  });
  using clients = new Clients();
  await clients.open(server.url, QUICK).received(3);

  expect(Math.min(...server.gaps)).toBeGreaterThanOrEqual(295);
  expect(server.places).toEqual([undefined, '0', '1']);
});

it('has 20 planned ends for no failure, and 4 refusals for too many of 3', async () => {
  let isRefusing = false;
  await using server = await FakeServer.start((response, _, n) => {
    if (isRefusing) return answer(response, 503);
    begin(response, `id: ${n}\ndata: ${n}\n\nevent: stream.end\ndata: {"reason":"lifetime","reconnect":true}\n\n`);
    response.end();
  });
  using clients = new Clients();
  const client = clients.open(server.url, { retryInterval: 5, maxRetryInterval: 5, retries: 3 });
  await client.received(20);
  expect(client.states.some(({ downSince }) => downSince !== undefined)).toBe(false);
  isRefusing = true;

  const closed = await client.stream.closed;
  expect(closed).toMatchObject({ reason: 'lost', status: 503 });
  expect(server.requests).toHaveLength(client.data.length + 4);
  expect(client.story.filter((each) => each === 'waiting lifetime')).toHaveLength(client.data.length);
});

it.each([
  ['complete', { reason: 'complete' }],
  ['revoked', { reason: 'revoked', error: { code: 'revoked' } }],
])('takes %s for the end', async (reason, closed) => {
  await using server = await FakeServer.start((response) => {
    begin(response, `data: 1\n\nid: stream.end\nevent: stream.end\ndata: {"reason":"${reason}","reconnect":false}\n\n`);
    response.end();
  });
  using clients = new Clients();
  const client = clients.open(server.url, QUICK);

  expect(await client.stream.closed).toMatchObject(closed);
  expect(client.data).toEqual(['1']);
  expect(server.requests).toHaveLength(1);
});

it('is down from the first failure on until it is open, with one date', async () => {
  let isDown = true;
  await using server = await FakeServer.start((response) => (isDown ? answer(response, 503) : begin(response)));
  using clients = new Clients();
  const client = clients.open(server.url, { retryInterval: 5, maxRetryInterval: 5 });
  await server.asked(6);
  isDown = false;
  await client.reached('open');

  const since = client.states.slice(1, -1).map(({ downSince }) => downSince);
  expect(new Set(since).size).toBe(1);
  expect(Date.now() - since[0]!).toBeLessThan(20_000);
  expect(client.stream.state).not.toHaveProperty('downSince');
});

it('asks nobody while it is closed, and nobody is there', async () => {
  await using server = await FakeServer.start((response) => begin(response));
  const port = await server.stop();
  using clients = new Clients();
  const client = clients.open(`http://127.0.0.1:${port}/`, QUICK);
  await until(() => client.story.filter((each) => each === 'waiting network').length >= 3, 'three failures');
  expect(client.states.find(({ phase }) => phase === 'waiting')).toMatchObject({ error: { message: 'fetch failed' } });
  client.stream.close();
  await server.listen(port);
  // As often as the closed one would have asked meanwhile.
  server.answer = (response) => answer(response, 503);
  clients.open(`http://127.0.0.1:${port}/another`, QUICK);
  await server.asked(5);

  expect(server.requests.map(({ url }) => url)).toEqual(Array(server.requests.length).fill('/another'));
});
