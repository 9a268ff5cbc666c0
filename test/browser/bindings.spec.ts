import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  Controller,
  ForbiddenException,
  Get,
  Header,
  Inject,
  type INestApplication,
  Module,
  Param,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { build } from 'esbuild';
import { Connection, EventStreamService, SseModule, SseStream, type SseConnection } from 'nestjs-event-stream';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { until } from '../support/until.js';
import type { Props } from './pages/bindings.js';
import { TestBrowser } from './support.js';

type FrameworkName = 'react' | 'vue';

/** The connections of one topic. */
interface Log {
  opened: number;
  open: number;
  /** At one time. */
  most: number;
  lastEventIds: (string | undefined)[];
}

const logs = new Map<string, Log>();
let snapshot: { lastEventId?: string; data: unknown } = { data: undefined };

@Controller()
class StreamsController {
  constructor(@Inject(EventStreamService) private readonly streams: EventStreamService) {}

  @Get('page')
  @Header('content-type', 'text/html')
  page(): string {
    return '<!doctype html><link rel="icon" href="data:,"><main></main>';
  }

  @Get('snapshot')
  snapshot(): object {
    return snapshot;
  }

  @SseStream('topics/:topic')
  topic(@Param('topic') topic: string, @Connection() connection: SseConnection) {
    const log = logOf(topic);
    log.opened++;
    log.most = Math.max(log.most, ++log.open);
    log.lastEventIds.push(connection.lastEventId);
    connection.signal.addEventListener('abort', () => log.open--);
    return this.streams.topic(topic);
  }

  @SseStream('refused/:topic')
  refused(@Param('topic') topic: string): never {
    logOf(topic).opened++;
    throw new ForbiddenException();
  }
}

@Module({
  imports: [SseModule.forRoot({ retryMs: 50, history: { maxEvents: 2_000 } })],
  controllers: [StreamsController],
})
class StreamsModule {}

jest.setTimeout(60_000);

const browser = new TestBrowser();
let app: INestApplication;
let streams: EventStreamService;
let origin: string;
let script: string;
/** That of all tests of a framework: a page for each would take most of their time. */
let page: Page;
let topic: string;
let number = 0;

beforeAll(async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('pages/bindings.ts', import.meta.url))],
    bundle: true,
    format: 'iife',
    target: 'es2022',
    // React acts twice in StrictMode only there, and both complain there.
    define: {
      'process.env.NODE_ENV': '"development"',
      __VUE_OPTIONS_API__: 'true',
      __VUE_PROD_DEVTOOLS__: 'false',
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'true',
    },
    write: false,
  });
  script = outputFiles[0]!.text;
  app = await NestFactory.create(StreamsModule, new ExpressAdapter(), { logger: false });
  await app.listen(0, '127.0.0.1');
  streams = app.get(EventStreamService);
  origin = await app.getUrl();
  await browser.start();
});

beforeEach(() => {
  topic = `topic-${number++}`;
});

afterAll(async () => {
  await browser.stop();
  await app.close();
});

describe.each<[FrameworkName, string]>([
  ['react', '<p data-phase="idle" data-status="">0</p>'],
  ['vue', '<!--[--><p data-phase="idle" data-status="">0</p><!--]-->'],
])('useStream of %s', (framework, rendered) => {
  beforeAll(async () => {
    page = await browser.newPage(await browser.newContext(), [/403 \(Forbidden\)/]);
    await page.goto(`${origin}/page`);
    await page.addScriptTag({ content: script });
  });

  afterEach(() =>
    page.evaluate(() => {
      window.mounted.unmount();
      Object.assign(window.bindings.seen, { renders: 0, torn: 0, reported: [], texts: [] });
    }),
  );

  // What the page has complained of.
  afterAll(async () => expect(await browser.reset()).toEqual([]));

  it('opens one stream for two components, and shows both the same', async () => {
    await mount(framework, { url: urlOf(topic), readers: 2, options: 'sum' }, { strict: true });
    await shows(['open 0', 'open 0']);

    await streams.publish(topic, { data: '3' });
    await streams.publish(topic, { data: '4' });
    await shows(['open 7', 'open 7']);

    expect(logOf(topic)).toMatchObject({ opened: 1, most: 1 });
    expect(await seen()).toMatchObject({ torn: 0 });
  });

  it('shows a component that comes later what has come before, and asks for nothing', async () => {
    await mount(framework, { url: urlOf(topic), options: 'sum' });
    await shows(['open 0']);
    await streams.publish(topic, { data: '5' });
    await shows(['open 5']);

    await set({ readers: 3 });
    await shows(['open 5', 'open 5', 'open 5']);
    await set({ readers: 1 });
    await streams.publish(topic, { data: '1' });
    await shows(['open 6']);

    expect(logOf(topic).opened).toBe(1);
  });

  it('closes the stream when its last component is gone, and says nothing any more', async () => {
    await mount(framework, { url: urlOf(topic), readers: 2, options: 'sum' }, { strict: true });
    await shows(['open 0', 'open 0']);
    const { renders } = await seen();

    await page.evaluate(() => window.mounted.unmount());
    // Within the grace: nobody is there to be told.
    await streams.publish(topic, { data: '1' });
    await until(() => logOf(topic).open === 0, 'the stream to be closed');

    expect(logOf(topic).opened).toBe(1);
    expect(await seen()).toMatchObject({ renders, reported: [] });
  });

  it('keeps the stream of a component that is mounted and unmounted 50 times, and its data', async () => {
    await mount(framework, { url: urlOf(topic), options: 'sum' });
    await shows(['open 0']);
    await streams.publish(topic, { data: '8' });
    await shows(['open 8']);

    await page.evaluate(
      async ([name, url]) => {
        for (let n = 0; n < 50; n++) {
          window.mounted.unmount();
          window.mounted = window.bindings[name].mount({ url, options: 'sum' });
          // The effects of this commit are run before the next.
          await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
        }
      },
      [framework, urlOf(topic)] as const,
    );
    await shows(['open 8']);
    await page.evaluate(() => window.mounted.unmount());
    await until(() => logOf(topic).open === 0, 'the stream to be closed');

    expect(logOf(topic)).toMatchObject({ opened: 1, most: 1 });
  });

  it('begins anew with another URL, and has none with null', async () => {
    const [first, second] = [topic, `${topic}-second`];
    await mount(framework, { url: urlOf(first), options: 'sum' });
    await shows(['open 0']);
    await streams.publish(first, { data: '2' });
    await shows(['open 2']);

    await set({ url: urlOf(second) });
    await shows(['open 0']);
    await streams.publish(first, { data: '100' });
    await streams.publish(second, { data: '3' });
    await shows(['open 3']);
    await until(() => logOf(first).open === 0, 'the first stream to be closed');

    await set({ url: null });
    await shows(['idle 0']);
    await until(() => logOf(second).open === 0, 'the second stream to be closed');
    expect([logOf(first).opened, logOf(second).opened]).toEqual([1, 1]);
    expect((await seen()).texts).not.toContain('connecting 2');
  });

  it('has the last data where nothing is reduced, out of JSON where it is typed', async () => {
    await mount(framework, { url: urlOf(topic) });
    await shows(['open null']);
    await streams.publish(topic, { data: { a: 1 } });
    await shows([`open ${JSON.stringify('{"a":1}')}`]);

    await set({ url: urlOf(`${topic}-typed`), options: 'typed', streamKey: 'typed' });
    await shows(['open null']);
    await streams.publish(`${topic}-typed`, { data: { a: 2 } });
    await shows(['open {"a":2}']);
  });

  it('calls the reduce of the last rendering', async () => {
    await mount(framework, { url: urlOf(topic), options: 'sum', factor: 1 });
    await shows(['open 0']);
    await streams.publish(topic, { data: '1' });
    await shows(['open 1']);

    await set({ factor: 10 });
    await streams.publish(topic, { data: '2' });
    await shows(['open 21']);

    expect(logOf(topic).opened).toBe(1);
  });

  it('reports what reduce throws, and goes on', async () => {
    await mount(framework, { url: urlOf(topic), options: 'sum' });
    await shows(['open 0']);

    await streams.publish(topic, { data: 'bad' });
    await streams.publish(topic, { data: '4' });
    await shows(['open 4']);

    expect(await seen()).toMatchObject({ reported: ['Error: bad data'] });
    expect(logOf(topic).opened).toBe(1);
  });

  it('shows that it is refused, and asks again for the next component', async () => {
    const url = `/refused/${topic}`;
    await mount(framework, { url }, { strict: true });
    await shows(['closed null']);
    expect(await page.locator('p').getAttribute('data-status')).toBe('403');
    expect(logOf(topic).opened).toBe(1);

    await page.evaluate(
      ([name, url]) => {
        window.mounted.unmount();
        window.mounted = window.bindings[name].mount({ url });
      },
      [framework, url] as const,
    );
    await until(() => logOf(topic).opened === 2, 'another request');
    await shows(['closed null']);
  });

  it('shows what a snapshot gives, and what has come behind it', async () => {
    const { id } = await streams.publish(topic, { data: '1' });
    snapshot = { lastEventId: id, data: 40 };
    await streams.publish(topic, { data: '2' });

    await mount(framework, { url: urlOf(topic), options: 'snapshot' });

    await shows(['open 42']);
    expect(logOf(topic).lastEventIds).toEqual([id]);
  });

  it('renders for what has come together once, and never half of it', async () => {
    await mount(framework, { url: urlOf(topic), readers: 2, options: 'sum' });
    await shows(['open 0', 'open 0']);
    const before = await seen();

    await Promise.all(Array.from({ length: 1_000 }, () => streams.publish(topic, { data: '1' })));
    await shows(['open 1000', 'open 1000']);

    const { renders, torn } = await seen();
    expect((renders - before.renders) / 2).toBeLessThan(200);
    expect(torn).toBe(0);
  });

  it('begins with what the server has rendered', async () => {
    await page.evaluate((html) => (document.querySelector('main')!.innerHTML = html), rendered);

    await mount(framework, { url: urlOf(topic), options: 'sum' }, { hydrate: true });

    await shows(['open 0']);
    expect(await page.locator('p').count()).toBe(1);
  });
});

function logOf(name: string): Log {
  const log = logs.get(name) ?? { opened: 0, open: 0, most: 0, lastEventIds: [] };
  logs.set(name, log);
  return log;
}

function urlOf(name: string): string {
  return `/topics/${name}`;
}

function mount(framework: FrameworkName, props: Props, how?: { strict?: boolean; hydrate?: boolean }): Promise<void> {
  return page.evaluate(
    ([name, props, how]) => {
      window.mounted = window.bindings[name].mount(props, how);
    },
    [framework, props, how] as const,
  );
}

function set(props: Partial<Props>): Promise<void> {
  return page.evaluate((props) => window.mounted.set(props), props);
}

/** Waits until the page shows that. */
async function shows(expected: readonly string[]): Promise<void> {
  await page.waitForFunction((wanted) => {
    const texts = [...document.querySelectorAll('p')].map((each) => `${each.dataset.phase} ${each.textContent}`);
    return texts.join() === wanted;
  }, expected.join());
}

function seen(): Promise<{ renders: number; torn: number; reported: string[]; texts: string[] }> {
  return page.evaluate(() => window.bindings.seen);
}
