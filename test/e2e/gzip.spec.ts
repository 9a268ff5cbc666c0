import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import compression from 'compression';
import { Observable } from 'rxjs';
import type { SseModuleOptions } from 'nestjs-event-stream';
import { type Adapter, type TestApp, adapters, startApp, transports } from '../support/app.js';
import { TopicController, streamOf } from '../support/controllers.js';
import { type RawClient, openRaw } from '../support/raw.js';

const GZIP = { 'accept-encoding': 'gzip' };
/** Long enough to be packed. */
const PRICES = JSON.stringify(Array.from({ length: 100 }, (_, n) => ({ symbol: `S${n}`, price: n * 1.5 })));

const start = (adapter: Adapter, options: SseModuleOptions = {}): Promise<TestApp> =>
  startApp(adapter, { controllers: [TopicController], options: { compression: true, ...options } });

describe.each(transports)('on $name', (adapter) => {
  test('a client that accepts gzip gets every event at once, and at the end a complete body', async () => {
    await using app = await start(adapter);
    const stream = await app.open('/topic', { headers: GZIP });
    await stream.receive('id: ');

    const events = ['short', PRICES, 'a\nb', PRICES];
    for (const data of events) {
      await app.streams.publish('topic', { data });
      expect(await stream.next()).toMatchObject({ data });
    }
    void app.streams.topic('topic').complete();

    expect(await stream.rest()).toMatchObject([{ type: 'stream.end' }]);
    expect(stream.error).toBeUndefined();
    expect(stream.headers.get('content-encoding')).toBe('gzip');
    expect(stream.headers.get('vary')).toBe('Accept-Encoding');
    expect(stream.headers.get('cache-control')).toContain('no-transform');
  });

  test.each(['identity', 'br', 'gzip;q=0', 'gzip;q=0.5, identity'])('a client with %j gets text', async (accepted) => {
    await using app = await start(adapter);
    const stream = await app.open('/topic', { headers: { 'accept-encoding': accepted } });
    await stream.receive('id: ');
    await app.streams.publish('topic', { data: PRICES });

    expect(await stream.next()).toMatchObject({ data: PRICES });
    expect(stream.headers.has('content-encoding')).toBe(false);
    expect(stream.headers.get('vary')).toBe('Accept-Encoding');
  });

  test('nothing is packed unless that was asked for', async () => {
    await using app = await start(adapter, { compression: undefined });
    const stream = await app.open('/topic', { headers: GZIP });

    expect(stream.headers.has('content-encoding')).toBe(false);
    expect(stream.headers.has('vary')).toBe(false);
  });

  test('who comes back gets what was missed, packed, and goes on live', async () => {
    await using app = await start(adapter);
    const first = await app.open('/topic', { headers: GZIP });
    await first.receive('id: ');
    const headers = { ...GZIP, 'last-event-id': first.lastEventId! };
    first.leave();
    for (let n = 0; n < 200; n++) await app.streams.publish('topic', { data: `${n} ${PRICES}` });

    const second = await app.open('/topic', { headers });
    const missed = await second.take(200);
    await app.streams.publish('topic', { data: 'live' });

    expect(missed.map(({ data }) => Number(data.split(' ')[0]))).toEqual(Array.from({ length: 200 }, (_, n) => n));
    expect(await second.next()).toMatchObject({ data: 'live' });
  });

  test('what is of one connection alone is packed too: sources, filtered events, and what is sent', async () => {
    async function* source() {
      yield 'short';
      yield PRICES;
    }
    await using app = await startApp(adapter, {
      controllers: [
        TopicController,
        streamOf(({ connection }) => (connection.send({ data: `sent ${PRICES}` }), source()), { compression: true }),
      ],
    });
    const stream = await app.open('/stream', { headers: GZIP });
    const plain = await app.open('/topic', { headers: GZIP });

    expect((await stream.rest()).map(({ data }) => data).slice(0, 3)).toEqual([`sent ${PRICES}`, 'short', PRICES]);
    expect(stream.headers.get('content-encoding')).toBe('gzip');
    expect(plain.headers.has('content-encoding')).toBe(false);
  });

  test('a client that is to come back later is told so in text', async () => {
    await using app = await start(adapter, { limits: { connections: 1 } });
    await app.open('/topic', { headers: GZIP });
    const refused = await app.open('/topic', { headers: GZIP });

    expect(await refused.body()).toMatch(/^retry: \d+\n: too many streams are open\n/);
  });

  test('a stream that fails, or whose application closes, ends as a complete body', async () => {
    await using app = await startApp(adapter, {
      controllers: [
        TopicController,
        streamOf(() => new Observable((subscriber) => subscriber.error(new Error('secret')))),
      ],
      options: { compression: true },
    });
    const failing = await app.open('/stream', { headers: GZIP });
    const open = await app.open('/topic', { headers: GZIP });
    await open.receive('id: ');
    await app.nest.close();

    expect(await failing.rest()).toMatchObject([{ type: 'stream.error' }]);
    expect(await open.rest()).toMatchObject([{ type: 'stream.end', data: '{"reason":"shutdown","reconnect":true}' }]);
    expect([failing.error, open.error]).toEqual([undefined, undefined]);
  });

  test('3 MiB that cannot be packed well reach a client that reads slowly, whole', async () => {
    const data = Array.from({ length: 400_000 }, (_, n) => ((n * 2_654_435_761) % 0xffffffff).toString(36)).join('');
    await using app = await start(adapter, { maxPendingBytes: 16_777_216 });
    const stream = await app.open('/topic', { headers: GZIP });
    await stream.receive('id: ');
    await app.streams.publish('topic', { data });
    void app.streams.topic('topic').complete();

    const [event, end] = await stream.rest();
    expect(event?.data === data).toBe(true);
    expect(end?.type).toBe('stream.end');
    expect(stream.error).toBeUndefined();
  });

  test('the framework keeps its own Vary', async () => {
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { compression: true },
      nest: { cors: { origin: ['https://app.example.com'], credentials: true } },
    });
    const stream = await app.open('/topic', { headers: { ...GZIP, origin: 'https://app.example.com' } });

    expect(stream.headers.get('vary')).toBe('Origin, Accept-Encoding');
    expect(stream.headers.get('content-encoding')).toBe('gzip');
  });
});

describe.each(adapters)('on $name over HTTP/1', (adapter) => {
  test('all who read a topic get the very same packed bytes', async () => {
    await using app = await start(adapter);
    await using one = await openRaw(app.port, ...request('GET /topic HTTP/1.1'));
    await using other = await openRaw(app.port, ...request('GET /topic HTTP/1.1'));
    await Promise.all([one, other].map((client) => client.receive(/\r\n\r\n[^]*id: /)));
    const before = [one, other].map(({ text }) => text.length);

    for (let n = 0; n < 3; n++) await app.streams.publish('topic', { data: PRICES });
    void app.streams.topic('topic').complete();
    await Promise.all([one, other].map((client) => client.receive(/\r\n0\r\n\r\n$/)));

    const sent = [one, other].map(({ text }, index) => text.slice(before[index], text.lastIndexOf('\r\n', -20)));
    expect(sent[0]!.length).toBeLessThan(PRICES.length);
    // Their last 8 bytes of the body are a checksum and a length of everything, and their places were the same.
    expect(sent[0]).toBe(sent[1]);
    expect(unpacked(one)).toMatch(
      /^retry: 3000\n: heartbeat 15000\nid: \S+\n\n(id: \S+\ndata: .*\n\n){3}event: stream\.end\n[^]*\n\n$/,
    );
  });

  test('HTTP/1.0 gets it without chunk framing', async () => {
    await using app = await start(adapter);
    await using client = await openRaw(app.port, ...request('GET /topic HTTP/1.0'));
    await client.receive(/\r\n\r\n[^]*id: /);
    await app.streams.publish('topic', { data: PRICES });
    void app.streams.topic('topic').complete();
    await client.closed();

    const body = client.text.slice(client.text.indexOf('\r\n\r\n') + 4);
    expect(gunzipSync(Buffer.from(body, 'latin1')).toString()).toContain(`data: ${PRICES}\n\nevent: stream.end\n`);
  });

  test('HEAD has the headers and no body', async () => {
    await using app = await start(adapter);
    await using client = await openRaw(app.port, ...request('HEAD /topic HTTP/1.1'), 'Connection: close');
    await client.closed();

    expect(client.text).toMatch(/\r\ncontent-encoding: gzip\r\n/i);
    expect(client.text).toMatch(/\r\n\r\n$/);
  });

  test('a heartbeat reaches a client that unpacks as it comes', async () => {
    await using app = await start(adapter, { heartbeatMs: 25 });
    const stream = await app.open('/topic', { headers: GZIP });
    await stream.receive(/id: \S+\n\n:\n:\n/);
  });

  test('a compression middleware leaves what is packed as it is', async () => {
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { compression: true },
      configure: (nest) => nest.use(compression({ filter: () => true })),
    });
    const stream = await app.open('/topic', { headers: GZIP });
    await stream.receive('id: ');
    await app.streams.publish('topic', { data: PRICES });

    expect(await stream.next()).toMatchObject({ data: PRICES });
    expect(stream.headers.get('content-encoding')).toBe('gzip');
  });
});

const request = (line: string): string[] => [line, 'Host: x', 'Accept-Encoding: gzip'];

/** The text of a body that came in chunks. */
function unpacked({ text }: RawClient): string {
  const parts: string[] = [];
  for (let at = text.indexOf('\r\n\r\n') + 4; ;) {
    const lineEnd = text.indexOf('\r\n', at);
    const size = parseInt(text.slice(at, lineEnd), 16);
    if (size === 0) return gunzipSync(Buffer.from(parts.join(''), 'latin1')).toString();
    parts.push(text.slice(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}
