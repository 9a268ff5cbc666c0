import { describe, expect, it, jest } from '@jest/globals';
import type { Page } from 'playwright-core';
import { createApp } from '../../examples/showcase/app.js';
import { useApp, useBrowser } from './support.js';

const DESKTOP = { width: 1280, height: 800 };
/** What the browser says of answers and cuts that are wanted here. */
const WANTED = [/ERR_INCOMPLETE_CHUNKED_ENCODING/, /status of (401|403|503)/];

jest.setTimeout(60_000);

const browser = useBrowser();
const served = useApp(createApp);

describe('the page of the client', () => {
  it('shows how long it waits after a cut, and goes on by itself without a gap', async () => {
    const page = await openPage();
    const before = await lastNumberOf(page);

    await page.click('[data-do=cut]');

    await stateOf(page, 'waiting', 'cut');
    expect(await page.locator('#countdown').textContent()).toMatch(/^\d\.\d\ss$/);
    await stateOf(page, 'open');
    await isWhole(page, before + 5);
  });

  it.each([
    ['silence', 'silent'],
    ['shutdown', 'shutdown'],
    ['fail', 'error'],
  ])('waits after %s, and goes on without a gap', async (button, reason) => {
    const page = await openPage();
    const before = await lastNumberOf(page);

    await page.click(`[data-do=${button}]`);

    await stateOf(page, 'waiting', reason);
    await page.click('[data-do=reconnect]');
    await stateOf(page, 'open');
    await isWhole(page, before + 5);
  });

  it('asks for another token when the answer is 401', async () => {
    const page = await openPage();
    const before = await lastNumberOf(page);

    await page.click('[data-do=expire]');

    await stateOf(page, 'waiting', 'expired');
    await page.click('[data-do=reconnect]');
    await page.locator('#history li', { hasText: 'a fresh one, because of the 401' }).waitFor();
    await stateOf(page, 'open');
    expect(await page.locator('#token').textContent()).toBe('number 2');
    expect(await page.locator('#frames li.response', { hasText: '401' }).count()).toBe(1);
    await isWhole(page, before + 5);
  });

  it('waits as long as a 503 asks it to', async () => {
    const page = await openPage();
    const before = await lastNumberOf(page);
    await page.click('[data-do=busy]');
    await stateOf(page, 'waiting', 'lifetime');

    await page.click('[data-do=reconnect]');

    await stateOf(page, 'waiting', 'status 503');
    expect(await nextIn(page)).toBeGreaterThanOrEqual(2);
    await stateOf(page, 'open');
    await isWhole(page, before + 5);
  });

  it('comes back when there is room again', async () => {
    const page = await openPage();
    const before = await lastNumberOf(page);

    await page.click('[data-do=fill]');
    await page.locator('#told', { hasText: 'until it has been refused once' }).waitFor();

    await page.click('[data-do=reconnect]');

    await stateOf(page, 'waiting', 'ended');
    await page.locator('#frames li', { hasText: ': too many streams are open' }).waitFor();
    await page.click('[data-do=reconnect]');
    await isWhole(page, before + 5);
  });

  it('is closed by a 403, and can be opened again at its place', async () => {
    const page = await openPage();
    const before = await lastNumberOf(page);

    await page.click('[data-do=forbid]');
    await stateOf(page, 'waiting', 'lifetime');

    await page.click('[data-do=reconnect]');

    await stateOf(page, 'closed', 'refused 403');
    await page.click('[data-do=cut]');
    await page.locator('#told', { hasText: 'open it again first' }).waitFor();
    await page.click('text=Open again');
    await stateOf(page, 'open');
    await isWhole(page, before + 5);
  });

  it.each([
    ['complete', 'complete'],
    ['close', 'aborted'],
  ])('is closed by %s, and can be opened again at its place', async (button, reason) => {
    const page = await openPage();
    const before = await lastNumberOf(page);

    await page.click(`[data-do=${button}]`);

    await stateOf(page, 'closed', reason);
    await page.click('text=Open again');
    await isWhole(page, before + 1);
  });

  it('takes a snapshot where the log is too short, and goes on behind it', async () => {
    const page = await openPage();
    const before = await lastNumberOf(page);

    await page.click('[data-do=trim]');

    await page.locator('#history li', { hasText: 'after stream.reset: trimmed' }).waitFor();
    await isWhole(page, before + 202);
    expect(await inSnapshots(page)).toBeGreaterThan(200);
  });

  it('tries again and again while it is offline, and at once when it is not', async () => {
    const page = await openPage();
    const before = await lastNumberOf(page);

    await page.click('[data-do=offline]');
    await stateOf(page, 'waiting', 'network');
    await page.locator('#down', { hasText: /\ss$/ }).waitFor();
    await page.click('[data-do=offline]');

    await stateOf(page, 'open');
    await isWhole(page, before + 1);
  });

  it('lets go while it is frozen', async () => {
    const page = await openPage();
    const before = await lastNumberOf(page);

    await page.click('[data-do=freeze]');
    await stateOf(page, 'waiting', 'page');
    expect(await page.locator('#countdown').textContent()).toBe('–');
    await page.click('[data-do=freeze]');

    await stateOf(page, 'open');
    await isWhole(page, before + 1);
  });

  it('asks once by POST, and goes on where the answer has said', async () => {
    const page = await openPage();
    const before = await lastNumberOf(page);
    await page.click('[data-do=post]');
    await page.locator('#frames li.response', { hasText: 'goes on at /api/client/' }).waitFor();

    await page.click('[data-do=cut]');

    await stateOf(page, 'waiting', 'cut');
    await page.click('[data-do=reconnect]');
    await stateOf(page, 'open');
    await isWhole(page, before + 5);
    const methods = await page.locator('#frames li.request > span').allTextContents();
    expect(methods.map((text) => text.split(' ')[0])).toEqual(['GET', 'POST', 'GET']);
  });

  it('ends a wait when it is told to reconnect', async () => {
    const page = await openPage();
    await page.evaluate(() => {
      const phase = document.getElementById('phase')!;
      const reconnect = document.querySelector<HTMLButtonElement>('[data-do=reconnect]')!;
      new MutationObserver(() => {
        if (phase.textContent === 'waiting') reconnect.click();
      }).observe(phase, { childList: true });
    });

    await page.click('[data-do=shutdown]');

    await page.locator('#history li', { hasText: 'shutdown' }).waitFor();
    await stateOf(page, 'open');
    const [waiting, connecting] = await page
      .locator('#history li', { hasText: /waiting|connecting/ })
      .evaluateAll((rows) =>
        rows
          .slice(0, 2)
          .map((row) => Number((row as HTMLElement).dataset.at))
          .reverse(),
      );
    // By itself it would wait for 1.5 s at least.
    expect(connecting! - waiting!).toBeLessThan(1_400);
  });

  it('holds its frames back, and forgets them', async () => {
    const page = await openPage();
    await page.click('#pause-frames');
    await page.click('#clear-frames');

    await page.locator('#held', { hasText: /, [1-9]\d* held back/ }).waitFor();
    expect(await page.locator('#frames li').count()).toBe(0);
    await page.click('#pause-frames');
    await page.locator('#frames li').first().waitFor();
  });

  it('disturbs nobody else', async () => {
    const [page, other] = await Promise.all([openPage(), openPage()]);
    const states = await other.locator('#history li').count();

    await page.click('[data-do=cut]');
    await stateOf(page, 'waiting', 'cut');

    const seen = await lastNumberOf(other);
    await isWhole(other, seen + 1);
    expect(await other.locator('#history li').count()).toBe(states);
  });
});

/** Opens the page as another visitor, and waits for its stream. */
async function openPage(): Promise<Page> {
  const page = await browser.newPage(await browser.newContext({ viewport: DESKTOP }), WANTED);
  await page.goto(`${served.origin}/client`);
  await stateOf(page, 'open');
  return page;
}

async function stateOf(page: Page, phase: string, reason = ''): Promise<void> {
  await page.waitForFunction(
    (wanted) => ['phase', 'reason'].map((id) => document.getElementById(id)!.textContent).join(' ') === wanted,
    `${phase} ${reason}`,
  );
}

async function lastNumberOf(page: Page): Promise<number> {
  return Number(await page.locator('#last-number').textContent());
}

/** How long the last wait was to be, in seconds. */
async function nextIn(page: Page): Promise<number> {
  const text = await page.locator('#history li', { hasText: ', in' }).first().textContent();
  return Number(/, in ([\d.]+)/.exec(text!)?.[1]);
}

async function inSnapshots(page: Page): Promise<number> {
  return Number(/(\d+) of them in a snapshot/.exec((await page.locator('#verdict').textContent())!)?.[1]);
}

/** Waits for a number; it and all before it have come once. */
async function isWhole(page: Page, number: number): Promise<void> {
  await page.waitForFunction((n) => Number(document.getElementById('last-number')!.textContent) >= n, number);
  expect(await page.locator('#verdict').textContent()).toMatch(/: none missing, none twice; \d+ of them/);
}
