import { type IncomingMessage, type ServerResponse, createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Selection } from '../connection/selection.js';
import type { ConnectionRoute } from '../connection/stream-host.js';
import { memoryEngine } from '../engine/memory.js';
import { exchangeOf } from '../http/exchange-of.js';
import { HeadCache } from '../http/head-cache.js';
import { EVENT_STREAM } from '../wire/dialect.js';
import { Arrival } from './arrival.js';
import type { ArrivalRoute } from './arrival.js';
import { Node } from './node.js';
import type { NodeOptions } from './node.js';

const OPTIONS: NodeOptions = {
  engine: memoryEngine(),
  history: { maxEvents: 100, maxBytes: 1e6, maxAgeMs: 60_000 },
  topics: [],
  limits: { connections: 2, connectionsPerPrincipal: Infinity, connectionsPerAddress: Infinity },
  drain: { windowMs: 0, deadlineMs: 1_000 },
  authenticate: undefined,
  authorize: 'public',
  topicsPerConnection: 10,
  patternsPerConnection: 2,
  isHeard: false,
};
const nothing = (): undefined => undefined;
const answering: Omit<ConnectionRoute, 'settings' | 'begin' | 'dialect'> = {
  onFailed: nothing,
  onListenerFailed: nothing,
  endAbandoned: nothing,
  cutRequest: nothing,
  addressOf: nothing,
};
const route: ArrivalRoute = {
  ...answering,
  heads: new HeadCache(),
  settings: {
    retryMs: 3_000,
    heartbeatMs: false,
    maxLifetimeMs: false,
    stallTimeoutMs: false,
    maxPendingBytes: 1e6,
    compression: false,
  },
  dialect: EVENT_STREAM,
  begin: undefined,
  headers: { 'X-Route': 'bare' },
  resumeAt: undefined,
  wire: undefined,
};

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A node behind a bare server of Node: a request for `/<topic>` streams it. */
async function start(options: Partial<NodeOptions> = {}) {
  const errors: unknown[] = [];
  const reporter = { report: (error: unknown) => void errors.push(error), log: nothing };
  const node = new Node({ ...OPTIONS, engine: memoryEngine(), ...options }, reporter);
  const failed: unknown[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const arrival = new Arrival(node, exchangeOf(request, response), route);
    try {
      arrival.enter();
      await arrival.ask(() => new Selection(node.hub, [String(request.url).slice(1)]));
      await arrival.answer();
    } catch (error) {
      failed.push(error);
      arrival.leave();
      response.writeHead(500).end();
    }
  };
  const server = createServer((request, response) => void answer(request, response)).listen(0);
  await new Promise((resolve) => server.once('listening', resolve));
  closing.push(async () => {
    await node.drain();
    await node.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const url = `http://localhost:${(server.address() as AddressInfo).port}`;
  return { node, url, errors, failed };
}

/** Reads on until the text is there, and answers with all that was read. */
function read(response: Response) {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  closing.push(() => reader.cancel().catch(nothing));
  let text = '';
  return {
    leave: () => reader.cancel(),
    until: async (wanted: string): Promise<string> => {
      while (!text.includes(wanted)) {
        const { done, value } = await reader.read();
        if (done) throw new Error(`ended after ${JSON.stringify(text)}`);
        text += value;
      }
      return text;
    },
  };
}

/** On a connection of its own: `fetch` may take one that the server is closing. */
function getAlone(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}

describe('a node without an application', () => {
  it('streams what is published, and says what has happened', async () => {
    const { node, url } = await start();
    const happened: unknown[] = [];
    for (const kind of ['opened', 'ending', 'closed', 'published', 'refused'] as const)
      node.signals.on(kind, (signal) => void happened.push([kind, signal]));
    const response = await fetch(`${url}/a`);
    const stream = read(response);
    await stream.until('id: ');
    const { id } = await node.publisher.publish('a', { data: 'hello' });
    await stream.until(`id: ${id}\ndata: hello\n\n`);
    node.connections.open.close({ topic: 'a' }, {});
    await stream.until('"reason":"closed"');
    await expect(stream.until('never')).rejects.toThrow();

    const connection = expect.objectContaining({ topics: ['a'] });
    expect(response.headers.get('x-route')).toBe('bare');
    expect(happened).toEqual([
      ['opened', { connection }],
      ['published', { topic: 'a', bytes: 13, ms: expect.any(Number) }],
      ['ending', { connection, reason: 'closed' }],
      [
        'closed',
        { connection, reason: 'closed', events: 1, frames: 2, ms: expect.any(Number), bytes: expect.any(Number) },
      ],
    ]);
  });

  it('counts who reads a topic, and whom it has let in', async () => {
    const { node, url } = await start();
    const refused: unknown[] = [];
    node.signals.on('refused', ({ reason }) => void refused.push(reason));
    const [first] = [read(await fetch(`${url}/a`)), read(await fetch(`${url}/b`))];
    const third = await (await fetch(`${url}/a`)).text();

    expect(await node.presence('a', true, 100)).toEqual({ count: 1, answered: 1, expected: 1, members: [] });
    expect(await node.presence('**', false, 100)).toEqual({ count: 2, answered: 1, expected: 1 });
    expect(third).toMatch(/^retry: \d+\n: too many streams are open\n$/);
    expect([refused, node.connections.refused]).toEqual([['connections'], { connections: 1 }]);

    const closed = new Promise((resolve) => node.signals.on('closed', resolve));
    await first.leave();
    await closed;
    expect([node.connections.open.size, node.connections.counted]).toEqual([1, 1]);
  });

  it('says what is read of the log, and who is given what is new, with numbers', async () => {
    const { node, url } = await start();
    const happened: unknown[] = [];
    const ids: string[] = [];
    for (const data of ['one', 'two', 'three']) ids.push((await node.publisher.publish('a', { data })).id);
    node.signals.on('page', (signal) => void happened.push(['page', signal]));
    const [late, live] = [
      read(await fetch(`${url}/a`, { headers: { 'last-event-id': ids[0]! } })),
      read(await fetch(`${url}/a`)),
    ];
    await late.until('three');
    await live.until('id: ');
    node.signals.on('round', (signal) => void happened.push(['round', signal]));
    await node.publisher.publish('a', { data: 'four' });
    for (const stream of [late, live]) await stream.until('four');
    await new Promise(setImmediate);

    const ms = expect.any(Number);
    // What is stored of an event: its kind, and its lines.
    const bytes = 'tdata: two\n'.length + 'tdata: three\n'.length;
    // The module reads topics of its own, which have nothing.
    const pages = happened.filter((each) => !JSON.stringify(each).includes('"events":0'));
    expect(pages).toEqual([
      ['page', { topics: 1, events: 2, bytes, ms }],
      ['round', { readers: 2, ms }],
    ]);
  });

  it('says what the engine has not stored, and how the engine does', async () => {
    const engine = Object.assign(memoryEngine(), { open: undefined });
    const { node, errors } = await start({ engine });
    const happened: unknown[] = [];
    for (const kind of ['published', 'unpublished', 'engine'] as const)
      node.signals.on(kind, (signal) => void happened.push([kind, signal]));
    const broken = new Error('the disk is full');
    engine.append = async () => Promise.reject(broken);

    await expect(node.publisher.publish('a', { data: 1 })).rejects.toMatchObject({ code: 'engine-failed' });
    await expect(node.publisher.publish('a', { data: () => undefined })).rejects.toMatchObject({
      code: 'invalid-event',
    });
    expect(happened).toEqual([
      ['unpublished', { topic: 'a', error: broken, ms: expect.any(Number) }],
      ['engine', { state: 'down', error: broken }],
    ]);
    expect(errors).toEqual([expect.objectContaining({ cause: broken })]);
  });

  it('refuses what may not be read, while nothing has been sent', async () => {
    const { url, node, failed } = await start({ authorize: (_who, topic) => topic !== 'secret' });
    const { status } = await fetch(`${url}/secret`);

    expect([status, failed]).toEqual([500, [expect.objectContaining({ code: 'forbidden' })]]);
    expect([node.connections.open.size, node.connections.counted]).toEqual([0, 0]);
  });

  it('tells all to come back when it is drained, and opens none', async () => {
    const { node, url } = await start();
    const stream = read(await fetch(`${url}/a`));
    await stream.until('id: ');
    const drained = node.drain();
    await stream.until('data: {"reason":"shutdown","reconnect":true}');
    await drained;
    const late = await getAlone(`${url}/a`);

    expect(late).toContain('data: {"reason":"shutdown","reconnect":true}');
    expect(node.connections.isDraining).toBe(true);
  });

  it('reports what a listener throws, and goes on', async () => {
    const { node, url, errors } = await start();
    const thrown = new Error('thrown');
    node.signals.on('opened', () => {
      throw thrown;
    });
    const stream = read(await fetch(`${url}/a`));
    await stream.until('id: ');
    await node.publisher.publish('a', { data: 'still' });
    await stream.until('still');

    expect(errors).toEqual([
      expect.objectContaining({ message: 'A listener of the signal "opened" has failed', cause: thrown }),
    ]);
  });
});
