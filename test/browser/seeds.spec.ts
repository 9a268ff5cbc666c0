import { expect, it, jest } from '@jest/globals';
import type { Page } from 'playwright-core';
import { readFile } from 'node:fs/promises';
import { createApp } from '../../examples/seeds/app.js';
import { useApp, useBrowser } from './support.js';

const TEXT = new URL('../../examples/seeds/public/index.txt', import.meta.url);

jest.setTimeout(60_000);

const browser = useBrowser();
const served = useApp(createApp);

it('000: the named event comes for three seconds, and then EventSource stops for good', async () => {
  const page = await visit('/000.html');

  await page.click('#btn');

  await page.locator('#state', { hasText: 'closed' }).waitFor();
  const result = await page.locator('#result').textContent();
  expect(['123321 '.repeat(9), '123321 '.repeat(10)]).toContain(result);
});

it('001: one frame carries id, event, data and retry', async () => {
  const page = await visit('/001.html');

  const log = page.locator('#log');
  await page.waitForFunction(() => (document.getElementById('log')?.textContent?.match(/foo data/g) ?? []).length >= 2);

  const [first, second] = (await log.textContent())!.split('\n');
  expect(first).toBe('connected.');
  expect(second).toMatch(new RegExp(`^foo data : .*GMT.* \\(id \\d{13}, from ${served.origin}\\)$`));
  expect(fieldsOf(await frameWith('/001', 'event: foo'))).toEqual(['data', 'event', 'id', 'retry']);
});

it('002: the count goes on after the last event id', async () => {
  const page = await visit('/002.html');

  await page.locator('#log', { hasText: 'This is message number 2' }).waitFor();

  expect(await frameWith('/002?lastEventId=41', 'event: myCustomEvent')).toContain('data: This is message number 42');
});

it('003: the text arrives character by character and exact, and then the stream is closed', async () => {
  const page = await visit('/003.html');

  await page.locator('#state', { hasText: 'closed' }).waitFor();

  expect(await page.locator('#result').textContent()).toBe(await readFile(TEXT, 'utf8'));
});

it('004: the time of connection comes first, then pings', async () => {
  const page = await visit('/004.html');

  await page.locator('#example p').nth(4).waitFor();

  const lines = await page.locator('#example p').allTextContents();
  expect(lines.slice(0, 5).map((line) => line.replace(/: .*/, ''))).toEqual([
    'Connection open ...',
    'Start time',
    'Ping',
    'Ping',
    'Ping',
  ]);
  expect(fieldsOf(await frameWith('/004/stream', 'event: connecttime'))).toEqual(['data', 'event', 'retry']);
});

it.each(['/000/sse', '/001', '/002', '/003/api/sse', '/004/stream'])('%s may be read from any origin', async (path) => {
  const controller = new AbortController();

  const response = await fetch(served.origin + path, { signal: controller.signal });
  controller.abort();

  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
});

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

/** The names of its fields, once each: the module's own `retry` stands before the first frame of a stream. */
function fieldsOf(frame: string): string[] {
  const names = frame.split('\n').map((line) => line.replace(/:.*/, ''));
  return [...new Set(names)].sort();
}
