import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Server } from 'node:http';
import type { BrowserContext, Page } from 'playwright-core';
import { until } from '../support/until.js';
import { useApp, useBrowser } from './support.js';
import type {} from './pages/use-chat.js';
import { TestChats, createChatApp } from './use-chat-app.js';

/** What the console says of a connection that was lost. */
const LOST = /ERR_(INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET|EMPTY_RESPONSE)/;
const SECRET = 'connect ECONNREFUSED 10.0.0.7:5432';

jest.setTimeout(60_000);

const chats = new TestChats();
const browser = useBrowser();
const served = useApp(() => createChatApp(chats));
let id: string;
let number = 0;

beforeEach(() => {
  id = `chat-${number++}`;
});

describe('useChat with a run, both as in docs/answers.md', () => {
  it('shows an answer as it is written', async () => {
    const page = await visit();
    await ask(page);

    for (const [word, text] of [
      ['Because ', 'Because '],
      ['air ', 'Because air '],
      ['scatters ', 'Because air scatters '],
    ] as const) {
      chats.say(word);
      await shows(page, ['Why?', text]);
    }
    chats.say('blue.');
    chats.finish();

    await shows(page, ['Why?', 'Because air scatters blue.']);
    await isIdle(page);
  });

  it('shows it whole, each word once, where the page is loaded again in the middle of it, and behind it', async () => {
    const page = await visit();
    await ask(page);
    const { begun } = chats;
    chats.say('Because ', 'air ');
    await shows(page, ['Why?', 'Because air ']);

    const reloading = page.reload();
    chats.say('scatters ');
    await reloading;
    await shows(page, ['Why?', 'Because air scatters ']);
    chats.say('blue.');
    chats.finish();

    await shows(page, ['Why?', 'Because air scatters blue.']);
    await isIdle(page);
    expect(chats.begun).toBe(begun);
    await until(() => chats.saved.get(id)?.length === 2, 'the answer to be saved');
    await page.reload();
    await shows(page, ['Why?', 'Because air scatters blue.']);
  });

  it('shows it on a second page as it is written', async () => {
    const page = await visit();
    await ask(page);
    chats.say('Because ');
    await shows(page, ['Why?', 'Because ']);

    const second = await visit(page.context());
    await shows(second, ['Why?', 'Because ']);
    chats.say('air ');
    await Promise.all([page, second].map((each) => shows(each, ['Why?', 'Because air '])));
    chats.say('scatters blue.');
    chats.finish();

    await Promise.all([page, second].map((each) => shows(each, ['Why?', 'Because air scatters blue.'])));
    await Promise.all([page, second].map((each) => isIdle(each)));
  });

  it('reads on where the connection was lost: when it is told to, or by itself where it has resumed before', async () => {
    const page = await visit();
    await ask(page);
    chats.say('Because ');
    const second = await visit(page.context());
    const both = [page, second];
    await Promise.all(both.map((each) => shows(each, ['Why?', 'Because '])));

    (served.app.getHttpServer() as Server).closeAllConnections();
    await Promise.all(both.map((each) => each.locator('[role=alert]').waitFor()));
    chats.say('air ');
    await page.click('text=Read on');
    await second.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));

    await Promise.all(both.map((each) => shows(each, ['Why?', 'Because air '])));
    chats.say('scatters blue.');
    chats.finish();
    await Promise.all(both.map((each) => shows(each, ['Why?', 'Because air scatters blue.'])));
    await Promise.all(both.map((each) => isIdle(each)));
    expect(await Promise.all(both.map((each) => each.locator('[role=alert]').count()))).toEqual([0, 0]);
  });

  it.each([
    ['before its first word', ''],
    ['in the middle', 'Because '],
  ])('stops the model %s, and can ask again', async (_where, said) => {
    const page = await visit();
    await ask(page);
    chats.say(said);
    await shows(page, ['Why?', said]);
    const { signal } = chats;
    expect(signal!.aborted).toBe(false);

    await page.click('text=Stop');

    await until(() => signal!.aborted, 'the model to be stopped');
    await isIdle(page);
    await shows(page, ['Why?', said]);
    await until(() => chats.saved.get(id)?.length === 2, 'what there is of the answer to be saved');
    await ask(page);
    chats.say('Once ', 'more.');
    chats.finish();
    await shows(page, ['Why?', said, 'Why?', 'Once more.']);
    await isIdle(page);
  });

  it.each([
    ['the model fails', 'The model has failed', ['Because ']],
    ['the run fails', 'The stream was ended by an error on the server', []],
  ])('tells an error when %s, without its text, and can ask again', async (what, told, words) => {
    const page = await visit();
    if (what === 'the model fails') {
      await ask(page);
      chats.say(...words);
      await shows(page, ['Why?', ...words]);
      chats.fail(new Error(SECRET));
    } else {
      chats.refusal = new Error(SECRET);
      await page.click('text=Ask');
    }

    await page.locator('[role=alert]', { hasText: told }).waitFor();

    await page.waitForFunction(() => window.wire.length === 1);
    const wire = await page.evaluate(() => window.wire.join());
    expect(wire).toContain(`{"type":"error","errorText":"${told}"}`);
    expect(wire + (await page.content())).not.toContain(SECRET);
    await isIdle(page);
    chats.refusal = undefined;
    await ask(page);
    chats.say('Now.');
    chats.finish();
    await shows(page, ['Why?', ...words, 'Why?', 'Now.']);
    await isIdle(page);
    expect(await page.locator('[role=alert]').count()).toBe(0);
  });
});

async function visit(context?: BrowserContext): Promise<Page> {
  const page = await browser.newPage(context ?? (await browser.newContext()), [LOST]);
  await page.goto(`${served.origin}/chats/${id}`);
  return page;
}

/** Asks, and waits until the model is about to answer. */
async function ask(page: Page): Promise<void> {
  const { begun } = chats;
  await page.click('text=Ask');
  await until(() => chats.begun > begun, 'the model to be asked');
}

/** Waits until these are the messages. */
async function shows(page: Page, expected: readonly string[]): Promise<void> {
  await page.waitForFunction(
    (wanted) =>
      JSON.stringify([...document.querySelectorAll('p:not([role])')].map((each) => each.textContent)) === wanted,
    JSON.stringify(expected),
  );
}

/** Waits until nothing is going on that could be stopped. */
function isIdle(page: Page): Promise<void> {
  return page.locator('text=Stop').waitFor({ state: 'detached' });
}
