import { describe, expect, it, jest } from '@jest/globals';
import type { Attempt } from 'nestjs-event-stream/client';
import { Clients } from '../support/client.js';
import { FakeServer, answer, begin } from '../support/fake-server.js';
import { until } from '../support/until.js';

const QUICK = { retryInterval: 5, maxRetryInterval: 5 };

/** A log that a client resumes: numbers, the next of which is written each 2 ms to whoever is there. */
async function counter(count: number): Promise<{ server: FakeServer; expected: string[] } & AsyncDisposable> {
  const log: string[] = [];
  const server = await FakeServer.start((response, { headers }) => {
    const from = Number(headers['last-event-id'] ?? 0);
    begin(response, log.slice(from).join(''));
  });
  const timer = setInterval(() => {
    if (log.length === count) return;
    const n = log.length + 1;
    log.push(`id: ${n}\ndata: ${n}\n\n`);
    server.say(log.at(-1)!);
  }, 2);
  const expected = Array.from({ length: count }, (_, n) => String(n + 1));
  return {
    server,
    expected,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await server[Symbol.asyncDispose]();
    },
  };
}

describe('a token', () => {
  it('that turns with each answer is asked for each time, and nothing is lost', async () => {
    await using log = await counter(300);
    let turn = 0;
    const give = log.server.answer;
    log.server.answer = (response, request, n) => {
      if (request.headers.authorization !== `Bearer ${turn}`) return answer(response, 401);
      turn++;
      return give(response, request, n);
    };
    using clients = new Clients();
    const attempts: Attempt[] = [];
    const client = clients.open(log.server.url, {
      ...QUICK,
      headers: async (attempt) => {
        attempts.push(attempt);
        await new Promise((resolve) => setImmediate(resolve));
        // As one that has run out meanwhile, until it is told so.
        return { authorization: `Bearer ${attempt.status === 401 ? turn : turn - 1}` };
      },
    });
    for (let cut = 1; cut <= 8; cut++) {
      await client.received(cut * 30);
      log.server.cut();
    }
    await client.received(300);

    expect(client.data).toEqual(log.expected);
    expect(turn).toBeGreaterThanOrEqual(9);
    expect(attempts.filter(({ status, reason }) => status === 401 && reason === 'unauthorized')).toHaveLength(turn);
    expect(client.story).not.toContain('waiting unauthorized');
  });

  it('that is a ticket in the URL is asked for once more after 401, too', async () => {
    await using server = await FakeServer.start((response, { url }) => {
      if (url === '/stream?ticket=2') begin(response, 'data: 1\n\n');
      else answer(response, 401);
    });
    using clients = new Clients();
    let tickets = 0;
    const stream = clients.open(server.url).stream;
    expect(await stream.closed).toMatchObject({ reason: 'refused', status: 401 });

    const { openStream } = await import('nestjs-event-stream/client');
    await using other = openStream(async () => `${server.url}?ticket=${++tickets}`);
    for await (const { data } of other) {
      expect(data).toBe('1');
      break;
    }
    expect(tickets).toBe(2);
  });
});

it('the newest attempt alone delivers, when headers of an older one come last', async () => {
  await using server = await FakeServer.start((response, { headers }) => {
    begin(response, `data: ${headers.authorization as string}\n\n`);
  });
  using clients = new Clients();
  const slow: (() => void)[] = [];
  let asked = 0;
  const client = clients.open(server.url, {
    headers: () => {
      const authorization = `token ${++asked}`;
      if (asked > 1) return { authorization };
      return new Promise((resolve) => slow.push(() => resolve({ authorization })));
    },
  });
  await until(() => slow.length === 1, 'headers to be asked for');
  client.stream.reconnect();
  await client.received(1);
  slow[0]!();
  client.stream.reconnect();
  await client.received(2);

  expect(client.data).toEqual(['token 2', 'token 3']);
  expect(server.requests).toHaveLength(2);
});

describe('a POST', () => {
  const post = { ...QUICK, body: '{"work":1}', headers: { 'content-type': 'application/json' } };

  it('that is cut is not sent again', async () => {
    await using server = await FakeServer.start((response) => begin(response, 'data: 1\n\n'));
    using clients = new Clients();
    const client = clients.open(server.url, post);
    await client.received(1);
    client.stream.reconnect();
    server.cut();

    expect(await client.stream.closed).toMatchObject({ reason: 'lost', error: { code: 'lost' } });
    expect(server.requests).toMatchObject([{ method: 'POST', body: '{"work":1}' }]);
  });

  it('that nobody answers is not sent again', async () => {
    await using server = await FakeServer.start((response) => response.destroy());
    using clients = new Clients();

    expect(await clients.open(server.url, post).stream.closed).toMatchObject({ reason: 'lost' });
    expect(server.requests).toHaveLength(1);
  });

  it.each([401, 429, 503])('that is answered %i is refused with the answer', async (status) => {
    await using server = await FakeServer.start((response) => answer(response, status));
    using clients = new Clients();
    const closed = await clients.open(server.url, post).stream.closed;

    expect(closed).toMatchObject({ reason: 'refused', status, error: { code: 'status', response: { status } } });
    expect(server.requests).toHaveLength(1);
  });

  it('that is answered 503 is sent again when `retryOn` says so', async () => {
    await using server = await FakeServer.start((response, _, n) => {
      if (n < 2) answer(response, 503);
      else begin(response, 'data: 1\n\n');
    });
    using clients = new Clients();
    await clients.open(server.url, { ...post, retryOn: ({ status }) => status === 503 || undefined }).received(1);

    expect(server.requests.map(({ method }) => method)).toEqual(['POST', 'POST', 'POST']);
  });

  it('goes on by GET where the answer has said', async () => {
    await using server = await FakeServer.start((response, { method }) => {
      if (method === 'POST') begin(response, 'id: 1\ndata: 1\n\n', { 'content-location': '/runs/7' });
      else
        begin(
          response,
          'id: 2\ndata: 2\n\nid: stream.end\nevent: stream.end\ndata: {"reason":"complete","reconnect":false}\n\n',
        );
    });
    using clients = new Clients();
    const client = clients.open(server.url, post);
    expect(client.stream.location).toBeUndefined();
    await client.received(1);
    expect(client.stream.location).toBe(new URL('/runs/7', server.url).href);
    server.cut();

    expect(await client.stream.closed).toMatchObject({ reason: 'complete' });
    expect(client.data).toEqual(['1', '2']);
    expect(server.requests).toMatchObject([
      { method: 'POST', url: '/stream' },
      { method: 'GET', url: '/runs/7', body: '', headers: { 'last-event-id': '1' } },
    ]);
  });

  it('does not go on at another origin, which would be told its headers', async () => {
    await using other = await FakeServer.start((response) => begin(response));
    await using server = await FakeServer.start((response) => {
      begin(response, 'data: 1\n\n', { 'content-location': other.url });
    });
    using clients = new Clients();
    const client = clients.open(server.url, post);
    await client.received(1);
    server.cut();

    expect(await client.stream.closed).toMatchObject({ reason: 'lost' });
    expect(other.requests).toHaveLength(0);
  });

  it('whose stream fails says why', async () => {
    await using server = await FakeServer.start((response) => {
      begin(response, 'data: 1\n\nevent: stream.error\ndata: {"message":"out of memory"}\n\n');
      response.end();
    });
    using clients = new Clients();
    const client = clients.open(server.url, post);

    expect(await client.stream.closed).toMatchObject({ reason: 'failed', error: { message: 'out of memory' } });
    expect(client.data).toEqual(['1']);
  });
});

describe('reconnect()', () => {
  it('changes topics 100 times under load, and each event comes once', async () => {
    await using log = await counter(600);
    using clients = new Clients();
    const client = clients.open(log.server.url, QUICK);
    for (let change = 0; change < 100; change++) {
      client.stream.reconnect({ url: `${log.server.url}?topic=${change}` });
      await client.received((change + 1) * 5);
    }
    await client.received(600);

    expect(client.data).toEqual(log.expected);
    expect(log.server.requests.at(-1)!.url).toBe('/stream?topic=99');
    // What is asked for within 50 ms is done once.
    expect(log.server.requests.length).toBeLessThan(100);
    expect(client.story).not.toContain('waiting cut');
  }, 30_000);

  it('keeps the place when the URL and the headers change', async () => {
    await using log = await counter(100);
    using clients = new Clients();
    let token = 'a';
    const client = clients.open(`${log.server.url}?v=1`, { headers: () => ({ authorization: token }) });
    await client.received(20);
    token = 'b';
    client.stream.reconnect({ url: new URL(`${log.server.url}?v=2`) });
    await client.received(100);

    expect(client.data).toEqual(log.expected);
    expect(log.server.requests.map(({ url, headers }) => [url, headers.authorization])).toEqual([
      ['/stream?v=1', 'a'],
      ['/stream?v=2', 'b'],
    ]);
  });

  it('ends a wait once in 2 s, and does not cut what has opened since', async () => {
    let isDown = true;
    await using server = await FakeServer.start((response) =>
      isDown ? answer(response, 503) : begin(response, 'data: 1\n\n'),
    );
    using clients = new Clients();
    const client = clients.open(server.url, { retryInterval: 1_000, maxRetryInterval: 0 });
    await client.reached('waiting');
    client.stream.reconnect();
    await server.asked(2);
    expect(server.gaps[0]).toBeLessThan(900);
    await client.reached('waiting');
    // It may not end this wait, which is over before it may.
    client.stream.reconnect();
    isDown = false;
    await client.received(1);
    const restMs = server.requests[1]!.at + 2_050 - performance.now();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, restMs)));

    expect(server.gaps[1]).toBeGreaterThanOrEqual(990);
    expect(server.requests).toHaveLength(3);
    expect(client.stream.state.phase).toBe('open');
  });
});

it('spreads what comes back after a cut over the time that it may take', async () => {
  // mulberry32
  let seed = 42;
  const random = jest.spyOn(Math, 'random').mockImplementation(() => {
    seed = (seed + 0x6d2b79f5) >>> 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  });
  await using server = await FakeServer.start((response) => response.destroy());
  using clients = new Clients();
  const opened = Array.from({ length: 200 }, () =>
    clients.open(server.url, { retryInterval: 4_000, maxRetryInterval: 0 }),
  );
  await until(() => opened.every(({ stream }) => stream.state.phase === 'waiting'), 'all to wait');
  random.mockRestore();

  const waits = opened.map(({ states }) => states.find((state) => state.phase === 'waiting')!.retryAt);
  const first = Math.min(...waits);
  const slots = Array.from(
    { length: 30 },
    (_, slot) => waits.filter((at) => Math.floor((at - first) / 100) === slot).length,
  );
  expect(Math.max(...slots)).toBeLessThanOrEqual(20);
});

it('begins where it is told, by a function too, and lets the server take its place back', async () => {
  await using server = await FakeServer.start((response) => begin(response, 'data: 1\n\nid\ndata: 2\n\n'));
  using clients = new Clients();
  const client = clients.open(server.url, { ...QUICK, lastEventId: () => 'kept' });
  expect(client.stream.lastEventId).toBe('kept');
  await client.received(2);
  expect(client.stream.lastEventId).toBe('');
  server.cut();
  await server.asked(2);

  expect(server.places).toEqual(['kept', undefined]);
  expect(client.states.find(({ phase }) => phase === 'open')).toMatchObject({ resumed: true });
});

it('never resumes from the id that says that a stream is over', async () => {
  await using server = await FakeServer.start((response, _, n) => {
    if (n > 0) return answer(response, 204);
    begin(
      response,
      'id: 1\ndata: 1\n\nid: stream.end\nevent: stream.end\ndata: {"reason":"lifetime","reconnect":true}\n\n',
    );
  });
  using clients = new Clients();
  await clients.open(server.url, QUICK).stream.closed;

  expect(server.places).toEqual([undefined, '1']);
});
