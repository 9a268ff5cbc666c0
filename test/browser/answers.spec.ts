import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { RunService } from 'nestjs-event-stream/runs';
import type { BrowserContext, Page } from 'playwright-core';
import { answerTo } from '../../examples/showcase/answers/local-texts.js';
import { createApp } from '../../examples/showcase/app.js';
import { useApp, useBrowser } from './support.js';

const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const LONG = 'How does an answer survive a reload?';
const SHORT = 'Hello';

jest.setTimeout(60_000);

const browser = useBrowser();
const served = useApp(createApp);

afterEach(async () => {
  const runs = await served.app.get(RunService).list();
  await Promise.all(runs.map((run) => run.stop()));
});

describe('an answer', () => {
  it('is there whole and live when the page is loaded in the middle of it, and stays', async () => {
    const page = await visit();
    await ask(page, 'Why is the sky blue?');
    const before = await textOf(page, 200);

    await page.reload();

    // It does not come piece by piece again.
    expect((await textOf(page, 1)).length).toBeGreaterThanOrEqual(before.length);
    await stateOf(page, 'writing');
    await stateOf(page, 'completed');
    const whole = await textOf(page, 1);
    expect(whole.startsWith(before.slice(0, 200))).toBe(true);
    expect(await page.locator('.text strong').textContent()).toBe('sixteen times');
    await page.reload();
    await stateOf(page, 'completed');
    expect(await textOf(page, 1)).toBe(whole);
    expect((await eventsOf(page)).filter(({ type }) => type === 'answer')).toEqual([
      { type: 'answer', data: { runId: expect.any(String), text: answerTo('sky'), state: 'completed' } },
    ]);
  });

  it('is seen in a second window as it is written, and is stopped from there', async () => {
    const page = await visit();
    const [other] = await Promise.all([page.waitForEvent('popup'), page.click('#second')]);
    await other.locator('#send:enabled').waitFor();
    await ask(page, LONG);
    await other.locator('.exchange .question', { hasText: LONG }).waitFor();
    await textOf(other, 200);

    await other.click('#stop');

    await stateOf(page, 'stopped');
    await stateOf(other, 'stopped');
    expect(await textOf(page, 1)).toBe(await textOf(other, 1));
    expect(await page.locator('#run-state').textContent()).toBe('stopped');
    await ask(other, SHORT);
    await page.locator('.exchange:nth-child(2)[data-state=completed]', { hasText: 'Hello! Ask me' }).waitFor();
  });

  it('is the only one in its conversation: the box waits meanwhile, also in another window', async () => {
    const page = await visit();
    await ask(page, LONG);
    await stateOf(page, 'writing');

    await page.fill('#question', 'And then?');
    await page.keyboard.press('Enter');

    await page.locator('#told', { hasText: 'One answer at a time.' }).waitFor();
    const refused = await postQuestion(page, { text: 'Me, too' });
    expect(refused.status).toBe(409);
    await page.keyboard.press('Escape');
    await stateOf(page, 'stopped');
    expect(await page.inputValue('#question')).toBe('And then?');
    expect(await page.locator('#told').textContent()).toBe('');
    expect(await page.locator('.exchange').count()).toBe(1);
  });

  it('that fails in the middle says so, keeps its words, and is tried again in its place', async () => {
    const page = await visit();
    await page.check('#fail');
    await ask(page, SHORT);
    await page.locator('.exchange[data-state=failed] .says', { hasText: 'The model has failed.' }).waitFor();
    expect(answerTo(SHORT).startsWith(await textOf(page, 5))).toBe(true);
    await frame(page, /"code":"run-failed"/);

    await page.click('text=Try again');

    await stateOf(page, 'completed');
    expect(await textOf(page, 1)).toBe(answerTo(SHORT));
    await page.reload();
    await stateOf(page, 'completed');
    expect(await page.locator('.exchange').count()).toBe(1);
  });

  it.each([
    ['plain', /^event: stream\.end\ndata: \{"reason":"complete"/, /^event: stream\.error/],
    ['ai-sdk', /^data: \[DONE\]$/, /^data: \{"type":"error","errorText":"The run has failed"\}$/],
    ['openai', /^data: \[DONE\]$/, /^data: \{"error":\{"message":"The run has failed"/],
  ])('is read in the protocol %s, to its end and to its failure', async (wire, end, failure) => {
    const page = await visit();
    await page.locator(`input[value=${wire}]`).check({ force: true });
    await ask(page, SHORT);

    await stateOf(page, 'completed');
    await frame(page, end);
    expect(await textOf(page, 1)).toBe(answerTo(SHORT));
    await page.check('#fail');
    await ask(page, SHORT);

    await page.locator('.exchange:nth-child(2)[data-state=failed]').waitFor();
    await frame(page, failure);
  });

  it('goes on in another protocol, and can be read again when it is over', async () => {
    const page = await visit();
    await ask(page, LONG);
    const before = await textOf(page, 200);

    await page.locator('input[value=openai]').check({ force: true });

    await frame(page, /"chat\.completion\.chunk"/);
    expect((await textOf(page, 1)).startsWith(before)).toBe(true);
    await page.keyboard.press('Escape');
    await stateOf(page, 'stopped');
    await frame(page, /"code":"stopped"/);
    await page.locator('input[value=plain]').check({ force: true });
    await frame(page, /^event: stream\.end\ndata: \{"reason":"stopped"/);
  });

  it('is text, whatever its model writes: none of it becomes an element of the page', async () => {
    const page = await visit();
    await page.fill('#question', '<img src=x onerror=alert(1)>');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.type('<b>two</b> [a](data:text/html,x)');
    await page.keyboard.press('Enter');

    await page.locator('.text p', { hasText: '<img src=x' }).waitFor();

    expect(await page.locator('.thread :is(img, b, a)').count()).toBe(0);
    expect(await page.locator('.exchange .question').textContent()).toMatch(/^<img .*>\n<b>two<\/b>/);
  });

  it('is kept in view on a phone, until the reader scrolls up', async () => {
    const page = await visit({ viewport: PHONE });
    const hiddenPx = (): Promise<number> =>
      page.evaluate(() => {
        const [thread, box] = ['thread', 'ask'].map((id) => document.getElementById(id)!.getBoundingClientRect());
        return Math.round(thread!.bottom - box!.top);
      });
    await ask(page, LONG);
    await textOf(page, 700);
    expect(await hiddenPx()).toBeLessThanOrEqual(1);

    await page.mouse.move(200, 400);
    await page.mouse.wheel(0, -300);
    await page.locator('#follow:visible').waitFor();
    const scrolledTo = await page.evaluate(() => scrollY);
    await textOf(page, 900);
    expect(await page.evaluate(() => scrollY)).toBe(scrolledTo);

    await page.click('#follow');
    expect(await hiddenPx()).toBeLessThanOrEqual(1);
  });

  it('is refused without a question, and is not found where there is none', async () => {
    const page = await visit();

    const refused = await postQuestion(page, { text: ' ' });

    expect([refused.status, await refused.json()]).toEqual([
      400,
      expect.objectContaining({ message: '"text" must be a text of 1 to 2000 characters' }),
    ]);
    for (const path of ['x', 'x/ai-sdk', 'x/openai']) {
      const response = await fetch(`${pathOf(page)}/answers/${path}`);
      expect(response.status).toBe(404);
    }
  });
});

describe('conversations', () => {
  it('are apart, each with its address, and are in the list of every window', async () => {
    const page = await visit();
    await ask(page, SHORT);
    await stateOf(page, 'completed');
    const first = page.url();
    await page.click('#new');
    await page.locator('#start:visible').waitFor();
    expect(page.url()).not.toBe(first);
    await page.fill('#question', 'What is a fjord?');
    await page.keyboard.press('Enter');
    await textOf(page, 10);

    await page.locator('#chats a', { hasText: SHORT }).first().click();

    await stateOf(page, 'completed');
    expect(await page.locator('.exchange .question').allTextContents()).toEqual([SHORT]);
    await page.goBack();
    await page.locator('h1', { hasText: 'What is a fjord?' }).waitFor();
    const other = await visit();
    await other.locator('#chats a', { hasText: 'What is a fjord?' }).waitFor();
  });
});

async function visit(options: Parameters<typeof browser.newContext>[0] = { viewport: DESKTOP }): Promise<Page> {
  const context: BrowserContext = await browser.newContext(options);
  const page = await browser.newPage(context);
  await page.goto(`${served.origin}/answers`);
  await page.locator('#send:enabled').waitFor();
  return page;
}

async function ask(page: Page, question: string): Promise<void> {
  await page.locator('#send:enabled').waitFor();
  await page.fill('#question', question);
  await page.keyboard.press('Enter');
}

/** What the last answer says, as soon as it is so long. */
async function textOf(page: Page, least: number): Promise<string> {
  const text = await page.waitForFunction((length) => {
    const { textContent = '' } = document.querySelector('.exchange:last-child .text') ?? {};
    return textContent.length >= length && textContent;
  }, least);
  return (await text.jsonValue()) as string;
}

function stateOf(page: Page, state: string): Promise<void> {
  return page.locator(`.exchange[data-last][data-state=${state}]`).waitFor();
}

/** Waits until there is such a frame on the wire. */
async function frame(page: Page, pattern: RegExp): Promise<void> {
  await page.waitForFunction(
    ([source]) => {
      const frames = Array.from(document.querySelectorAll('#frames li'), ({ textContent }) => textContent);
      return frames.some((text) => new RegExp(source!, 'm').test(text));
    },
    [pattern.source],
  );
}

function pathOf(page: Page): string {
  return `${served.origin}/api/chats/${new URL(page.url()).searchParams.get('chat')}`;
}

function postQuestion(page: Page, body: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(`${pathOf(page)}/questions`, { method: 'POST', headers, body: JSON.stringify(body) });
}

async function eventsOf(page: Page): Promise<{ type: string; data: any }[]> {
  const { events } = (await (await fetch(`${pathOf(page)}/state`)).json()) as { events: { type: string; data: any }[] };
  return events;
}
