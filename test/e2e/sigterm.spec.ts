import { describe, expect, test } from '@jest/globals';
import { connect } from 'node:net';
import { adapters } from '../support/app.js';
import { type ChildApp, startChild } from '../support/child.js';
import { RawClient, openRaw } from '../support/raw.js';
import type { Stream } from '../support/stream.js';
import { until } from '../support/until.js';

const END = '{"reason":"shutdown","reconnect":true}';
const CLIENTS = 300;
/** Nest ends the process with the signal that it has received, once everything is closed. */
const BY_SIGNAL = { code: null, signal: 'SIGTERM' };
/** How an answer ends that tells its client to come back, complete to the last chunk. */
const TOLD =
  /\nretry: \d+\nevent: stream\.end\ndata: \{"reason":"shutdown","reconnect":true\}\n(id: .*\n)?\n\r\n0\r\n\r\n$/;

async function openMany(app: ChildApp, count: number): Promise<Stream[]> {
  const streams = await Promise.all(Array.from({ length: count }, () => app.open('/topic')));
  await Promise.all(streams.map((stream) => stream.receive('id: ')));
  return streams;
}

/** Asks for a stream on a connection of its own, which may be refused. */
function approach(port: number): RawClient {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.write('GET /topic HTTP/1.1\r\nHost: x\r\n\r\n');
  return new RawClient(socket);
}

const isInReplay = ({ text }: RawClient): boolean => text.includes('\ndata: ');

describe.each(adapters)('SIGTERM on $name', (adapter) => {
  test('tells 300 open streams to come back, each at its own time, and the process ends without a word', async () => {
    await using app = await startChild(adapter, { retryMs: 2_000, drain: { windowMs: 500 } });
    const streams = await openMany(app, CLIENTS);
    await app.call('publish', 'topic', ['last']);

    const [exit, ...events] = await Promise.all([app.terminated(), ...streams.map((stream) => stream.rest())]);
    const retries = streams.map((stream) => stream.retries.at(-1)!);

    expect(exit).toMatchObject(BY_SIGNAL);
    expect(exit.tookMs).toBeGreaterThan(450);
    expect(exit.tookMs).toBeLessThan(3_000);
    expect(app.output).toBe('');
    for (const own of events) expect(own.map(({ data }) => data)).toEqual(['last', END]);
    for (const stream of streams) expect(stream.error).toBeUndefined();
    for (const stream of streams) expect(stream.retries).toHaveLength(2);
    expect(Math.min(...retries)).toBeGreaterThanOrEqual(1_000);
    expect(Math.min(...retries)).toBeLessThan(1_200);
    expect(Math.max(...retries)).toBeGreaterThan(2_800);
    expect(Math.max(...retries)).toBeLessThanOrEqual(3_000);
    expect(new Set(retries).size).toBeGreaterThan(CLIENTS / 2);
  }, 30_000);

  test('during long replays ends each in the middle, after a beginning without a hole', async () => {
    await using app = await startChild(adapter, { history: { maxEvents: Infinity, maxBytes: Infinity } });
    const padding = 'x'.repeat(16_000);
    const texts = Array.from({ length: 2_000 }, (_, n) => `${n} ${padding}`);
    const ids = await app.call('publish', 'topic', texts);
    let isTerminating = false;
    const clients = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x', `Last-Event-ID: ${ids[0]!}`);
        client.socket.on('data', () => void (!isTerminating && isInReplay(client) && client.socket.pause()));
        return client;
      }),
    );
    await until(() => clients.every(isInReplay), 'the replays to begin');

    isTerminating = true;
    const exiting = app.terminated();
    for (const { socket } of clients) socket.resume();
    const exit = await exiting;
    await Promise.all(clients.map((client) => client.closed()));

    expect(exit).toMatchObject(BY_SIGNAL);
    expect(exit.tookMs).toBeLessThan(7_000);
    expect(app.output).toBe('');
    for (const { text } of clients) {
      const events = [...text.matchAll(/^id: (.*)\ndata: (\d+) x/gm)].map(([, id, n]) => `${id} ${n}`);
      const expected = ids.map((id, n) => `${id} ${n}`).slice(1, events.length + 1);
      expect(events).toEqual(expected);
      expect(events.length).toBeGreaterThan(0);
      expect(events.length).toBeLessThan(texts.length - 1);
      expect(text.slice(-400)).toMatch(TOLD);
      expect(text.match(/^data: /gm)).toHaveLength(events.length + 1);
      expect([...text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1]).toBe(ids[events.length]);
    }
  }, 30_000);

  test('in a storm of connects leaves nobody with half an answer, and holds the process up for nobody', async () => {
    await using app = await startChild(adapter, { drain: { windowMs: 500, deadlineMs: 2_000 } });
    const clients = Array.from({ length: 400 }, () => approach(app.port));
    await app.opened(50);

    const exiting = app.terminated();
    while (app.exit === undefined) {
      const client = approach(app.port);
      clients.push(client);
      await until(() => client.text !== '' || client.isClosed || app.exit, 'the newcomer to be answered', 10_000);
    }
    const exit = await exiting;
    await Promise.all(clients.map((client) => client.closed()));

    expect(exit).toMatchObject(BY_SIGNAL);
    expect(exit.tookMs).toBeLessThan(4_000);
    expect(app.output).toBe('');
    const answered = clients.filter(({ text }) => text !== '');
    for (const { text } of answered) expect(text).toMatch(/^HTTP\/1\.1 200 /);
    for (const { text } of answered) expect(text.slice(-400)).toMatch(TOLD);
    const opened = answered.filter(({ text }) => text.includes('\nretry: 3000\n'));
    expect(opened.length).toBeGreaterThanOrEqual(50);
    expect(answered.length).toBeGreaterThan(opened.length);
  }, 30_000);

  test('is not put off beyond the deadline by a client that does not read', async () => {
    await using app = await startChild(adapter, { drain: { deadlineMs: 500 } });
    await using silent = await openRaw(app.port);
    silent.socket.pause();
    silent.socket.write('GET /stream HTTP/1.1\r\nHost: x\r\n\r\n');
    await app.opened(1);
    const stream = await app.open('/topic');
    await stream.receive('id: ');

    const [exit, events] = await Promise.all([app.terminated(), stream.rest()]);

    expect(exit).toMatchObject(BY_SIGNAL);
    expect(exit.tookMs).toBeGreaterThanOrEqual(490);
    expect(exit.tookMs).toBeLessThan(2_000);
    expect(app.output).toBe('');
    expect(events.map(({ data }) => data)).toEqual([END]);
  }, 30_000);

  test('a second time cuts nothing short', async () => {
    await using app = await startChild(adapter, { drain: { windowMs: 600 } });
    const streams = await openMany(app, 20);

    const exiting = app.terminated();
    await streams[0]!.rest();
    app.terminate();
    const events = await Promise.all(streams.slice(1).map((stream) => stream.rest()));
    const exit = await exiting;

    expect(exit).toMatchObject(BY_SIGNAL);
    expect(exit.tookMs).toBeGreaterThan(500);
    expect(app.output).toBe('');
    for (const own of events) expect(own.map(({ data }) => data)).toEqual([END]);
  }, 30_000);
});
