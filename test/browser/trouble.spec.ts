import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { BrowserContext, Page, Request } from 'playwright-core';
import { Program } from './program.js';
import { useBrowser } from './support.js';

const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const SCREENSHOTS = '.cache/screenshots';
/** What Chromium says of a server that is away, and of a device that is offline: both are wanted here. */
const AWAY = [
  /ERR_CONNECTION_REFUSED/,
  /ERR_CONNECTION_RESET/,
  /ERR_INCOMPLETE_CHUNKED_ENCODING/,
  /ERR_EMPTY_RESPONSE/,
];
/** A new server knows nothing of the answers of the one before. */
const AWAY_AND_ANEW = [...AWAY, /404/];
const OFFLINE = [/ERR_INTERNET_DISCONNECTED/];

jest.setTimeout(150_000);

const browser = useBrowser();
let server: Program;

beforeEach(async () => {
  server = await Program.start('scripts/start.mjs', { PORT: '0' });
});
afterEach(() => server.end('SIGKILL'));

describe('an answer whose server', () => {
  it('falls silent is cut, keeps its words, and goes on without losing a letter', async () => {
    const page = await ask(AWAY);
    server.signal('SIGSTOP');
    await page.locator('.exchange[data-state=cut] .says', { hasText: 'The server does not answer.' }).waitFor();
    await page.locator('#notice', { hasText: 'The server does not answer.' }).waitFor();
    await takeScreenshots(page, 'answers-silent');
    const kept = await answerOf(page);

    server.signal('SIGCONT');

    await page.locator('.exchange[data-state=completed]').waitFor({ timeout: 60_000 });
    const whole = await answerOf(page);
    expect(kept.length).toBeGreaterThan(100);
    expect(whole.startsWith(kept)).toBe(true);
    await page.reload();
    await page.locator('.exchange[data-state=completed]').waitFor();
    expect(await answerOf(page)).toBe(whole);
  });

  it('is killed keeps its words, and can be asked again', async () => {
    const page = await ask(AWAY_AND_ANEW);
    await server.end('SIGKILL');
    await page.locator('.exchange[data-state=cut]').waitFor();
    await page.locator('#state[data-state=lost]').waitFor();
    const kept = await answerOf(page);
    await takeScreenshots(page, 'answers-lost');

    await startAgain();

    await page.locator('.exchange[data-state=gone] .says', { hasText: 'The server was started anew' }).waitFor();
    expect(await answerOf(page)).toBe(kept);
    await takeScreenshots(page, 'answers-gone');
    await page.click('.again');
    await page.locator('.exchange[data-state=writing]').waitFor();
    await hasWords(page);
  });

  it('is shut down is interrupted', async () => {
    const page = await ask(AWAY);

    await server.end('SIGTERM');

    await page.locator('.exchange[data-state=interrupted] .says', { hasText: /^Interrupted/ }).waitFor();
    expect((await answerOf(page)).length).toBeGreaterThan(100);
    await page.locator('.again:visible').waitFor();
    await takeScreenshots(page, 'answers-interrupted');
  });

  it('cannot be reached is not asked, and the question waits', async () => {
    const page = await visit('/answers', AWAY);
    await page.locator('#send:enabled').waitFor();
    await server.end('SIGKILL');

    await page.fill('#question', 'Are you there?');
    await page.keyboard.press('Enter');

    await page.locator('#told[data-tone=trouble]', { hasText: 'Not asked. The server cannot be reached.' }).waitFor();
    expect(await page.inputValue('#question')).toBe('Are you there?');
  });
});

describe('a dashboard', () => {
  it('of a server that falls silent says of when it is', async () => {
    const page = await visit('/', AWAY);
    await page.locator('#shown[data-tone=ok]', { hasText: 'live' }).waitFor();

    server.signal('SIGSTOP');

    await page.locator('#shown[data-tone=trouble]', { hasText: /^no answer, as of \d\d:\d\d:\d\d$/ }).waitFor();
    await takeScreenshots(page, 'dashboard-silent');
    server.signal('SIGCONT');
    await page.locator('#shown', { hasText: /^live$/ }).waitFor();
  });

  it('whose server was away goes on by itself', async () => {
    const page = await visit('/', AWAY);
    await page.locator('#shown', { hasText: /^live$/ }).waitFor();
    await server.end('SIGKILL');
    await page.locator('#shown[data-tone=trouble]', { hasText: /^lost, as of/ }).waitFor();
    await page.locator('#notice', { hasText: 'The server cannot be reached.' }).waitFor();
    await takeScreenshots(page, 'dashboard-lost');

    await startAgain();

    await page.locator('#shown', { hasText: /^live$/ }).waitFor();
    expect(await page.locator('#notice').isHidden()).toBe(true);
  });
});

describe('a notification', () => {
  it('that is sent offline is kept, and can be sent again', async () => {
    const page = await visit('/notifications?user=offline', OFFLINE);
    await page.locator('#state[data-state=open]').waitFor();
    await page.context().setOffline(true);
    await page.locator('#state[data-tone=trouble]', { hasText: 'offline' }).waitFor();
    await page.fill('#text', 'kept while offline');

    await page.click('#send');

    await page.locator('#sent[data-tone=trouble]', { hasText: 'Not sent. This device is offline.' }).waitFor();
    expect(await page.inputValue('#text')).toBe('kept while offline');
    await takeScreenshots(page, 'notifications-offline');
    await page.context().setOffline(false);
    await page.click('text=Send again');
    await page.locator('#list li', { hasText: 'kept while offline' }).waitFor();
    await page.locator('#sent[data-tone=ok]', { hasText: 'Sent.' }).waitFor();
  });

  it('to a server that does not answer may have been sent', async () => {
    const page = await visit('/notifications?user=silent');
    await page.locator('#state[data-state=open]').waitFor();
    server.signal('SIGSTOP');

    await page.click('#send');

    await page
      .locator('#sent', { hasText: 'has not answered for 8 seconds. It may have been sent all the same.' })
      .waitFor();
  });
});

describe('the bench', () => {
  it('tells what its buttons could not do', async () => {
    const page = await visit('/bench', AWAY);
    await page.locator('#state[data-state=open]').waitFor();
    await server.end('SIGKILL');

    for (const [button, message] of [
      ['#one', 'Not published. The server cannot be reached.'],
      ['#destroy', 'Not destroyed. The server cannot be reached.'],
    ] as const) {
      await page.click(button);
      await page.locator('#told[data-tone=trouble]', { hasText: message }).waitFor();
    }
    await page.locator('#notice', { hasText: 'The server cannot be reached.' }).waitFor();
    await takeScreenshots(page, 'bench-lost');
  });
});

describe('the tabs of one browser', () => {
  it('are ten with one connection over HTTP/1.1, all live, also when the one that has it is closed', async () => {
    const context = await browser.newContext({ viewport: DESKTOP });
    const connections = connectionsOf(context, '/api/notifications');
    const tabs = [];
    for (let n = 0; n < 10; n++) tabs.push(await openTab(context, '/notifications?user=ada'));
    const [first, ...others] = tabs as [Page, ...Page[]];
    await Promise.all(tabs.map((tab) => tab.locator('#state[data-state=open]').waitFor()));
    await until(connections, 1);
    expect(await first.evaluate(protocolOf)).toBe('http/1.1');

    await send(others[8]!, 'to ten');
    await Promise.all(tabs.map((tab) => tab.locator('#list li', { hasText: 'to ten' }).waitFor()));
    await takeScreenshots(others[8]!, 'notifications-shared');
    await first.close();
    await send(others[0]!, 'to nine');
    await Promise.all(others.map((tab) => tab.locator('#list li', { hasText: 'to nine' }).waitFor()));

    for (const tab of others) expect(await tab.locator('#list li p').allTextContents()).toEqual(['to nine', 'to ten']);
    await until(connections, 1);
  });

  it('begin and resume each at its own place', async () => {
    const context = await browser.newContext({ viewport: DESKTOP });
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
    const context = await browser.newContext({ viewport: DESKTOP });
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
    const context = await browser.newContext({ viewport: DESKTOP });
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
    const context = await browser.newContext({ viewport: DESKTOP });
    const tabs = [];
    for (let n = 0; n < 3; n++) tabs.push(await openTab(context, '/bench'));
    const [first, , third] = tabs as [Page, Page, Page];
    await third.locator('#notice', { hasText: 'No connection is free.' }).waitFor();
    await takeScreenshots(third, 'bench-waiting');
    // There are connections for what is no stream of its own.
    const inbox = await openTab(context, '/notifications');
    await inbox.locator('#state[data-state=open]').waitFor();

    await see(first, false);

    await third.locator('#state[data-state=open]').waitFor();
  });
});

/** Starts the server again, where the pages expect it. */
async function startAgain(): Promise<void> {
  server = await Program.start('scripts/start.mjs', { PORT: server.port });
}

async function visit(path: string, expected: readonly RegExp[] = []): Promise<Page> {
  return openTab(await browser.newContext({ viewport: DESKTOP }), path, expected);
}

async function openTab(context: BrowserContext, path: string, expected: readonly RegExp[] = []): Promise<Page> {
  const page = await browser.newPage(context, expected);
  await page.goto(server.origin + path);
  return page;
}

/** Asks, and waits for the first words. */
async function ask(expected: readonly RegExp[]): Promise<Page> {
  const page = await visit('/answers', expected);
  await page.click('#ideas li:first-child button');
  await hasWords(page);
  return page;
}

async function hasWords(page: Page): Promise<void> {
  await page.waitForFunction(() => (document.querySelector('.exchange .text')?.textContent ?? '').length > 100);
}

async function answerOf(page: Page): Promise<string> {
  return (await page.locator('.exchange .text').textContent()) ?? '';
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

async function takeScreenshots(page: Page, name: string): Promise<void> {
  for (const [device, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${SCREENSHOTS}/${name}-${device}-${colorScheme}.png` });
    }
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(viewport.width);
  }
  await page.setViewportSize(DESKTOP);
  await page.emulateMedia({ colorScheme: null });
}
