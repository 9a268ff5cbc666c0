import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { BrowserContext, Page } from 'playwright-core';
import { Program } from './program.js';
import { VIEWPORTS, expectToFit, useBrowser } from './support.js';

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
    await expectToFit(page, 'answers-silent', { fullPage: false });
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
    await expectToFit(page, 'answers-lost', { fullPage: false });

    await startAgain();

    await page.locator('.exchange[data-state=gone] .says', { hasText: 'The server was started anew' }).waitFor();
    expect(await answerOf(page)).toBe(kept);
    await expectToFit(page, 'answers-gone', { fullPage: false });
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
    await expectToFit(page, 'answers-interrupted', { fullPage: false });
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
    await expectToFit(page, 'dashboard-silent', { fullPage: false });
    server.signal('SIGCONT');
    await page.locator('#shown', { hasText: /^live$/ }).waitFor();
  });

  it('whose server was away goes on by itself', async () => {
    const page = await visit('/', AWAY);
    await page.locator('#shown', { hasText: /^live$/ }).waitFor();
    await server.end('SIGKILL');
    await page.locator('#shown[data-tone=trouble]', { hasText: /^lost, as of/ }).waitFor();
    await page.locator('#notice', { hasText: 'The server cannot be reached.' }).waitFor();
    await expectToFit(page, 'dashboard-lost', { fullPage: false });

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
    await expectToFit(page, 'notifications-offline', { fullPage: false });
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
    await expectToFit(page, 'bench-lost', { fullPage: false });
  });
});

/** Starts the server again, where the pages expect it. */
async function startAgain(): Promise<void> {
  server = await Program.start('scripts/start.mjs', { PORT: server.port });
}

async function visit(path: string, expected: readonly RegExp[] = []): Promise<Page> {
  return openTab(await browser.newContext({ viewport: VIEWPORTS.desktop }), path, expected);
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
