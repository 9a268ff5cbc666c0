import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { BrowserContext, Page, Request } from 'playwright-core';
import { Program } from './program.js';
import { VIEWPORTS, expectToFit, useBrowser } from './support.js';

jest.setTimeout(150_000);

const browser = useBrowser();
let server: Program;

beforeAll(async () => {
  server = await Program.start('scripts/start.mjs', { PORT: '0' });
});
afterAll(() => server.end('SIGKILL'));

describe('the tabs of one browser', () => {
  it('are ten with one connection over HTTP/1.1, all live, also when the one that has it is closed', async () => {
    const context = await browser.newContext({ viewport: VIEWPORTS.desktop });
    const connections = connectionsOf(context, '/api/notifications');
    const tabs = [];
    for (let n = 0; n < 10; n++) tabs.push(await openTab(context, '/notifications?user=ada'));
    const [first, ...others] = tabs as [Page, ...Page[]];
    await Promise.all(tabs.map((tab) => tab.locator('#state[data-state=open]').waitFor()));
    await until(connections, 1);
    expect(await first.evaluate(protocolOf)).toBe('http/1.1');

    await send(others[8]!, 'to ten');
    await Promise.all(tabs.map((tab) => tab.locator('#list li', { hasText: 'to ten' }).waitFor()));
    await expectToFit(others[8]!, 'notifications-shared', { fullPage: false });
    await first.close();
    await send(others[0]!, 'to nine');
    await Promise.all(others.map((tab) => tab.locator('#list li', { hasText: 'to nine' }).waitFor()));

    for (const tab of others) expect(await tab.locator('#list li p').allTextContents()).toEqual(['to nine', 'to ten']);
    await until(connections, 1);
  });

  it('begin and resume each at its own place', async () => {
    const context = await browser.newContext({ viewport: VIEWPORTS.desktop });
    const connections = connectionsOf(context, '/api/machine');
    const first = await openTab(context, '/');
    const before = await samplesOf(first, 8);
    const second = await openTab(context, '/');
    expect(await samplesOf(second, 1)).toBeGreaterThanOrEqual(before);

    await second.click('#pause');
    const paused = await samplesOf(second, 1);
    await samplesOf(first, paused + 6);
    await second.click('#pause');

    await samplesOf(second, paused + 8);
    const longest = / ([\d.]+) s\.$/.exec((await second.locator('#coverage').textContent())!)![1];
    expect(Number(longest)).toBeLessThan(1.5);
    for (const tab of [first, second]) await tab.locator('#shown', { hasText: /^live$/ }).waitFor();
    await until(connections, 1);
  });

  it('resume an inbox that one of them has left while another stayed', async () => {
    const context = await browser.newContext({ viewport: VIEWPORTS.desktop });
    const [stays, leaves] = [await openTab(context, '/notifications'), await openTab(context, '/notifications')];
    await leaves.locator('#state[data-state=open]').waitFor();
    await send(stays, 'before');
    await leaves.locator('#list li', { hasText: 'before' }).waitFor();
    await leaves.goto('about:blank');
    await send(stays, 'while away');
    await stays.locator('#list li', { hasText: 'while away' }).waitFor();

    await leaves.goto(`${server.origin}/notifications`);

    await leaves.locator('#list li', { hasText: 'while away' }).waitFor();
    await send(stays, 'after');
    await leaves.locator('#list li', { hasText: 'after' }).waitFor();
    for (const tab of [stays, leaves])
      expect(await tab.locator('#list li p').allTextContents()).toEqual(['after', 'while away', 'before']);
  });

  it('have a connection each, while they are seen, where events have no ids', async () => {
    const context = await browser.newContext({ viewport: VIEWPORTS.desktop });
    const connections = connectionsOf(context, '/api/cluster');
    const tabs = [await openTab(context, '/cluster'), await openTab(context, '/cluster')] as const;
    for (const tab of tabs) await tab.locator('#running', { hasText: /^It/ }).waitFor();
    await until(connections, 2);

    await see(tabs[0], false);
    await tabs[0].locator('#state[data-state=paused]').waitFor();
    await until(connections, 1);

    await see(tabs[0], true);
    await tabs[0].locator('#state[data-state=open]').waitFor();
    await until(connections, 2);
  });

  it('have three lines for what they do not share, of which one that is not seen lets go', async () => {
    const context = await browser.newContext({ viewport: VIEWPORTS.desktop });
    const tabs = [];
    for (let n = 0; n < 3; n++) tabs.push(await openTab(context, '/bench'));
    const [first, , third] = tabs as [Page, Page, Page];
    await third.locator('#notice', { hasText: 'No connection is free.' }).waitFor();
    await expectToFit(third, 'bench-waiting', { fullPage: false });
    // There are connections for what is no stream of its own.
    const inbox = await openTab(context, '/notifications');
    await inbox.locator('#state[data-state=open]').waitFor();

    await see(first, false);

    await third.locator('#state[data-state=open]').waitFor();
  });
});

async function openTab(context: BrowserContext, path: string): Promise<Page> {
  const page = await browser.newPage(context);
  await page.goto(server.origin + path);
  return page;
}

/** Counts the requests of all tabs for a stream that are not over. Of a tab that was closed nobody says so. */
function connectionsOf(context: BrowserContext, path: string): () => number {
  const open = new Set<Request>();
  context.on('request', (request) => {
    if (request.method() === 'GET' && new URL(request.url()).pathname === path) open.add(request);
  });
  context.on('requestfinished', (request) => open.delete(request));
  context.on('requestfailed', (request) => open.delete(request));
  return () => [...open].filter((request) => !request.frame().page().isClosed()).length;
}

async function until(look: () => number, wanted: number): Promise<void> {
  for (const deadline = Date.now() + 30_000; look() !== wanted;) {
    if (Date.now() > deadline) throw new Error(`After 30 s it is still ${look()}, and not ${wanted}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function protocolOf(): string {
  return (performance.getEntriesByType('navigation')[0] as PerformanceNavigationTiming).nextHopProtocol;
}

/** Sends what is to everybody who follows this inbox. */
async function send(tab: Page, text: string): Promise<void> {
  await tab.fill('#text', text);
  await tab.click('#send');
  await tab.locator('#sent', { hasText: 'Sent.' }).waitFor();
}

/** How many samples a dashboard has, as soon as there are enough. */
async function samplesOf(tab: Page, enough: number): Promise<number> {
  const count = await tab.waitForFunction((least) => {
    const samples = parseInt(document.getElementById('coverage')!.textContent);
    return samples >= least && samples;
  }, enough);
  return (await count.jsonValue()) as number;
}

/** Headless Chromium shows all of its tabs: this is what it would say of one that is in front, or is not. */
async function see(page: Page, isSeen: boolean): Promise<void> {
  await page.evaluate((hidden) => {
    Object.defineProperty(document, 'hidden', { configurable: true, value: hidden });
    document.dispatchEvent(new Event('visibilitychange'));
  }, !isSeen);
}
