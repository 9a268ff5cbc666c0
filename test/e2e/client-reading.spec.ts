import { describe, expect, it, jest } from '@jest/globals';
import { type FetchLike, StreamError, openStream } from 'nestjs-event-stream/client';
import { Clients } from '../support/client.js';
import { FakeServer, answer, begin } from '../support/fake-server.js';
import { until } from '../support/until.js';

const QUICK = { retryInterval: 5, maxRetryInterval: 5 };
const HEAD = { headers: { 'content-type': 'text/event-stream' } };

function events(from: number, to: number, size = 0): string {
  let text = '';
  for (let n = from; n <= to; n++) text += `id: ${n}\ndata: ${n}${'x'.repeat(size)}\n\n`;
  return text;
}

describe('a loop', () => {
  it('survives cuts, and throws what ends the stream', async () => {
    await using server = await FakeServer.start((response, _, n) => {
      if (n === 6) return answer(response, 403);
      begin(response, events(n, n));
      setImmediate(() => response.destroy());
    });
    const stream = openStream(server.url, { ...QUICK, maxRetryInterval: 0 });
    const data: string[] = [];
    const loop = (async () => {
      for await (const event of stream) data.push(event.data);
    })();

    await expect(loop).rejects.toBeInstanceOf(StreamError);
    await expect(loop).rejects.toMatchObject({ code: 'status', response: { status: 403 } });
    expect(data).toEqual(['0', '1', '2', '3', '4', '5']);
  });

  it('ends when the stream is complete, once it has had all', async () => {
    const end = 'id: stream.end\nevent: stream.end\ndata: {"reason":"complete","reconnect":false}\n\n';
    await using server = await FakeServer.start((response) => begin(response, events(1, 3) + end));
    const stream = openStream(server.url);
    const data: string[] = [];
    await stream.closed;
    for await (const event of stream) data.push(event.data);

    expect(data).toEqual(['1', '2', '3']);
    expect(stream.lastEventId).toBe('3');
  });

  it('that is left closes the stream', async () => {
    await using server = await FakeServer.start((response) => begin(response, events(1, 3)));
    const stream = openStream(server.url);
    for await (const event of stream) if (event.data === '2') break;

    expect(await stream.closed).toMatchObject({ reason: 'aborted' });
    expect(stream.lastEventId).toBe('2');
    await server.left();
  });

  it('that takes its time has the stream read no further, and the watchdog rest', async () => {
    let said = 0;
    await using server = await FakeServer.start(async (response) => {
      begin(response);
      let go = (): void => undefined;
      for (const sign of ['drain', 'close']) response.on(sign, () => go());
      while (!response.destroyed && said < 4_000) {
        const first = said + 1;
        said += 100;
        if (response.write(events(first, said, 5_000))) continue;
        await new Promise<void>((resolve) => (go = resolve));
      }
    });
    const stream = openStream(server.url, { heartbeat: 50 });
    const reading = stream[Symbol.asyncIterator]();
    await reading.next();
    // Longer than the limit of the watchdog, and until the pipe is full.
    const startedAt = performance.now();
    for (let last = -1; last !== said || performance.now() - startedAt < 500;) {
      last = said;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }

    expect(said).toBeLessThan(4_000);
    expect(stream.state.phase).toBe('open');
    let n = 1;
    while (n < said || said < 4_000) {
      expect((await reading.next()).value).toMatchObject({ lastEventId: String(++n) });
    }
    expect(server.requests).toHaveLength(1);
    await reading.return!();
  });
});

it('reads no further while nobody has begun to listen, and has lost nothing when somebody does', async () => {
  const drained: number[] = [];
  await using server = await FakeServer.start((response, _, n) => {
    begin(response, events(1, 1_000, 20_000));
    response.once('drain', () => drained.push(n));
  });
  using clients = new Clients();
  const stream = openStream(server.url);
  await until(() => stream.state.phase === 'open', 'the stream');
  const other = clients.open(server.url);
  await other.received(1_000);
  expect(drained).toEqual([1]);
  const ids: string[] = [];
  stream.on('*', ({ lastEventId }) => ids.push(lastEventId));
  await until(() => ids.length === 1_000, 'all events');
  stream.close();

  expect(ids).toEqual(Array.from({ length: 1_000 }, (_, n) => String(n + 1)));
});

it('has one read under way before it hands anything out, for bodies that give a chunk to who asks only', async () => {
  let isWaiting = false;
  let isEarly = true;
  const parts = ['data: 1\n\n', 'data: 2\n\n'];
  const body = {
    getReader: () => ({
      read: () => {
        isWaiting = true;
        const value = parts.shift();
        if (value === undefined) return new Promise<never>(() => undefined);
        return Promise.resolve({ done: false, value: new TextEncoder().encode(value) }).finally(
          () => (isWaiting = false),
        );
      },
      cancel: async () => undefined,
    }),
  };
  const fetch = (async () => ({ status: 200, headers: new Headers(HEAD.headers), body })) as unknown as FetchLike;
  const stream = openStream('http://stub.example/', { fetch });
  const data: string[] = [];
  stream.on('*', (event) => {
    data.push(event.data);
    isEarly &&= isWaiting;
  });
  await until(() => data.length === 2, 'two events');
  stream.close();

  expect(isEarly).toBe(true);
});

it('needs of a platform a URL, an init and a reader, and gives it no more', async () => {
  const asked: unknown[][] = [];
  const texts = ['data: 日本', '\n\ndata: 😀\n\n'];
  let isCancelled = false;
  const body = {
    getReader: () => ({
      read: async () => {
        const value = texts.shift();
        return value === undefined ? new Promise<never>(() => undefined) : { value: new TextEncoder().encode(value) };
      },
      cancel: async () => void (isCancelled = true),
    }),
  };
  const fetch = (async (...given: unknown[]) => {
    asked.push(given);
    return { status: 200, headers: new Headers(HEAD.headers), body };
  }) as unknown as FetchLike;
  const saved = { Request: globalThis.Request, TextDecoderStream: globalThis.TextDecoderStream };
  for (const name of Object.keys(saved)) Reflect.deleteProperty(globalThis, name);
  try {
    using clients = new Clients();
    const client = clients.open('http://stub.example/a', { fetch, body: 'x', method: 'POST' });
    await client.received(2);
    client.stream.close();

    expect(client.data).toEqual(['日本', '😀']);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject(['http://stub.example/a', { method: 'POST', body: 'x' }]);
    // It minds no signal.
    await until(() => isCancelled, 'the body to be cancelled');
  } finally {
    Object.assign(globalThis, saved);
  }
});

it('says what to do where the platform cannot stream', async () => {
  const fetch: FetchLike = async () => new Response(null, HEAD);
  using clients = new Clients();

  expect(await clients.open('http://stub.example/', { fetch }).stream.closed).toMatchObject({
    reason: 'refused',
    error: { code: 'no-body', message: expect.stringContaining('expo/fetch') },
  });
});

it('waits for an answer whose head comes with the first byte of its body', async () => {
  await using server = await FakeServer.start((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    setImmediate(() => response.write('data: 1\n\n'));
  });
  using clients = new Clients();
  await clients.open(server.url).received(1);
});

it('puts characters together that are cut anywhere', async () => {
  const text = 'id: 日\nevent: 種類\ndata: 日本語 😀👩‍👩‍👧\r\ndata: é\r\n\r\ndata: 終\n\n';
  await using server = await FakeServer.start(async (response) => {
    begin(response);
    for (const byte of Buffer.from(text)) {
      response.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  using clients = new Clients();
  const client = clients.open(server.url, QUICK);
  await client.received(2);
  server.cut();
  await server.asked(2);

  expect(client.data.slice(0, 2)).toEqual(['日本語 😀👩‍👩‍👧\né', '終']);
  expect(client.types.slice(0, 2)).toEqual(['種類', 'message']);
  expect(Buffer.from(server.places[1]!, 'latin1').toString()).toBe('日');
});

it('ends a stream with an event that is too long', async () => {
  await using server = await FakeServer.start((response) => begin(response, `data: ${'x'.repeat(2_000)}`));
  using clients = new Clients();

  expect(await clients.open(server.url, { maxBufferSize: 1_000 }).stream.closed).toMatchObject({
    reason: 'failed',
    error: { code: 'too-large' },
  });
});

it('of a typed stream parses what is read, and goes on behind what is no JSON', async () => {
  const text =
    'event: tick\ndata: {"price":1}\n\nevent: tick\ndata: {\n\nevent: note\ndata: 5\n\nevent: tick\ndata: {"price":2}\n\n';
  await using server = await FakeServer.start((response) => begin(response, text));
  interface Events {
    tick: { readonly price: number };
    note: string;
  }
  await using stream = openStream<Events>(server.url, { text: ['note'] });
  const got: unknown[] = [];
  for await (const event of stream) {
    try {
      got.push(event.data);
    } catch (error) {
      got.push((error as Error).name, event.text);
    }
    if (got.length === 5) break;
  }

  expect(got).toEqual([{ price: 1 }, 'SyntaxError', '{', '5', { price: 2 }]);
});

it('tells of everything that goes over the wire', async () => {
  const text = ': heartbeat 1000\nretry: 7\nid: a\n\n: topic stocks/AAPL\nid: b\nevent: tick\ndata: 1\n\n';
  await using server = await FakeServer.start((response, _, n) => {
    if (n > 0) return answer(response, 204);
    begin(response, text);
    response.end();
  });
  const report = jest.spyOn(console, 'error').mockImplementation(() => undefined);
  const frames: string[] = [];
  const topics: unknown[] = [];
  const stream = openStream(server.url, {
    ...QUICK,
    debug: ({ kind, ...rest }) => {
      const { state, response, ...plain } = rest as { state?: { phase: string }; response?: Response };
      frames.push(`${kind} ${state?.phase ?? response?.status ?? Object.values(plain).join(' ')}`.trim());
      throw new Error('a listener that throws stops nothing');
    },
  });
  stream.on('tick', ({ topic }) => topics.push(topic));
  await stream.closed;
  report.mockRestore();

  expect(topics).toEqual(['stocks/AAPL']);
  expect(frames).toEqual([
    'state connecting',
    `request ${server.url} GET`,
    'response 200',
    'state open',
    'comment heartbeat 1000',
    'retry 7',
    'id a',
    'comment topic stocks/AAPL',
    'event tick 1 b',
    'state waiting',
    'state connecting',
    `request ${server.url} GET b`,
    'response 204',
    'state closed',
  ]);
});

describe('openStream', () => {
  it.each([
    ['a URL that is none', '/relative', {}],
    ['a negative number', 'http://a.example/', { retryInterval: -1 }],
    ['NaN', 'http://a.example/', { retries: NaN }],
    ['text for a number', 'http://a.example/', { connectTimeout: 'soon' as never }],
    ['true for a heartbeat', 'http://a.example/', { heartbeat: 'yes' as never }],
  ])('refuses %s', (_, url, options) => {
    expect(() => openStream(url, options)).toThrow(expect.objectContaining({ name: 'TypeError' }));
  });

  it('refuses to go on at a URL that is none, and goes on where it was', async () => {
    await using server = await FakeServer.start((response) => begin(response, 'data: 1\n\n'));
    using clients = new Clients();
    const client = clients.open(server.url);
    await client.received(1);

    expect(() => client.stream.reconnect({ url: '/relative' })).toThrow(expect.objectContaining({ name: 'TypeError' }));
    client.stream.reconnect();
    await client.received(2);
  });
});
