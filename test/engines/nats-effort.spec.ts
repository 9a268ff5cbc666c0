import { type Socket, connect as connectSocket } from 'node:net';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { connect, headers } from '@nats-io/transport-node';
import { EVENT_HEADER, encodeMeta } from '../../src/nats/codec.js';
import { natsEngine } from '../../src/nats/index.js';
import { formatPosition } from '../../src/topic/position.js';
import type { Position } from '../../src/topic/position.js';
import { adapters, startApp } from '../support/app.js';
import type { Adapter, TestApp } from '../support/app.js';
import { heapBytes } from '../support/watch.js';
import { OpenNats, codeOf, textsOf } from '../support/nats.js';
import { openRaw } from '../support/raw.js';
import { ServerProcess } from '../support/server-process.js';
import { NATS, bytesSentBy } from '../support/servers/nats.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

/** Longer than any wait within: what is waited for says then what it was. */
jest.setTimeout(60_000);

const TOPICS = 250;
const EVENTS = 1_000;
const topics = Array.from({ length: TOPICS }, (_, n) => `p/${n}`);
/** A question is answered within a second or two, and while others do the same each waits for 1.5 s at most. */
const ANSWER_MS = 10_000;
/** What a busy machine adds. */
const SLACK_MS = 100;

let server: ServerProcess;

/** Stores so many events of each topic, without waiting for each: the engine would take five times as long. */
async function fill(prefix: string, epoch: string, count: number, first = 0, names = topics): Promise<void> {
  const admin = await connect({ servers: `127.0.0.1:${server.port}` });
  const retention = { maxEvents: 100_000, maxBytes: Infinity, maxAgeMs: 600_000 };
  const subjects = names.map((topic) => `${prefix}.s.${epoch}.t.${Buffer.from(topic).toString('base64url')}`);
  for (let n = first; n < first + count; n++) {
    for (const subject of subjects) {
      const meta = headers();
      meta.set(EVENT_HEADER, encodeMeta({ retention }));
      admin.publish(subject, `tdata: ${n}\n`, { headers: meta });
    }
    if (n % (names.length === 1 ? 2000 : 20) === 0) await admin.flush();
  }
  await admin.flush();
  await admin.close();
}

const percentile = (times: readonly number[], part: number): number =>
  [...times].sort((a, b) => a - b)[Math.floor(times.length * part)] as number;

/** How long each of so many publishes takes, one after the other, in ms. */
async function timePublishes(app: TestApp, until: () => boolean): Promise<number[]> {
  const times: number[] = [];
  while (!until()) {
    const startedAt = performance.now();
    await app.streams.publish('q/1', { data: times.length });
    times.push(performance.now() - startedAt);
  }
  return times;
}

/** A client that comes back with a made-up id as soon as it was answered, and keeps nothing. */
class Hostile {
  readonly answersMs: number[] = [];
  readonly #port: number;
  readonly #idOf: () => string;
  #socket: Socket | undefined;
  #isOver = false;

  constructor(port: number, idOf: () => string) {
    this.#port = port;
    this.#idOf = idOf;
    this.#ask();
  }

  leave(): void {
    this.#isOver = true;
    this.#socket?.destroy();
  }

  #ask(): void {
    const startedAt = performance.now();
    const socket = connectSocket(this.#port, '127.0.0.1').setEncoding('latin1');
    this.#socket = socket;
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk: string) => {
      text += chunk;
      // The head, a reset, and where to go on from: that is all that there is.
      if (!/stream\.reset[\s\S]*\nid: ?\S/.test(text)) return;
      this.answersMs.push(performance.now() - startedAt);
      socket.destroy();
      if (!this.#isOver) this.#ask();
    });
    socket.write(`GET /events?topic=p/* HTTP/1.1\r\nHost: x\r\nLast-Event-ID: ${this.#idOf()}\r\n\r\n`);
  }
}

beforeAll(async () => {
  server = await ServerProcess.start(NATS);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

describe('250,000 events of 250 topics in the log', () => {
  const states: string[] = [];
  let head: Position;
  let app: TestApp;

  beforeAll(async () => {
    await using nats = new OpenNats(server.port, { prefix: 'many' });
    const { epoch } = await nats.append('other');
    await fill('many', epoch, EVENTS);
    head = (await nats.engine.heads([])).upTo;
    app = await startApp(adapters[0] as Adapter, {
      options: {
        engine: natsEngine({ servers: `127.0.0.1:${server.port}`, prefix: 'many' }),
        hub: { path: 'events' },
        authorize: 'public',
        hooks: { onEngineState: (state) => void states.push(state) },
      },
    });
  }, 60_000);

  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  test('made-up ids over all of it are answered with a reset and the head, and harm nobody else', async () => {
    const before = await timePublishes(app, countdown(300));
    const bytesBefore = heapBytes();
    const foreign = formatPosition({ ...head, epoch: head.epoch === 'zzzzzz' ? 'aaaaaa' : 'zzzzzz' });
    const early = formatPosition({ ...head, seq: 1 });
    const kinds = [() => foreign, () => early, () => `made-up-${Math.random()}`];
    const hostile = Array.from({ length: 12 }, (_, n) => new Hostile(app.port, kinds[n % 3] as () => string));
    const during = await timePublishes(app, () => hostile.every(({ answersMs }) => answersMs.length >= 5));
    for (const each of hostile) each.leave();
    const after = await timePublishes(app, countdown(300));

    expect(states).toEqual([]);
    expect(app.streams.engine.state).toBe('up');
    expect(Math.max(...hostile.flatMap(({ answersMs }) => answersMs))).toBeLessThan(ANSWER_MS);
    const usual = Math.max(percentile(before, 0.9), percentile(after, 0.9));
    expect(percentile(during, 0.9)).toBeLessThan(3 * usual + SLACK_MS);
    expect(heapBytes() - bytesBefore).toBeLessThan(32 * 1_048_576);
  });

  test('a client that comes back with its place behind 5,000 events gets all of them, in order', async () => {
    await using nats = new OpenNats(server.port, { prefix: 'many' });
    const { upTo } = await nats.engine.heads([]);
    await fill('many', upTo.epoch, 20, EVENTS);
    const request = ['GET /events?topic=p/* HTTP/1.1', 'Host: x', `Last-Event-ID: ${formatPosition(upTo)}`];
    await using client = await openRaw(app.port, ...request);
    const numbers = (): number[] => (client.text.match(/^data: \d+$/gm) ?? []).map((line) => Number(line.slice(6)));
    await until(() => numbers().length === 20 * TOPICS, 'all of them', 30_000);

    expect(numbers()).toEqual(Array.from({ length: 20 * TOPICS }, (_, n) => EVENTS + Math.floor(n / TOPICS)));
    expect(client.text).not.toContain('stream.reset');
  });

  test('what is too much has a hole of the topics that have something, and goes on at the head', async () => {
    await using nats = new OpenNats(server.port, { prefix: 'many' });
    const { upTo } = await nats.engine.heads([]);
    const wanted = [...topics, 'never'];

    const page = await nats.read(wanted);
    expect(page).toEqual({ entries: [], upTo, holes: [{ reason: 'unknown', topics }] });
    const foreign = await nats.resume(wanted, { ...upTo, epoch: upTo.epoch === 'zzzzzz' ? 'aaaaaa' : 'zzzzzz' });
    expect(foreign.holes).toEqual([
      { reason: 'epoch', topics: wanted },
      { reason: 'unknown', topics },
    ]);
    expect(await nats.engine.locate(wanted, 'made-up')).toBeUndefined();
    const few = await nats.read(['p/1', 'p/2', 'never'], { maxEntries: 10 });
    expect([few.entries.length, few.holes]).toEqual([10, []]);
  });

  test('twenty who ask for much at once are all answered: what there is no time for is a hole', async () => {
    await using nats = new OpenNats(server.port, { prefix: 'many' });
    const parts = Array.from({ length: 20 }, (_, n) => topics.slice(n * 12, n * 12 + 12));
    const pages = await Promise.all(parts.map((part) => nats.read(part, { maxEntries: 1 })));

    for (const [n, { entries, holes }] of pages.entries()) {
      const told = entries.length > 0 ? [] : [{ reason: 'unknown', topics: parts[n] }];
      expect(holes).toEqual(told);
    }
    expect(pages.some(({ entries }) => entries.length > 0)).toBe(true);
  });
});

describe('a stream that keeps 100,000 events of each topic', () => {
  test('one topic with as many can be read from the start, page by page', async () => {
    // After three quarters of this time so much work would be too much: a busy machine takes seconds for it.
    await using nats = new OpenNats(server.port, { prefix: 'long', maxEventsPerTopic: 100_000, timeoutMs: 30_000 });
    const { epoch } = await nats.append('other');
    await fill('long', epoch, 100_005, 0, ['long']);
    const numbers: number[] = [];
    let page = await nats.read(['long'], { maxEntries: 5_000 });
    for (; page.entries.length > 0; page = await nats.read(['long'], { after: page.upTo.seq, maxEntries: 5_000 })) {
      expect(page.holes).toEqual([]);
      for (const text of textsOf(page.entries)) numbers.push(Number(text.slice(6)));
    }

    expect(numbers).toEqual(Array.from({ length: 100_000 }, (_, n) => n + 5));
  });

  test('of a topic that keeps few of them no more is read than these', async () => {
    await using nats = new OpenNats(server.port, { prefix: 'deep', maxEventsPerTopic: 100_000 });
    const first = await nats.append('a', 'first', { maxEvents: 10 });
    await fill('deep', first.epoch, 20_000, 0, ['a']);
    const positions = [];
    for (let n = 0; n < 12; n++) positions.push(await nats.append('a', `${n}`, { maxEvents: 10 }));
    await using fresh = new OpenNats(server.port, { prefix: 'deep' });
    const before = await bytesSentBy(server);

    const last = textsOf((await fresh.read(['a'])).entries);
    expect(last).toEqual(Array.from({ length: 10 }, (_, n) => `${n + 2}`));
    expect(await fresh.holes(['a'], positions[0]!)).toEqual(['trimmed a']);
    expect(await fresh.holes(['a'], positions[1]!)).toEqual([]);
    expect(await fresh.holes(['a'], first)).toEqual(['trimmed a']);
    expect(await fresh.holes(['a'], { ...first, seq: first.seq + 9_000, at: first.at - 1 })).toEqual(['diverged a']);
    // All of them are 3 MB.
    expect((await bytesSentBy(server)) - before).toBeLessThan(500_000);
  });
});

test('an outage is no reason to tell a hole', async () => {
  await using proxy = await TcpProxy.start(server.port);
  await using nats = new OpenNats(proxy.port, { prefix: 'away', timeoutMs: 2_000 });
  const names = topics.slice(0, 40);
  const { epoch } = await nats.append('other');
  await fill('away', epoch, 800, 0, names);
  const reading = nats.read(names);
  await until(() => proxy.count > 0, 'the connection');
  proxy.mute(true);
  await expect(reading).rejects.toMatchObject({ code: 'engine-failed' });
});

test('what there was no time for because of an outage is no hole either', async () => {
  await using proxy = await TcpProxy.start(server.port);
  await using nats = new OpenNats(proxy.port, { prefix: 'late', timeoutMs: 4_000 });
  const names = topics.slice(0, 40);
  const { epoch } = await nats.append('other');
  await fill('late', epoch, 800, 0, names);
  proxy.refuse(true);
  proxy.cut();
  const startedAt = performance.now();
  const reading = nats.read(names, { maxEntries: 1 }).catch((error: unknown) => error);
  await until(() => performance.now() > startedAt + 3_100, 'most of the time to be over');
  proxy.refuse(false);

  const answer = await reading;
  if (codeOf(answer) !== 'engine-failed') expect(answer).toMatchObject({ entries: [{ topic: 'p/0' }], holes: [] });
});

function countdown(count: number): () => boolean {
  let left = count;
  return () => left-- === 0;
}
