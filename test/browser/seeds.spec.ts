import { expect, it, jest } from '@jest/globals';
import type { Page } from 'playwright-core';
import { readFile } from 'node:fs/promises';
import { createApp } from '../../examples/seeds/app.js';
import { bundleClient } from './client-bundle.js';
import { useApp, useBrowser } from './support.js';

const TEXT = new URL('../../examples/seeds/public/index.txt', import.meta.url);

jest.setTimeout(60_000);

const browser = useBrowser();
const served = useApp(async () => createApp(await bundleClient('esm')));

it('000: the named event comes for three seconds, and then EventSource stops for good', async () => {
  await withBoth('/000.html', async (page) => {
    await page.click('#btn');

    await page.locator('#state', { hasText: 'closed' }).waitFor();
    const result = await page.locator('#result').textContent();
    // One each 300 ms: ten at most, and fewer where the machine is busy.
    expect(result).toMatch(/^(123321 ){5,10}$/);
  });
});

it('001: one frame carries id, event, data and retry', async () => {
  await withBoth('/001.html', async (page) => {
    const log = page.locator('#log');
    await page.waitForFunction(
      () => (document.getElementById('log')?.textContent?.match(/foo data/g) ?? []).length >= 2,
    );

    const [first, second] = (await log.textContent())!.split('\n');
    expect(first).toBe('connected.');
    expect(second).toMatch(new RegExp(`^foo data : .*GMT.* \\(id \\d{13}, from ${served.origin}\\)$`));
  });
  expect(fieldsOf(await frameWith('/001', 'event: foo'))).toEqual(['data', 'event', 'id', 'retry']);
});

it('002: the count goes on after the last event id', async () => {
  await withBoth('/002.html', (page) => page.locator('#log', { hasText: 'This is message number 2' }).waitFor());

  expect(await frameWith('/002?lastEventId=41', 'event: myCustomEvent')).toContain('data: This is message number 42');
});

it('003: the text arrives character by character and exact, and then the stream is closed', async () => {
  await withBoth('/003.html', async (page) => {
    await page.locator('#state', { hasText: 'closed' }).waitFor();

    expect(await page.locator('#result').textContent()).toBe(await readFile(TEXT, 'utf8'));
  });
});

it('004: the time of connection comes first, then pings', async () => {
  await withBoth('/004.html', async (page) => {
    await page.locator('#example p').nth(4).waitFor();

    const lines = await page.locator('#example p').allTextContents();
    expect(lines.slice(0, 5).map((line) => line.replace(/: .*/, ''))).toEqual([
      'Connection open ...',
      'Start time',
      'Ping',
      'Ping',
      'Ping',
    ]);
  });
  expect(fieldsOf(await frameWith('/004/stream', 'event: connecttime'))).toEqual(['data', 'event', 'retry']);
});

it('a page has the EventSource that is chosen on it, and its address says so', async () => {
  const page = await visit('/004.html');
  expect(await isOurs(page)).toBe(false);

  await page.selectOption('#client', 'ours');
  await page.waitForURL('**/004.html?client=ours');

  await page.locator('#example p').nth(1).waitFor();
  expect(await isOurs(page)).toBe(true);
  expect(await page.locator('#client').inputValue()).toBe('ours');
});

it('the choice goes along from page to page', async () => {
  const page = await visit('/index.html?client=ours');

  await page.click('text=004');

  await page.waitForURL('**/004.html?client=ours');
});

it("ours has the documents' options across origins", async () => {
  const page = await visit('/index.html?client=ours');
  const other = served.origin.replace('127.0.0.1', 'localhost');

  const origin = await page.evaluate(
    (url) =>
      new Promise((resolve) => {
        const options = { headers: { 'x-who': 'alice' }, retryInterval: 50 };
        new EventSource(url, options as EventSourceInit).addEventListener('foo', (event) => resolve(event.origin));
      }),
    `${other}/001`,
  );

  expect(origin).toBe(other);
});

it.each(['/000/sse', '/001', '/002', '/003/api/sse', '/004/stream'])('%s may be read from any origin', async (path) => {
  const controller = new AbortController();

  const response = await fetch(served.origin + path, { signal: controller.signal });
  controller.abort();

  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
});

/** Does the same with the EventSource of the browser and with ours. */
async function withBoth(path: string, check: (page: Page) => Promise<void>): Promise<void> {
  await Promise.all(
    [path, `${path}?client=ours`].map(async (each) => {
      const page = await visit(each);
      expect(await isOurs(page)).toBe(each !== path);
      await check(page);
    }),
  );
}

function isOurs(page: Page): Promise<boolean> {
  return page.evaluate(() => !EventSource.toString().includes('[native code]'));
}

async function visit(path: string): Promise<Page> {
  const page = await browser.newPage(await browser.newContext());
  await page.goto(served.origin + path);
  return page;
}

/** The first frame of a stream that contains a text. */
async function frameWith(path: string, text: string): Promise<string> {
  const response = await fetch(served.origin + path);
  let received = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    received += chunk;
    const frame = received
      .split('\n\n')
      .slice(0, -1)
      .find((each) => each.includes(text));
    if (frame !== undefined) return frame;
  }
  throw new Error(`The stream ended without ${text}: ${received}`);
}

/** The names of its fields, once each: the module's own `retry` and a comment stand before the first frame of a stream. */
function fieldsOf(frame: string): string[] {
  const names = frame
    .split('\n')
    .map((line) => line.replace(/:.*/, ''))
    .filter((name) => name !== '');
  return [...new Set(names)].sort();
}
