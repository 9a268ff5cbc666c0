import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type EventEmitter, once } from 'node:events';
import type { Server } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { type Socket, connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { defineTopic, memoryEngine } from 'nestjs-event-stream';
import { Node } from '../../src/node/node.js';
import { type Adapter, type TestApp, adapters, alone, startApp, transports } from '../support/app.js';
import { type HandlerContext, TopicController, streamOf } from '../support/controllers.js';
import { type RawClient, openRaw } from '../support/raw.js';
import { until } from '../support/until.js';
import { type Watch, heapBytes, watchProcess } from '../support/watch.js';

const GET = ['GET /topic HTTP/1.1', 'Host: x'];
const hub = { hub: { path: 'events' }, authorize: 'public' } as const;
const http2 = transports.filter(({ isHttp2 }) => isHttp2);

let watch: Watch;
beforeEach(() => void (watch = watchProcess()));
afterEach(() => {
  watch[Symbol.dispose]();
  expect(watch.seen).toEqual([]);
});

/** What of a stream is left in the process, as numbers: all are 0 when nobody is connected. */
function leftBehind(app: TestApp, topics: readonly string[] = ['topic']) {
  const node = app.nest.get(Node, { strict: false });
  const view = node.hub.acquire(topics);
  const found = {
    connections: node.connections.open.size,
    admitted: node.connections.counted,
    cursors: [...view.readers].length,
    refs: view.refs - 1,
  };
  node.hub.release(view);
  return found;
}

const NOTHING = { connections: 0, admitted: 0, cursors: 0, refs: 0 };

async function untilNothingIsLeft(app: TestApp): Promise<void> {
  await until(() => Object.values(leftBehind(app)).every((n) => n === 0), 'everything to be freed', 10_000).catch(
    () => undefined,
  );
  expect(leftBehind(app)).toEqual(NOTHING);
}

async function expectServing(app: TestApp): Promise<void> {
  const stream = await app.open('/topic');
  await stream.receive('id: ');
  await app.streams.publish('topic', { data: 'still here' });
  expect(await stream.next()).toMatchObject({ data: 'still here' });
  stream.leave();
}

describe.each(adapters)('on $name', (adapter) => {
  test('100 sockets that send their heads byte by byte keep nobody waiting, and do not hold up the end', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const clients = await Promise.all(Array.from({ length: 100 }, () => openSilent(app.port)));
    const trickle = setInterval(() => clients.forEach(({ socket }) => socket.writable && socket.write('a')), 10);
    const stream = await app.open('/topic');
    await stream.receive('id: ');
    const waited: number[] = [];

    for (let n = 0; n < 20; n++) {
      const sentAt = performance.now();
      await app.streams.publish('topic', { data: n });
      await stream.next();
      waited.push(performance.now() - sentAt);
      await delay(10);
    }
    const { connections } = leftBehind(app);
    const closingAt = performance.now();
    await app.nest.close();
    clearInterval(trickle);

    expect(connections).toBe(1);
    expect(Math.max(...waited)).toBeLessThan(1_000);
    expect(performance.now() - closingAt).toBeLessThan(2_000);
  });

  test('50 stream requests on one socket are all freed when it dies', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    await using client = await openRaw(app.port, ...pipelined(50));
    await until(() => app.streams.connections.count === 50, 'all to be open');

    client.socket.resetAndDestroy();

    await untilNothingIsLeft(app);
    await expectServing(app);
  });

  test('pipelined requests whose streams have ended leave nothing on the socket that they came over', async () => {
    await using app = await startApp(adapter, { controllers: [streamOf(() => ['a'])] });
    let socket: Socket | undefined;
    (app.nest.getHttpServer() as Server).once('connection', (accepted: Socket) => (socket = accepted));
    const twice = [...GET, '', ...GET].map((line) => line.replace('/topic', '/stream'));
    await using client = await openRaw(app.port, ...twice);
    await client.receive(/(\r\n0\r\n\r\n[^]*){2}/);
    const before = socket?.listenerCount('close');

    for (let round = 0; round < 5; round++) {
      client.text = '';
      client.socket.write([...twice, '', ''].join('\r\n'));
      await client.receive(/(\r\n0\r\n\r\n[^]*){2}/);
    }

    expect(socket?.listenerCount('close')).toBe(before);
  });

  test('5,000 clients that come back at once are each given exactly what they have missed', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const ids: string[] = [];
    for (let n = 0; n < 200; n++) ids.push((await app.streams.publish('topic', { data: n })).id);
    const workerData = { port: app.port, path: '/topic', ids, clients: 5_000, deadlineMs: 50_000 };
    const worker = new Worker(new URL('support/crowd.mjs', import.meta.url), { workerData });

    const [report] = await once(worker, 'message');
    const open = app.streams.connections.count;
    worker.postMessage('leave');
    await once(worker, 'exit');

    expect(report).toMatchObject({ exact: 5_000, resets: 0, wrong: [], errors: {} });
    expect(report.slowestMs).toBeLessThan(40_000);
    expect(open).toBe(5_000);
    await untilNothingIsLeft(app);
  }, 90_000);

  test('a head that is never finished, and one that is cut by a reset, open nothing', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    for (let length = 1; length < 40; length += 3) {
      const client = await openSilent(app.port, 'GET /topic HTTP/1.1\r\nHost: x\r\nX: y\r\n\r'.slice(0, length));
      if (length % 2 === 0) client.socket.resetAndDestroy();
      else client.socket.end();
    }

    await expectServing(app);
    await untilNothingIsLeft(app);
  });

  test.each([
    ['garbage', '\u0000\u0001\u0002 nonsense \r\n\r\n'],
    ['half a request', 'GET /top'],
    ['a TLS greeting', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000'],
    ['an HTTP/2 greeting', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('%s after the request harms nobody else, and is freed with its socket', async (_, rest) => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    await using client = await openRaw(app.port, ...GET);
    await client.receive('id: ');

    client.socket.write(rest, 'latin1');
    await expectServing(app);
    client.socket.destroy();

    await untilNothingIsLeft(app);
  });

  test.each([
    ['a header of 20 KB', 431, ['GET /topic HTTP/1.1', 'Host: x', `X: ${'x'.repeat(20_000)}`]],
    ['20 KB of URL', 431, [`GET /topic?${'x'.repeat(20_000)} HTTP/1.1`, 'Host: x']],
    ['10,000 topics in the URL', 431, [`GET /events?${topicsQuery(10_000)} HTTP/1.1`, 'Host: x']],
    ['more topics than one connection may read', 400, [`GET /events?${topicsQuery(1_001)} HTTP/1.1`, 'Host: x']],
    ['two lengths', 400, [...GET, 'Content-Length: 1', 'Content-Length: 2']],
    ['a length beside chunks', 400, [...GET, 'Content-Length: 5', 'Transfer-Encoding: chunked']],
    ['a header name with a space', 400, [...GET, 'Last Event ID: 1']],
    ['a NUL in a header', 400, [...GET, 'Last-Event-ID: a\0b']],
    ['a bare CR in a header', 400, [...GET, 'Last-Event-ID: a\rb']],
    ['no Host', 400, ['GET /topic HTTP/1.1']],
  ])('%s is answered %i, and nothing is opened', async (_, status, lines) => {
    await using app = await startApp(adapter, { controllers: [TopicController], options: hub });
    await using client = await openRaw(app.port, ...lines);

    await client.receive(`HTTP/1.1 ${status}`);

    expect(leftBehind(app)).toEqual(NOTHING);
    await expectServing(app);
  });

  test.each([
    ['with a length', ['Content-Length: 5'], 'hello'],
    ['in chunks', ['Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n'],
    ['of JSON that is none', ['Content-Type: text/plain', 'Content-Length: 5'], '{"a":'],
  ])('a body on GET %s does not keep the stream from coming, or from being freed', async (_, lines, body) => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    await using client = await openRaw(app.port, ...GET, ...lines);
    client.socket.write(body);
    await client.receive('id: ');

    await app.streams.publish('topic', { data: 'a' });
    await client.receive('data: a');
    client.socket.destroy();

    await untilNothingIsLeft(app);
  });

  test('patterns made to explode cost no more than plain ones, when they are opened and when they match', async () => {
    const evil = Array.from({ length: 20 }, (_, n) => `${'**/a/'.repeat(15)}${n}`);
    const plain = Array.from({ length: 20 }, (_, n) => `${'b/'.repeat(29)}*/${n}`);
    const evilMs = await timeOf(adapter, evil);
    const plainMs = await timeOf(adapter, plain);

    expect(evilMs).toBeLessThan(10 * plainMs + 500);
  }, 30_000);

  test('patterns made to explode cost nothing in the search for definitions that they touch', async () => {
    const deep = Array.from({ length: 60 }, (_, n) => (n % 2 === 0 ? 'a' : `:p${n}`)).join('/');
    const topics = [defineTopic(deep, { authorize: () => true }), defineTopic('other/:id')];
    await using app = await startApp(adapter, { options: { ...hub, topics } });
    const startedAt = performance.now();

    const answer = await app.open(`/events?topic=${encodeURIComponent(`${'**/a/'.repeat(15)}b`)}`);

    expect([200, 403]).toContain(answer.status);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  test('an error of the response itself, as a middleware may cause it, ends nothing', async () => {
    const responses: EventEmitter[] = [];
    await using app = await startApp(adapter, { controllers: [TopicController] });
    (app.nest.getHttpServer() as Server).prependListener('request', (_, response) => responses.push(response));
    const stream = await app.open('/topic');
    await stream.receive('id: ');

    responses[0]?.emit('error', new Error('password=hunter2'));
    await app.streams.publish('topic', { data: 'after' });

    expect(await stream.next()).toMatchObject({ data: 'after' });
  });

  test('a source whose return() rejects or throws harms nobody', async () => {
    let returned = 0;
    const broken = (answer: () => unknown) => ({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => undefined),
        return: () => {
          returned++;
          return answer();
        },
      }),
    });
    const sources = [broken(() => Promise.reject(new Error('late'))), broken(() => JSON.parse('{'))];
    await using app = await startApp(adapter, { controllers: [streamOf(() => sources.shift()), TopicController] });

    for (const stream of [await app.open('/stream'), await app.open('/stream')]) {
      await stream.receive('retry');
      stream.leave();
    }
    await until(() => returned === 2, 'both to be told');
    await delay(20);

    await expectServing(app);
    await untilNothingIsLeft(app);
  });

  test('a handler that answers when the drain is over has its client told to come back', async () => {
    let proceed: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (proceed = resolve));
    let isEntered = false;
    const handler = async ({ streams }: HandlerContext) => {
      isEntered = true;
      await released;
      return streams.topic('topic');
    };
    await using app = await startApp(adapter, { controllers: [streamOf(handler)] });
    const opening = app.open('/stream');
    await until(() => isEntered, 'the handler to be called');

    const closing = app.nest.close();
    await delay(100);
    proceed();
    const events = await (await opening).rest();

    expect(events.map(({ data }) => data)).toEqual(['{"reason":"shutdown","reconnect":true}']);
    await closing;
  });

  test('a flood of made-up ids, each with a search, leaves nothing in memory', async () => {
    const engine = alone(memoryEngine());
    const locate = engine.locate.bind(engine);
    const searched: number[] = [];
    engine.locate = async (topics, id) => {
      searched.push(id.length);
      return locate(topics, id);
    };
    await using app = await startApp(adapter, { controllers: [TopicController], options: { engine } });
    await app.streams.publish('topic', { data: 'a', id: 'own' });
    await flood(app, 500, 1_000);
    const before = heapBytes();

    await flood(app, 3_000, 1_000);
    await flood(app, 100, 12_000);
    const grown = heapBytes() - before;

    expect(searched).toHaveLength(3_500);
    // Less than the ids alone would take.
    expect(grown).toBeLessThan(2_500_000);
    await untilNothingIsLeft(app);
  }, 60_000);
});

describe.each(http2)('on $name', (adapter) => {
  test('500 streams on one session are all freed when their client resets them at once', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    await using client = openSession(app);
    const streams = Array.from({ length: 500 }, () => client.request());
    await until(() => app.streams.connections.count === 500, 'all to be open', 10_000);

    for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);

    await untilNothingIsLeft(app);
    await expectServing(app);
  });

  test('500 streams are all freed when their session dies', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    await using client = openSession(app);
    for (let n = 0; n < 500; n++) client.request();
    await until(() => app.streams.connections.count === 500, 'all to be open', 10_000);

    client.socket.resetAndDestroy();

    await untilNothingIsLeft(app);
    await expectServing(app);
  });

  test('a flood of streams that are reset as soon as they are asked for leaves nothing behind', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    for (let round = 0; round < 10; round++) {
      await using client = openSession(app);
      for (let n = 0; n < 200; n++) client.request().close(constants.NGHTTP2_CANCEL);
      await delay(20);
    }

    await expectServing(app);
    await untilNothingIsLeft(app);
  });

  test('a client that gives its streams no window is freed with them', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    await using client = openSession(app, { initialWindowSize: 0 });
    const streams = Array.from({ length: 50 }, () => client.request());
    await until(() => app.streams.connections.count === 50, 'all to be open');
    for (let n = 0; n < 200; n++) await app.streams.publish('topic', { data: 'x'.repeat(1_000) });

    for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);

    await untilNothingIsLeft(app);
    await expectServing(app);
  });

  test('a head that is too large ends nothing but its own stream', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController], options: hub });
    await using client = openSession(app);
    const stream = client.request(`/events?${topicsQuery(10_000)}`);
    const answered = once(stream, 'response').catch(() => []);
    await Promise.race([answered, once(stream, 'close').catch(() => [])]);

    expect(leftBehind(app)).toEqual(NOTHING);
    await expectServing(app);
  });
});

function topicsQuery(count: number): string {
  return Array.from({ length: count }, (_, n) => `topic=${n.toString(36)}`).join('&');
}

function pipelined(count: number): string[] {
  return Array.from({ length: count }, () => [...GET, ''])
    .flat()
    .slice(0, -1);
}

/** A socket on which no request has been finished. */
async function openSilent(port: number, text = 'GET /topic HTTP/1.1\r\nX: '): Promise<RawClient> {
  const client = await openRaw(port);
  client.socket.write(text);
  return client;
}

/** Opens streams over these patterns, publishes to names that they nearly match, and gives the time that it took, in ms. */
async function timeOf(adapter: Adapter, patterns: readonly string[]): Promise<number> {
  await using app = await startApp(adapter, { controllers: [TopicController], options: hub });
  const query = patterns.map((pattern) => `topic=${encodeURIComponent(pattern)}`).join('&');
  const startedAt = performance.now();
  const streams = [];
  for (let n = 0; n < 20; n++) streams.push(await app.open(`/events?topic=done&topic=x${n}&${query}`));
  await Promise.all(streams.map((stream) => stream.receive('id: ')));
  for (let n = 0; n < 50; n++) await app.streams.publish(`${'a/'.repeat(400)}c${n}`, { data: n });
  await app.streams.publish('done', { data: 'done' });
  await Promise.all(streams.map((stream) => stream.next()));
  return performance.now() - startedAt;
}

/** Clients with ids of this length that nobody has given out, 50 at a time. */
async function flood(app: TestApp, count: number, length: number): Promise<void> {
  for (let n = 0; n < count; n += 50) {
    const clients = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        openRaw(app.port, ...GET, `Last-Event-ID: ${String(n + index).padEnd(length, 'x')}`),
      ),
    );
    await Promise.all(clients.map((client) => client.receive('"unknown"')));
    for (const { socket } of clients) socket.resetAndDestroy();
  }
  await until(() => app.streams.connections.count === 0, 'the flood to be over');
}

function openSession(app: TestApp, settings = {}) {
  const socket = connect({ port: app.port, host: '127.0.0.1' });
  const session: ClientHttp2Session = connectHttp2(app.url, { settings, createConnection: () => socket });
  session.on('error', () => undefined);
  session.setMaxListeners(0);
  return {
    socket,
    request: (path = '/topic') => {
      const stream = session.request({ ':path': path });
      stream.on('error', () => undefined).resume();
      return stream;
    },
    [Symbol.asyncDispose]: async () => session.destroy(),
  };
}
