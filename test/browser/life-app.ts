import { Controller, Get, Header, Inject, Module, Param, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Connection, EventStreamService, SseModule, SseStream, type SseConnection } from 'nestjs-event-stream';
import { setTimeout as delay } from 'node:timers/promises';
import { bundleClient } from './client-bundle.js';
import type { RawPage } from './raw-browser.js';

export const BEAT_MS = 300;

/** What a page has of its stream: numbers, `reset` for those that are missing, and its states. */
export interface Followed {
  readonly got: readonly (number | 'reset')[];
  readonly states: readonly string[];
  /** Bytes that a plain `fetch` has read. */
  readonly plain: number;
}

const PAGE = `<!doctype html><link rel="icon" href="data:,"><title>tab</title><script src="/client.js"></script><script>
  const begun = performance.timeOrigin;
  function note(stream) {
    const followed = (window.followed = { got: [], states: [], plain: 0, stream });
    stream.on('*', ({ type, data }) => followed.got.push(type === 'stream.reset' ? 'reset' : Number(data)));
    stream.subscribe(({ phase, reason }) => followed.states.push(reason ? phase + ' ' + reason : phase));
  }
  // The bytes of a fetch that nobody looks after.
  async function readPlainly(url) {
    const reader = (await fetch(url)).body.getReader();
    for (let chunk; !(chunk = await reader.read()).done;) window.followed.plain += chunk.value.length;
  }
</script>`;

/** Each stream that the server has open or had. */
export interface Seen {
  readonly topic: string;
  /** Who asked, as the page says in `x-tab`. */
  readonly tab: string;
  readonly lastEventId: string | undefined;
  readonly connection: SseConnection;
}

@Controller()
class LifeController {
  readonly seen: Seen[] = [];
  readonly #client = bundleClient();

  constructor(@Inject(EventStreamService) readonly streams: EventStreamService) {}

  @Get('page')
  @Header('content-type', 'text/html')
  page(): string {
    return PAGE;
  }

  @Get('client.js')
  @Header('content-type', 'text/javascript')
  client(): Promise<string> {
    return this.#client;
  }

  @SseStream('events/:topic', { heartbeatMs: BEAT_MS })
  events(@Param('topic') topic: string, @Connection() connection: SseConnection) {
    const tab = String(connection.request.headers['x-tab'] ?? '');
    this.seen.push({ topic, tab, lastEventId: connection.lastEventId, connection });
    return this.streams.topic(topic);
  }
}

@Module({ imports: [SseModule.forRoot({ retryMs: 100 })], controllers: [LifeController] })
class LifeModule {}

export function createLifeApp(): Promise<INestApplication> {
  return NestFactory.create(LifeModule, { logger: false, forceCloseConnections: true });
}

/** One topic of the application, whose events are numbered from 1. */
export class LifeTopic {
  count = 0;
  #isFlowing = false;
  #flow: Promise<void> = Promise.resolve();

  constructor(
    readonly app: INestApplication,
    readonly name: string,
  ) {}

  get seen(): Seen[] {
    return this.app.get(LifeController).seen.filter(({ topic }) => topic === this.name);
  }

  get open(): Seen[] {
    return this.seen.filter(({ connection }) => !connection.signal.aborted);
  }

  async publish(): Promise<void> {
    await this.app.get(EventStreamService).publish(this.name, { data: String(++this.count) });
  }

  /** Publishes so often until it is disposed of. */
  flow(everyMs: number): AsyncDisposable {
    this.#isFlowing = true;
    this.#flow = (async () => {
      for (; this.#isFlowing; await delay(everyMs)) await this.publish();
    })();
    return {
      [Symbol.asyncDispose]: () => {
        this.#isFlowing = false;
        return this.#flow;
      },
    };
  }
}

interface Globals {
  readonly sse: {
    openStream(url: string, options: object): unknown;
    shareStream(key: string, url: string, options: object): unknown;
    closeShared(key: string): void;
  };
  readonly followed: Followed & { readonly stream: { close(): void } };
  note(stream: unknown): void;
}

/** What the page has of these; to be named in functions that run there. */
declare const sse: Globals['sse'];
declare const followed: Globals['followed'];
declare const note: Globals['note'];

export function openIn(page: RawPage, kind: 'openStream' | 'shareStream', topic: string, tab = ''): Promise<void> {
  return page.evaluate(
    (how, url, name) => {
      const options = { headers: { 'x-tab': name } };
      note(how === 'openStream' ? sse.openStream(url, options) : sse.shareStream('ann', url, options));
    },
    kind,
    `/events/${topic}`,
    tab,
  );
}

export function closeIn(page: RawPage): Promise<void> {
  return page.evaluate(() => followed.stream.close());
}

export function closeSharedIn(page: RawPage): Promise<void> {
  return page.evaluate(() => sse.closeShared('ann'));
}

export function followedIn(page: RawPage): Promise<Followed> {
  return page.evaluate(() => ({ got: followed.got, states: followed.states, plain: followed.plain }));
}

/** Waits until the page has had the event with that number. */
export function hasGot(page: RawPage, number: number): Promise<void> {
  return page.until((n) => followed.got.includes(n), number);
}

/** Waits until its stream is in that state. */
export function isIn(page: RawPage, state: string): Promise<void> {
  return page.until((name) => followed.states.at(-1) === name, state);
}
