import { EventEmitter } from 'node:events';
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { runInThisContext } from 'node:vm';
import type { LightMyRequestResponse } from 'fastify';
import { NEVER, of } from 'rxjs';
import { type Watch, watchProcess } from '../support/watch.js';
import { type TestApp, startApp, transports } from '../support/app.js';
import { TopicController, streamOf } from '../support/controllers.js';
import { GuardedController, byName } from '../support/people.js';
import { until } from '../support/until.js';

const END = 'event: stream.end\ndata: {"reason":"complete","reconnect":false}\nid: stream.end\n\n';

/** What Fastify's `inject()` is: Jest cannot load one of its dependencies, so it is loaded outside. */
const lightMyRequest = (runInThisContext('process') as NodeJS.Process)
  .getBuiltinModule('node:module')
  .createRequire(resolve('node_modules/fastify/package.json'))('light-my-request') as (
  dispatch: (...given: unknown[]) => void,
  request: object,
) => Promise<LightMyRequestResponse>;

let watch: Watch;
beforeEach(() => void (watch = watchProcess()));
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  watch[Symbol.dispose]();
  expect(watch.seen).toEqual([]);
});

describe.each(transports.filter(({ isFastify }) => isFastify))('inject() of $name', (adapter) => {
  const start = (source: () => unknown = () => of('a', 'b')): Promise<TestApp> =>
    startApp(adapter, {
      controllers: [streamOf(source), TopicController, GuardedController],
      options: {
        authenticate: byName,
        authorize: (_, topic) => topic === 'topic',
        heartbeatMs: 45_000,
        drain: { deadlineMs: 500 },
      },
    });
  const inject = (app: TestApp, url: string, headers = {}, method = 'GET'): Promise<LightMyRequestResponse> =>
    lightMyRequest((...given) => (app.nest.getHttpServer() as EventEmitter).emit('request', ...given), {
      url,
      headers,
      method,
    });

  test('a finite stream is answered whole', async () => {
    await using app = await start();

    const { statusCode, headers, payload } = await inject(app, '/stream');

    expect(statusCode).toBe(200);
    expect(headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(payload).toBe(`retry: 3000\n: heartbeat 45000\ndata: a\n\ndata: b\n\n${END}`);
  });

  test('so is a large one', async () => {
    const large = 'x'.repeat(300_000);
    await using app = await start(() => [large, large]);

    const { payload } = await inject(app, '/stream');

    expect(payload).toBe(`retry: 3000\n: heartbeat 45000\ndata: ${large}\n\ndata: ${large}\n\n${END}`);
  });

  test('a topic is answered when it completes', async () => {
    await using app = await start();

    const answering = inject(app, '/topic');
    await until(() => app.streams.connections.count === 1, 'the stream to open');
    await app.streams.publish('topic', { data: 1 });
    void app.streams.topic('topic').complete();
    const { payload } = await answering;

    expect(payload).toMatch(/^retry: 3000\n: heartbeat 45000\nid: \S+\n\nid: \S+\ndata: 1\n\nevent: stream\.end\n/);
    expect(app.streams.connections.count).toBe(0);
  });

  test('refusals have their status, and an end for good its 204', async () => {
    await using app = await start();

    const answers = await Promise.all([
      inject(app, '/source'),
      inject(app, '/read?topic=other', { authorization: 'ann' }),
      inject(app, '/stream', { 'last-event-id': 'stream.end' }),
      inject(app, '/stream', {}, 'HEAD'),
    ]);

    expect(answers.map(({ statusCode }) => statusCode)).toEqual([401, 403, 204, 200]);
    expect(answers.slice(2).map(({ payload }) => payload)).toEqual(['', '']);
  });

  test('an endless stream is answered when the application closes', async () => {
    await using app = await start(() => NEVER);
    const answering = inject(app, '/stream');
    await until(() => app.streams.connections.count === 1, 'the stream to open');

    const [{ payload }] = await Promise.all([answering, app.nest.close()]);

    expect(payload).toContain('"reason":"shutdown"');
  });
});

/** A request without a connection, whose socket is what its maker thought that it needs. */
function requestOf(url: string): IncomingMessage {
  const socket = Object.assign(new EventEmitter(), { remoteAddress: '203.0.113.7' }) as unknown as Socket;
  const request = new IncomingMessage(socket);
  Object.assign(request, { method: 'GET', url, headers: { host: 'x' } });
  return request;
}

/** As the wrappers of serverless platforms make one: Node's, on a socket that has little but a `write`, which returns nothing. */
function wrappedResponse(request: IncomingMessage): { response: ServerResponse; body: () => string } {
  let text = '';
  const response = new ServerResponse(request);
  response.useChunkedEncodingByDefault = false;
  const nothing = (): void => undefined;
  const write = (data: Buffer | string, encoding: unknown, callback?: () => void): void => {
    text += Buffer.from(data as string).toString();
    const called = typeof encoding === 'function' ? (encoding as () => void) : callback;
    called?.();
  };
  const socket = {
    _writableState: {},
    writable: true,
    on: nothing,
    removeListener: nothing,
    write,
    cork: nothing,
    uncork: nothing,
  };
  response.assignSocket(socket as unknown as Socket);
  return { response, body: () => text.slice(text.indexOf('\r\n\r\n') + 4) };
}

/** As libraries for tests make one: none of Node's. */
function mockResponse(): { response: ServerResponse; body: () => string } {
  let text = '';
  const headers: Record<string, unknown> = {};
  const response = Object.assign(new EventEmitter(), {
    statusCode: 200,
    finished: false,
    getHeaders: () => headers,
    getHeaderNames: () => Object.keys(headers),
    getHeader: (name: string) => headers[name.toLowerCase()],
    setHeader: (name: string, value: unknown) => void (headers[name.toLowerCase()] = value),
    removeHeader: (name: string) => void delete headers[name.toLowerCase()],
    writeHead: () => undefined,
    write: (data: Buffer | string) => void (text += Buffer.from(data as string).toString()),
    end(data: Buffer | string = '') {
      text += Buffer.from(data as string).toString();
      this.finished = true;
      response.emit('finish');
    },
  });
  // Express gives a response another prototype: what it inherits is lost then.
  for (const name of ['on', 'once', 'emit', 'removeListener', 'listeners'] as const)
    Object.assign(response, { [name]: EventEmitter.prototype[name].bind(response) });
  return { response: response as unknown as ServerResponse, body: () => text };
}

describe.each([
  ['of a serverless wrapper', wrappedResponse],
  ['of a library for tests', mockResponse],
])('with a response %s, on Express', (_, make) => {
  const express = transports.find(({ isFastify }) => !isFastify)!;

  async function answer(app: TestApp, url: string): Promise<{ status: number; body: string }> {
    const request = requestOf(url);
    const { response, body } = make(request);
    const finished = new Promise((resolve) => response.once('finish', resolve));
    (app.nest.getHttpAdapter().getInstance() as (...given: unknown[]) => void)(request, response);
    await finished;
    return { status: response.statusCode, body: body() };
  }

  test.each([
    ['small', 'a'],
    ['large', 'x'.repeat(300_000)],
  ])('a finite stream of %s events is answered whole', async (_size, text) => {
    async function* generate() {
      for (let n = 0; n < 3; n++) yield text;
    }
    const addresses: unknown[] = [];
    await using app = await startApp(express, {
      controllers: [streamOf(({ connection }) => (addresses.push(connection.address), generate()))],
    });

    const { status, body } = await answer(app, '/stream');

    expect(status).toBe(200);
    expect(body).toBe(`retry: 3000\n: heartbeat 15000\n${`data: ${text}\n\n`.repeat(3)}${END}`);
    expect(addresses).toEqual(['203.0.113.7']);
    await until(() => app.streams.connections.count === 0, 'the connection to be freed');
  });

  test('a topic is answered when it completes', async () => {
    await using app = await startApp(express, { controllers: [TopicController] });

    const answering = answer(app, '/topic');
    await until(() => app.streams.connections.count === 1, 'the stream to open');
    await app.streams.publish('topic', { data: 1 });
    void app.streams.topic('topic').complete();

    expect((await answering).body).toMatch(
      /^retry: 3000\n: heartbeat 15000\nid: \S+\n\nid: \S+\ndata: 1\n\nevent: stream\.end\n/,
    );
  });

  test('an endless stream is answered when the application closes', async () => {
    await using app = await startApp(express, {
      controllers: [TopicController],
      options: { drain: { deadlineMs: 200 } },
    });
    const answering = answer(app, '/topic');
    await until(() => app.streams.connections.count === 1, 'the stream to open');

    const [{ body }] = await Promise.all([answering, app.nest.close()]);

    expect(body).toContain('"reason":"shutdown"');
    expect(app.streams.connections.count).toBe(0);
  });
});
