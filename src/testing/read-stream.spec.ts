import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { readStream } from './read-stream.js';

describe('readStream', () => {
  let server: Server;
  let url: string;
  let answer: (request: IncomingMessage, response: ServerResponse) => unknown;

  beforeEach(async () => {
    server = createServer((request, response) => void answer(request, response)).listen(0);
    await once(server, 'listening');
    url = `http://localhost:${(server.address() as AddressInfo).port}`;
  });

  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });

  /** Streams the body and leaves the response open. */
  const stream = (body: string) => (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.write(body);
    return response;
  };
  const end = (body: string) => (request: IncomingMessage, response: ServerResponse) =>
    stream(body)(request, response).end();

  it('gives events, comments, retry and the last id as they come', async () => {
    answer = stream('retry: 5\n: hello\n\nid: 1\nevent: tick\ndata: {"n":1}\n\ndata: x\n\nid: 9\n\n');
    await using reading = await readStream(url);
    const [tick, plain] = await reading.take(2);

    expect(tick).toMatchObject({ type: 'tick', data: '{"n":1}', id: '1' });
    expect(tick?.json()).toEqual({ n: 1 });
    expect(plain).toMatchObject({ type: 'message', data: 'x', id: '1' });
    expect(() => plain?.json()).toThrow(SyntaxError);
    expect(reading).toMatchObject({ status: 200, retryMs: 5, comments: ['hello'] });
    expect(reading.events).toHaveLength(2);
  });

  it('gives each event once, whichever way it is asked for', async () => {
    answer = end('data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\ndata: 5\n\n');
    await using reading = await readStream(url);

    expect((await reading.next())?.data).toBe('1');
    expect((await reading.take(1)).map(({ data }) => data)).toEqual(['2']);
    expect((await reading.until(({ data }) => data === '4')).map(({ data }) => data)).toEqual(['3', '4']);
    expect((await reading.end()).map(({ data }) => data)).toEqual(['5']);
    expect(await reading.next()).toBeUndefined();
    expect(reading.events.map(({ data }) => data)).toEqual(['1', '2', '3', '4', '5']);
  });

  it('resolves with what take or until ask for', async () => {
    answer = stream('data: 1\n\ndata: 2\n\n');
    await using taken = await readStream(url, { take: 2 });
    await using found = await readStream(url, '', { until: ({ data }) => data === '2' });

    expect([taken.events.length, found.events.length]).toEqual([2, 2]);
  });

  it('takes an application that listens, and resolves the path against it', async () => {
    answer = (request, response) => end(`data: ${request.url}\n\n`)(request, response);
    const app = { getUrl: async () => url };
    await using reading = await readStream(app, '/stocks/AAPL?x=1');

    expect((await reading.next())?.data).toBe('/stocks/AAPL?x=1');
  });

  it('sends method, headers, body and the last event id', async () => {
    answer = async (request, response) => {
      const { method, headers } = request;
      const got = { method, body: await text(request), type: headers['content-type'], id: headers['last-event-id'] };
      end(`data: ${JSON.stringify({ ...got, accept: headers.accept, own: headers['x-own'] })}\n\n`)(request, response);
    };
    await using reading = await readStream(url, { body: { q: 1 }, lastEventId: 'x.1', headers: { 'X-Own': 'y' } });

    expect((await reading.next())?.json()).toEqual({
      method: 'POST',
      body: '{"q":1}',
      type: 'application/json',
      id: 'x.1',
      accept: 'text/event-stream',
      own: 'y',
    });
  });

  it.each([204, 401, 500])('gives the status and the text of an answer %p that is no stream', async (status) => {
    const body = status === 204 ? '' : 'data: no\n\n';
    answer = (_request, response) => response.writeHead(status, { 'content-type': 'text/plain' }).end(body);
    await using reading = await readStream(url);

    expect([reading.status, reading.text(), await reading.next()]).toEqual([status, body, undefined]);
  });

  it('tells what has come when something does not come in time', async () => {
    answer = stream('event: tick\ndata: 1\nid: 7\n\n');
    await using reading = await readStream(url, '/x', { timeoutMs: 500 });

    await expect(reading.take(2)).rejects.toThrow(
      `readStream: waited 500 ms for 2 events of GET ${url}/x; received 1 events, 0 of them asked for:\ntick "1" (id "7")`,
    );
    expect((await reading.next())?.data).toBe('1');
  });

  it('tells when no answer comes in time', async () => {
    answer = () => undefined;
    await expect(readStream(url, { timeoutMs: 50 })).rejects.toThrow('no answer to GET');
  });

  it('tells before Jest and Vitest end the test, after 5 s', async () => {
    jest.useFakeTimers();
    try {
      const silent: typeof fetch = (_, init) =>
        new Promise((_resolve, reject) =>
          init?.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error)),
        );
      const told = expect(readStream(url, { fetch: silent })).rejects.toThrow('within 4000 ms');
      await jest.advanceTimersByTimeAsync(4_999);

      await told;
    } finally {
      jest.useRealTimers();
    }
  });

  it('tells when the stream ends or breaks off before what was asked for', async () => {
    answer = end('data: 1\n\n');
    await using ended = await readStream(url);
    await expect(ended.take(2)).rejects.toThrow('ended before 2 events; received 1 events');

    answer = async (request, response) => {
      stream('data: 1\n\n')(request, response);
      await new Promise(setImmediate);
      response.destroy();
    };
    await using broken = await readStream(url);
    await expect(broken.end()).rejects.toThrow('broke off');
  });

  it.each(['close()', 'the signal'])('leaves by %s, and what waits gets the end', async (how) => {
    const left = new Promise((resolve) => {
      answer = (request, response) => stream('data: 1\n\n')(request, response).once('close', resolve);
    });
    const controller = new AbortController();
    await using reading = await readStream(url, { signal: controller.signal, take: 1 });
    const next = reading.next();
    if (how === 'close()') reading.close();
    else controller.abort();

    await left;
    expect(await next).toBeUndefined();
  });

  it('rejects with what the predicate throws', async () => {
    answer = stream('data: 1\n\n');
    await using reading = await readStream(url);
    const boom = new Error('boom');

    await expect(
      reading.until(() => {
        throw boom;
      }),
    ).rejects.toBe(boom);
  });
});
