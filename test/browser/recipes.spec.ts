import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Controller, ForbiddenException, Get, Header, Inject, Module, Param } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { Connection, EventStreamService, SseModule, SseStream, type SseConnection } from 'nestjs-event-stream';
import type { Page } from 'playwright-core';
import { until } from '../support/until.js';
import type { PriceRecipe } from './pages/recipes.js';
import { bundleRecipes } from './recipe-bundle.js';
import { TestBrowser, useApp } from './support.js';

/** How many connections of each topic there have been, and are. */
const opened = new Map<string, number>();
const open = new Map<string, number>();
/** What the orders are, and how often they have been asked for. */
const orders = { a: 'new', b: 'new' };
let loads = 0;

@Controller()
class RecipesController {
  constructor(@Inject(EventStreamService) private readonly streams: EventStreamService) {}

  @Get('page')
  @Header('content-type', 'text/html')
  page(): string {
    return '<!doctype html><link rel="icon" href="data:,"><main></main>';
  }

  @SseStream('stocks/refused')
  refused(): never {
    throw new ForbiddenException();
  }

  @SseStream('stocks/:symbol', { from: { last: 1 } })
  prices(@Param('symbol') symbol: string, @Connection() connection: SseConnection) {
    return this.#count(symbol, connection);
  }

  @SseStream('rooms/:room', { from: 'start' })
  room(@Param('room') room: string, @Connection() connection: SseConnection) {
    return this.#count(`room-${room}`, connection);
  }

  @Get('orders')
  orders(): object[] {
    loads++;
    return Object.entries(orders).map(([id, status]) => ({ id, status }));
  }

  @SseStream('orders/changes')
  changes(@Connection() connection: SseConnection) {
    return this.#count('orders', connection);
  }

  #count(topic: string, connection: SseConnection) {
    opened.set(topic, (opened.get(topic) ?? 0) + 1);
    open.set(topic, (open.get(topic) ?? 0) + 1);
    connection.signal.addEventListener('abort', () => open.set(topic, open.get(topic)! - 1));
    return this.streams.topic(topic);
  }
}

@Module({ imports: [SseModule.forRoot()], controllers: [RecipesController] })
class RecipesModule {}

jest.setTimeout(60_000);

const browser = new TestBrowser();
const served = useApp(() => NestFactory.create(RecipesModule, new ExpressAdapter(), { logger: false }));
/** That of all tests: the script takes a while to load. */
let page: Page;

beforeAll(async () => {
  await browser.start();
  page = await browser.newPage(await browser.newContext(), [/403 \(Forbidden\)/]);
  await page.goto(`${served.origin}/page`);
  await page.addScriptTag({ content: await bundleRecipes() });
});

afterEach(unmount);

afterAll(async () => {
  // What the page has complained of.
  const complaints = await browser.reset();
  await browser.stop();
  expect(complaints).toEqual([]);
});

describe.each<[PriceRecipe, string]>([
  ['react', '…'],
  ['vue', '0'],
  ['svelte', ''],
  ['angular', 'No prices.'],
  ['swr', 'No prices: The answer was 403'],
])('the component of %s', (name, refused) => {
  const [first, second] = [`${name}-first`, `${name}-second`];

  it('shows the price of one stream, then of another, and closes each', async () => {
    await publish(first, 3);
    await mount(name, first);
    await shows('b', ['3']);
    await publish(first, 4);
    await shows('b', ['4']);

    await publish(second, 7);
    await set(second);
    await shows('b', ['7']);
    await until(() => open.get(first) === 0, 'the first stream to be closed');

    await unmount();
    await until(() => open.get(second) === 0, 'the second stream to be closed');
    expect([opened.get(first), opened.get(second)]).toEqual([1, 1]);
  });

  it('shows no price of a stream that it is refused, and then that of another', async () => {
    await publish(first, 3);
    await mount(name, first);
    await shows('b', ['3']);

    await set('refused');
    await shows('main', [refused]);

    await set(first);
    await shows('b', ['3']);
  });
});

it('the component of Angular opens nothing on a server', async () => {
  await mount('angular on a server', 'server');
  await shows('b', ['']);
  // Asked for later.
  await page.evaluate(() => fetch('/page'));

  expect(opened.get('server')).toBeUndefined();
});

it('the room of React shows what is said in it', async () => {
  await page.evaluate(() => void (window.recipe = window.recipes.mountList('room')));
  await until(() => opened.get('room-a'), 'the stream');

  await streams().publish('room-a', { type: 'said', data: { id: '1', text: 'Hello' } });
  await streams().publish('room-a', { type: 'said', data: { id: '2', text: 'Hello?' } });

  await shows('li', ['Hello', 'Hello?']);
});

it('the component of TanStack Query shows what has been loaded, and changes it without loading', async () => {
  await page.evaluate(() => void (window.recipe = window.recipes.mountList('orders')));
  // Again behind the first connection.
  await until(() => open.get('orders') === 1 && loads === 2, 'the orders to be loaded');
  await shows('li', ['a is new', 'b is new']);

  await streams().publish('orders', { type: 'changed', data: { id: 'b', status: 'shipped' } });
  await shows('li', ['a is new', 'b is shipped']);

  await unmount();
  await until(() => open.get('orders') === 0, 'the stream to be closed');
  expect(loads).toBe(2);
});

function streams(): EventStreamService {
  return served.app.get(EventStreamService);
}

function mount(name: PriceRecipe, symbol: string): Promise<void> {
  return page.evaluate(async ([name, symbol]) => void (window.recipe = await window.recipes.prices[name](symbol)), [
    name,
    symbol,
  ] as const);
}

function set(symbol: string): Promise<void> {
  return page.evaluate((symbol) => window.recipe!.set!(symbol), symbol);
}

function unmount(): Promise<void> {
  return page.evaluate(() => {
    window.recipe?.unmount();
    window.recipe = undefined;
  });
}

async function publish(symbol: string, price: number): Promise<void> {
  await streams().publish(symbol, { type: 'tick', data: { price } });
}

/** Waits until the page shows that. */
async function shows(selector: string, expected: readonly string[]): Promise<void> {
  await page.waitForFunction(
    ([selector, wanted]) =>
      [...document.querySelectorAll(selector)].map((each) => each.textContent?.trim()).join() === wanted,
    [selector, expected.join()] as const,
  );
}
