import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FakeServer, answer, begin } from '../support/fake-server.js';
import { Program } from '../support/program.js';
import { until } from '../support/until.js';

// Plays the suite that drives it: LaunchDarkly's sse-contract-tests.

let program: Program;
let service: string;

beforeAll(async () => {
  program = new Program('test/support/client-driver-main.ts', '0');
  await program.says('listens on');
  service = `http://127.0.0.1:${/listens on (\d+)/.exec(program.output)![1]}`;
});
afterAll(() => program[Symbol.asyncDispose]());

interface Told {
  readonly kind: string;
  readonly event?: { readonly type: string; readonly data: string; readonly id: string };
  readonly comment?: string;
}

/** A stream that the service has opened, with what it tells. */
class Opened implements AsyncDisposable {
  readonly told: Told[] = [];
  readonly #callbacks: FakeServer;
  readonly url: string;

  private constructor(callbacks: FakeServer, url: string) {
    this.#callbacks = callbacks;
    this.url = url;
  }

  static async from(server: FakeServer, options: object = {}): Promise<Opened> {
    const callbacks = await FakeServer.start((response) => answer(response, 202));
    const given = { streamUrl: server.url, callbackUrl: callbacks.url, tag: 'a test', initialDelayMs: 0, ...options };
    const response = await fetch(service, { method: 'POST', body: JSON.stringify(given) });
    expect(response.status).toBe(201);
    return new Opened(callbacks, service + response.headers.get('location')!);
  }

  /** Waits until so much has been told, and answers all of it. */
  async tells(count: number): Promise<Told[]> {
    await this.#callbacks.asked(count);
    const told = this.#callbacks.requests;
    expect(told.map(({ url }) => url)).toEqual(told.map((_, n) => `/stream/${n + 1}`));
    return told.map(({ body }) => JSON.parse(body) as Told);
  }

  command(body: object): Promise<Response> {
    return fetch(this.url, { method: 'POST', body: JSON.stringify(body) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await fetch(this.url, { method: 'DELETE' });
    await this.#callbacks[Symbol.asyncDispose]();
  }
}

const event = (data: string, id = '', type = 'message'): Told => ({ kind: 'event', event: { type, data, id } });

it('says what the client can do', async () => {
  expect(await (await fetch(service)).json()).toMatchObject({
    capabilities: [
      'comments',
      'headers',
      'last-event-id',
      'post',
      'report',
      'read-timeout',
      'restart',
      'bom',
      'server-directed-shutdown-request',
    ],
  });
});

it.each([
  '',
  '{',
  '{}',
  '{"streamUrl":"/x","callbackUrl":"http://127.0.0.1:1/"}',
  '{"streamUrl":"http://127.0.0.1:1/"}',
])('answers 400 to %j', async (body) => {
  expect((await fetch(service, { method: 'POST', body })).status).toBe(400);
});

it('asks as a client of event streams does', async () => {
  await using server = await FakeServer.start((response) => begin(response));
  await using _ = await Opened.from(server, { initialDelayMs: null, readTimeoutMs: null, headers: null, body: null });
  await server.asked(1);

  expect(server.requests[0]).toMatchObject({
    method: 'GET',
    headers: { accept: 'text/event-stream', 'cache-control': 'no-cache' },
  });
  expect(server.places).toEqual([undefined]);
});

it('tells of events and comments in their order, also those that to this client say something of the stream', async () => {
  const text =
    ':Hello\ndata: 1\n\n: World\nevent: greeting\nid: abc\ndata: 2\ndata: €豆腐\n\nevent: stream.end\ndata: 3\n\n';
  await using server = await FakeServer.start((response) => begin(response, text));
  await using opened = await Opened.from(server, { initialDelayMs: 60_000 });

  expect((await opened.tells(5)).slice(0, 5)).toEqual([
    { kind: 'comment', comment: 'Hello' },
    event('1'),
    { kind: 'comment', comment: 'World' },
    event('2\n€豆腐', 'abc', 'greeting'),
    event('3', 'abc', 'stream.end'),
  ]);
});

it('tells of 300 events in their order', async () => {
  const text = Array.from({ length: 300 }, (_, n) => `data: ${n}\n\n`).join('');
  await using server = await FakeServer.start((response) => begin(response, text));
  await using opened = await Opened.from(server);

  expect(await opened.tells(300)).toEqual(Array.from({ length: 300 }, (_, n) => event(String(n))));
});

it.each([
  [['\xef\xbb\xbfdata: 1\n\n'], '1'],
  [['\xef\xbb', '\xbfdata: 1\n\n'], '1'],
  [['\xef', '\xbb', '\xbf', 'data: \xef\xbb\xbf1\n\n'], '\ufeff1'],
])('takes one BOM away, however it is cut: %j', async (parts, data) => {
  await using server = await FakeServer.start(async (response) => {
    begin(response);
    for (const part of parts) {
      response.write(Buffer.from(part, 'latin1'));
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  await using opened = await Opened.from(server);

  expect(await opened.tells(1)).toEqual([event(data)]);
});

describe.each(['POST', 'REPORT'])('%s', (method) => {
  it('goes out with its body and headers, and again when it is cut', async () => {
    await using server = await FakeServer.start((response, _, n) => begin(response, `id: ${n}\ndata: ${n}\n\n`));
    const body = '{"hello": "world"}';
    const headers = { 'content-type': 'application/json; charset=utf-8', 'header-name-1': 'value-1' };
    await using opened = await Opened.from(server, { method, body, headers });
    await opened.tells(1);
    server.cut();
    await server.asked(2);

    expect(server.requests).toMatchObject([
      { method, body, headers },
      { method, body, headers: { ...headers, 'last-event-id': '0' } },
    ]);
  });
});

it('begins where it is told', async () => {
  await using server = await FakeServer.start((response) => begin(response));
  await using _ = await Opened.from(server, { lastEventId: 'abc' });
  await server.asked(1);

  expect(server.places).toEqual(['abc']);
});

it('tells of a cut, forgets half an event, and goes on', async () => {
  await using server = await FakeServer.start((response, _, n) => {
    begin(response, n === 0 ? 'id: abc\ndata: Hello\n\nid: def\ndata: Good' : 'data: again\n\n');
  });
  await using opened = await Opened.from(server);
  await opened.tells(1);
  server.cut();

  expect(await opened.tells(3)).toMatchObject([event('Hello', 'abc'), { kind: 'error' }, event('again', 'abc')]);
});

it('forgets its place when the stream takes it back', async () => {
  await using server = await FakeServer.start((response) => begin(response, 'id: abc\ndata: 1\n\nid:\ndata: 2\n\n'));
  await using opened = await Opened.from(server);
  expect(await opened.tells(2)).toEqual([event('1', 'abc'), event('2')]);
  server.cut();
  await server.asked(2);

  expect(server.places).toEqual([undefined, undefined]);
});

it('restarts without a word', async () => {
  await using server = await FakeServer.start((response, _, n) => begin(response, `data: ${n}\n\n`));
  await using opened = await Opened.from(server);
  await opened.tells(1);
  expect((await opened.command({ command: 'restart' })).ok).toBe(true);

  expect(await opened.tells(2)).toEqual([event('0'), event('1')]);
  await until(() => server.open.size === 1, 'the first to be closed');
});

it('tells of a read that takes too long, and tries again', async () => {
  await using server = await FakeServer.start((response) => begin(response, 'data: Hello\n\n'));
  await using opened = await Opened.from(server, { readTimeoutMs: 500 });

  expect(await opened.tells(2)).toMatchObject([event('Hello'), { kind: 'error', comment: 'silent' }]);
  await server.asked(2);
  expect(server.gaps[0]).toBeGreaterThanOrEqual(495);
});

it('stops at 204', async () => {
  await using server = await FakeServer.start((response, _, n) => {
    if (n > 0) answer(response, 204);
    else begin(response, 'data: 1\n\n');
  });
  await using opened = await Opened.from(server);
  await opened.tells(1);
  server.cut();
  await server.asked(2);
  await using _ = await Opened.from(server);
  await server.asked(3);

  expect((await opened.tells(2)).map(({ kind }) => kind)).toEqual(['event', 'error']);
  expect(server.requests).toHaveLength(3);
});

it.each([301, 307])('follows %i, and tells of one that leads nowhere', async (status) => {
  await using server = await FakeServer.start((response, { url }) => {
    if (url === '/there') begin(response, 'data: 1\n\n');
    else answer(response, status, url === '/stream' ? { location: '/there' } : {});
  });
  await using opened = await Opened.from(server);
  expect(await opened.tells(1)).toEqual([event('1')]);
  await using lost = await Opened.from(server, { streamUrl: `${server.url}/nowhere` });

  expect(await lost.tells(1)).toMatchObject([{ kind: 'error' }]);
});

it('closes a stream, which then is none', async () => {
  await using server = await FakeServer.start((response) => begin(response));
  await using opened = await Opened.from(server);
  await server.asked(1);
  expect((await opened.command({ command: 'dance' })).status).toBe(400);
  expect((await fetch(opened.url, { method: 'DELETE' })).ok).toBe(true);
  await server.left();

  expect((await fetch(opened.url, { method: 'DELETE' })).status).toBe(404);
  expect((await opened.command({ command: 'restart' })).status).toBe(404);
});

it('ends with its suite', async () => {
  await using server = await FakeServer.start((response) => begin(response));
  const other = new Program('test/support/client-driver-main.ts', '0');
  await using _ = other;
  await other.says('listens on');
  const url = `http://127.0.0.1:${/listens on (\d+)/.exec(other.output)![1]}`;
  const body = JSON.stringify({ streamUrl: server.url, callbackUrl: 'http://127.0.0.1:1/' });
  await fetch(url, { method: 'POST', body });
  await server.asked(1);
  expect((await fetch(url, { method: 'DELETE' })).status).toBe(204);
  await other.ended();

  expect(other.exit).toBe(0);
});
