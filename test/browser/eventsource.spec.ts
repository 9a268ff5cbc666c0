import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Header, Inject, Module, Param, Req, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Connection, EventStreamService, SseModule, SseStream, type SseConnection } from 'nestjs-event-stream';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { BrowserContext, Page } from 'playwright-core';
import { useBrowser } from './support.js';

/** What a page has noted of its stream, in order: `open`, `error`, and events as `type|lastEventId|data`. */
interface Watched {
  readonly log: string[];
  readonly source: { readonly readyState: number; close(): void };
}

interface Arrival {
  readonly topic: string;
  readonly at: number;
  readonly lastEventId: string | undefined;
  readonly connection: SseConnection;
}

const PAGE = `<!doctype html><link rel="icon" href="data:,"><script>
  function watch(url, types = [], init = {}) {
    const log = [];
    const source = new EventSource(url, init);
    const note = (event) => log.push([event.type, event.lastEventId, event.data].join('|'));
    source.onopen = () => log.push('open');
    source.onerror = () => log.push('error');
    for (const type of ['message', 'stream.end', 'stream.reset', ...types]) source.addEventListener(type, note);
    return (window.watched = { log, source });
  }
</script>`;

const arrivals: Arrival[] = [];

@Controller()
class StreamsController {
  constructor(@Inject(EventStreamService) private readonly streams: EventStreamService) {}

  @Get('page')
  @Header('content-type', 'text/html')
  @Header('set-cookie', 'who=alice; Path=/')
  page(): string {
    return PAGE;
  }

  @SseStream('topics/:topic')
  topic(@Param('topic') topic: string, @Connection() connection: SseConnection) {
    return this.#open(topic, connection);
  }

  @SseStream('beating/:topic', { heartbeatMs: 25 })
  beating(@Param('topic') topic: string, @Connection() connection: SseConnection) {
    return this.#open(topic, connection);
  }

  @SseStream('packed/:topic', { compression: true })
  packed(@Param('topic') topic: string, @Connection() connection: SseConnection) {
    return this.#open(topic, connection);
  }

  @SseStream('patient/:topic', { retryMs: 700 })
  patient(@Param('topic') topic: string, @Connection() connection: SseConnection) {
    return this.#open(topic, connection);
  }

  @SseStream('cookie')
  cookie(@Req() request: { headers: { cookie?: string } }, @Connection() connection: SseConnection) {
    connection.send({ data: request.headers.cookie ?? 'none' });
    return this.#open('cookie', connection);
  }

  #open(topic: string, connection: SseConnection) {
    arrivals.push({ topic, at: performance.now(), lastEventId: connection.lastEventId, connection });
    return this.streams.topic(topic);
  }
}

@Module({ imports: [SseModule.forRoot({ retryMs: 50 })], controllers: [StreamsController] })
class StreamsModule {}

jest.setTimeout(60_000);

const browser = useBrowser();
/** That of the running test: tabs share it, as those of one user do. */
let context: BrowserContext | undefined;
afterEach(() => (context = undefined));

describe.each([
  ['express', () => new ExpressAdapter()],
  ['fastify', () => new FastifyAdapter() as unknown as ExpressAdapter],
] as const)('EventSource in Chromium, on %s', (_adapter, createAdapter) => {
  let app: INestApplication;
  let streams: EventStreamService;
  let origin: string;
  /** Serves the page from two further origins, of which only the first is allowed to read. */
  let allowed: Server;
  let refused: Server;
  const requests: string[] = [];

  beforeAll(async () => {
    [allowed, refused] = await Promise.all([servePage(), servePage()]);
    app = await NestFactory.create(StreamsModule, createAdapter(), { logger: false });
    app.enableCors({ origin: [originOf(allowed)], credentials: true });
    app.getHttpServer().on('request', ({ url }: { url: string }) => requests.push(url));
    await app.listen(0, '127.0.0.1');
    streams = app.get(EventStreamService);
    origin = originOf(app.getHttpServer() as Server);
  });

  afterAll(async () => {
    await app.close();
    for (const server of [allowed, refused]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('is open before there is any event', async () => {
    const page = await visit(origin);

    await watch(page, '/topics/opens');
    await logged(page, 1);
    await streams.publish('opens', { data: 'first' });
    await logged(page, 2);

    const [open, first] = await logOf(page);
    expect(open).toBe('open');
    expect(first).toMatch(/^message\|[^|]+\|first$/);
  });

  it('gets events by their names, their ids, and text of several lines', async () => {
    const page = await visit(origin);
    await watch(page, '/topics/events', ['price']);
    await logged(page, 1);

    const { id } = await streams.publish('events', { type: 'price', data: { bid: 1 } });
    await streams.publish('events', { type: 'unheard', data: 'nobody listens' });
    await streams.publish('events', { id: 'own-ü', data: ' one\ntwo\r\n\r\nthree: 3 ' });
    await streams.publish('events', { data: '' });
    await logged(page, 4);

    const [, named, lines, empty] = await logOf(page);
    expect(named).toBe(`price|${id}|{"bid":1}`);
    expect(lines).toBe('message|own-ü| one\ntwo\n\nthree: 3 ');
    expect(empty).toMatch(/^message\|[^|]+\|$/);
  });

  it.each([
    [
      'its socket is destroyed',
      ({ request }: SseConnection) => socketOf(request).destroy(),
      [/ERR_INCOMPLETE_CHUNKED/],
    ],
    ['the server ends the stream', (connection: SseConnection) => connection.close({ reconnect: true }), []],
  ] as const)('comes back after its last event and misses nothing when %s', async (how, cut, expected) => {
    const topic = `cut ${how}`.replaceAll(' ', '-');
    const page = await visit(origin, expected);
    await watch(page, `/topics/${topic}`);
    await logged(page, 1);
    const published: string[] = [];
    const publish = async (): Promise<void> => {
      const data = String(published.length);
      published.push(`message|${(await streams.publish(topic, { data })).id}|${data}`);
    };

    for (let round = 1; round <= 3; round++) {
      await publish();
      await page.waitForFunction((id) => watchedLog().at(-1)?.includes(id), published.at(-1)!.split('|')[1]!);
      const [arrival] = arrivalsAt(topic).slice(-1);
      cut(arrival!.connection);
      for (let n = 0; n < 5; n++) await publish();
      await page.waitForFunction((id) => watchedLog().at(-1)?.includes(id), published.at(-1)!.split('|')[1]!);
    }

    const log = await logOf(page);
    expect(log.filter((line) => line.startsWith('message'))).toEqual(published);
    expect(log.filter((line) => line === 'open')).toHaveLength(4);
    const lastIds = arrivalsAt(topic).map(({ lastEventId }) => lastEventId);
    expect(lastIds).toEqual([undefined, ...[0, 6, 12].map((n) => published[n]!.split('|')[1])]);
  });

  it('gets packed events as they come, and comes back after the last of them', async () => {
    const page = await visit(origin);
    await watch(page, '/packed/prices');
    const published: string[] = [];
    for (const data of ['short', 'price '.repeat(200), 'short again', 'price '.repeat(400)]) {
      await until(() => arrivalsAt('prices').length === 1 + Math.floor(published.length / 2));
      await logged(page, 1);
      published.push(`message|${(await streams.publish('prices', { data })).id}|${data}`);
      await page.waitForFunction((id) => watchedLog().at(-1)?.includes(id), published.at(-1)!.split('|')[1]!);
      if (published.length === 2) arrivalsAt('prices')[0]!.connection.close({ reconnect: true });
    }

    expect((await logOf(page)).filter((line) => line.startsWith('message'))).toEqual(published);
    expect(arrivalsAt('prices').map(({ lastEventId }) => lastEventId)).toEqual([
      undefined,
      published[1]!.split('|')[1],
    ]);
    const accepted = arrivalsAt('prices')[0]!.connection.request.headers['accept-encoding'];
    expect(accepted).toContain('gzip');
  });

  it('resumes before it has received any event from where it stood', async () => {
    const page = await visit(origin, [/ERR_INCOMPLETE_CHUNKED/]);
    await watch(page, '/topics/quiet');
    await logged(page, 1);
    // The cursor has no event that could be waited for, so the events of a second stream show that it has arrived.
    await until(() => socketOf(arrivalsAt('quiet')[0]!.connection.request).writableLength === 0);
    await page.evaluate(() => fetch('/page').then((response) => response.text()));

    socketOf(arrivalsAt('quiet')[0]!.connection.request).destroy();
    await streams.publish('quiet', { data: 'while away' });
    await logged(page, 4);

    expect((await logOf(page)).map((line) => line.replace(/\|.*\|/, '|'))).toEqual([
      'open',
      'error',
      'open',
      'message|while away',
    ]);
  });

  it('stops for good after a topic has ended', async () => {
    const page = await visit(origin);
    await watch(page, '/topics/ends');
    await logged(page, 1);
    await streams.publish('ends', { data: 'last' });

    void streams.topic('ends').complete();
    await page.waitForFunction(() => (window as unknown as { watched: Watched }).watched.source.readyState === 2);
    const log = await logOf(page);
    // Another stream that ends later and is told to come back does so after the same wait.
    await watch(page, '/topics/after');
    await logged(page, 1);
    arrivalsAt('after')[0]!.connection.close({ reconnect: true });
    await until(() => arrivalsAt('after').length === 2);

    expect(requests.filter((url) => url === '/topics/ends')).toHaveLength(2);
    expect(log.map((line) => line.replace(/\|.*\|/, '|'))).toEqual([
      'open',
      'message|last',
      'stream.end|{"reason":"complete","reconnect":false}',
      'error',
      'error',
    ]);
  });

  it('sends cookies to another origin with credentials only', async () => {
    const page = await visit(origin);
    await page.goto(`${originOf(allowed)}/page`);

    await watch(page, `${origin}/cookie`, [], { withCredentials: true });
    await logged(page, 2);
    const withCredentials = await logOf(page);
    await watch(page, `${origin}/cookie`);
    await logged(page, 2);
    const without = await logOf(page);

    expect(withCredentials[1]).toMatch(/^message\|.*\|who=alice$/);
    expect(without[1]).toMatch(/^message\|.*\|none$/);
  });

  it('resumes across origins, where the browser asks for no permission first', async () => {
    const page = await visit(originOf(allowed));
    await watch(page, `${origin}/topics/across`, [], { withCredentials: true });
    await logged(page, 1);
    await streams.publish('across', { data: '1' });
    await logged(page, 2);

    arrivalsAt('across')[0]!.connection.close({ reconnect: true });
    await streams.publish('across', { data: '2' });
    await page.waitForFunction(() => watchedLog().at(-1)?.endsWith('|2'));

    expect((await logOf(page)).filter((line) => line.startsWith('message')).map((line) => line.at(-1))).toEqual([
      '1',
      '2',
    ]);
  });

  it('is refused the streams of an origin that has not allowed its own', async () => {
    const page = await visit(originOf(refused), [/blocked by CORS policy/, /net::ERR_FAILED/]);

    await watch(page, `${origin}/topics/secret`, [], { withCredentials: true });
    await page.waitForFunction(() => (window as unknown as { watched: Watched }).watched.source.readyState === 2);
    await streams.publish('secret', { data: 'not for you' });

    expect(await logOf(page)).toEqual(['error']);
  });

  it('hears nothing of heartbeats', async () => {
    const page = await visit(origin);
    await watch(page, '/beating/calm');
    await logged(page, 1);
    const socket = socketOf(arrivalsAt('calm')[0]!.connection.request);
    const before = socket.bytesWritten;

    // Ten heartbeats, each a chunk of some seven bytes.
    await until(() => socket.bytesWritten > before + 70);
    await streams.publish('calm', { data: 'now' });
    await logged(page, 2);

    expect((await logOf(page)).map((line) => line.replace(/\|.*\|/, '|'))).toEqual(['open', 'message|now']);
  });

  it('waits as long as it was told before it comes back, by the stream and by an event', async () => {
    const page = await visit(origin);
    await watch(page, '/patient/slow');
    await logged(page, 1);
    const waits: number[] = [];

    for (const retry of [undefined, 200]) {
      if (retry !== undefined) await streams.publish('slow', { data: 'be quicker', retry });
      const count = arrivalsAt('slow').length;
      if (retry !== undefined) await page.waitForFunction(() => watchedLog().at(-1)?.includes('quicker'));
      const closedAt = performance.now();
      arrivalsAt('slow')[count - 1]!.connection.close({ reconnect: true });
      await until(() => arrivalsAt('slow').length > count);
      waits.push(arrivalsAt('slow')[count]!.at - closedAt);
      await page.waitForFunction((opens) => watchedLog().filter((line) => line === 'open').length === opens, count + 1);
    }

    expect(waits[0]).toBeGreaterThan(650);
    expect(waits[0]).toBeLessThan(2_000);
    expect(waits[1]).toBeGreaterThan(150);
    expect(waits[1]).toBeLessThan(650);
  });

  it('has six streams in six tabs, as many as HTTP/1.1 allows', async () => {
    const pages = [await visit(origin)];
    while (pages.length < 6) pages.push(await visit(origin));
    for (const page of pages) await watch(page, '/topics/six');
    await Promise.all(pages.map((page) => logged(page, 1)));

    for (let n = 0; n < 100; n++) await streams.publish('six', { data: String(n) });

    await Promise.all(pages.map((page) => logged(page, 101)));
    const expected = Array.from({ length: 100 }, (_, n) => String(n));
    for (const page of pages) {
      expect((await logOf(page)).slice(1).map((line) => line.replace(/.*\|/, ''))).toEqual(expected);
    }
    expect(arrivalsAt('six')).toHaveLength(6);
  });

  function arrivalsAt(topic: string): Arrival[] {
    return arrivals.filter((arrival) => arrival.topic === topic && originAt(arrival) === origin);
  }
});

/** Runs in the page; declared here for the compiler. */
declare function watchedLog(): string[];

/** Tells the arrivals at one application from those at the other. */
function originAt({ connection }: Arrival): string {
  return `http://${connection.request.headers.host}`;
}

/** Opens a page in a tab of its own. The console may say what is expected, and nothing else. */
async function visit(origin: string, expected: readonly RegExp[] = []): Promise<Page> {
  if (context === undefined) {
    context = await browser.newContext();
    await context.addInitScript(() => {
      Object.assign(window, { watchedLog: () => (window as unknown as { watched: Watched }).watched.log });
    });
  }
  const page = await browser.newPage(context, expected);
  await page.goto(`${origin}/page`);
  return page;
}

async function watch(
  page: Page,
  url: string,
  types: string[] = [],
  init: { withCredentials?: boolean } = {},
): Promise<void> {
  await page.evaluate(
    (given) =>
      void (window as unknown as { watch: (...all: unknown[]) => void }).watch(given.url, given.types, given.init),
    { url, types, init },
  );
}

/** Waits until the page has noted that many things. */
async function logged(page: Page, count: number): Promise<void> {
  await page.waitForFunction((length) => watchedLog().length >= length, count);
}

function logOf(page: Page): Promise<string[]> {
  return page.evaluate(() => watchedLog());
}

async function until(holds: () => boolean, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`Not within ${timeoutMs} ms: ${holds.toString()}`);
    await delay(5);
  }
}

function socketOf(request: SseConnection['request']): Socket {
  const { raw, socket } = request as unknown as { raw?: { socket: Socket }; socket: Socket };
  return raw?.socket ?? socket;
}

async function servePage(): Promise<Server> {
  const server = createServer((_request, response) => response.setHeader('content-type', 'text/html').end(PAGE));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function originOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
