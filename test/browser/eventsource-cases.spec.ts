import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import type { Init } from '../support/eventsource/bench.js';
import { CASES, nameOf } from '../support/eventsource/cases.js';
import { CasesServer } from '../support/eventsource/server.js';
import { bundleClient } from './client-bundle.js';
import { useBrowser } from './support.js';

const CASES_FILE = fileURLToPath(new URL('../support/eventsource/in-page.ts', import.meta.url));

/** What browsers say of streams that end in another way than they should. */
const EXPECTED = [/Failed to load resource/, /EventSource's response/, /CORS policy/, /net::ERR_/];

declare function runInPage(name: string, which: 'native' | 'ours', near: string, far: string): Promise<unknown>;

declare function heardInPage(url: string, init: Init, errors: number): Promise<string[]>;

jest.setTimeout(60_000);

const browser = useBrowser();
let server: CasesServer;
let scripts: string;
beforeAll(async () => {
  const { outputFiles } = await build({
    entryPoints: [CASES_FILE],
    bundle: true,
    format: 'iife',
    target: 'es2022',
    write: false,
  });
  scripts = `<script>${await bundleClient()}</script><script>${outputFiles[0]!.text}</script>`;
  server = await CasesServer.start(`<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">${scripts}`);
});
afterAll(() => server[Symbol.asyncDispose]());

describe.each([...new Set(CASES.map(({ section }) => section))])('%s', (section) => {
  const cases = CASES.filter((each) => each.section === section);

  it.each(['native', 'ours'] as const)('is kept by the %s class', async (which) => {
    const page = await openPage();
    const found: Record<string, unknown> = {};

    for (const each of cases) found[nameOf(each)] = await resultOf(page, nameOf(each), which);

    expect(found).toEqual(
      Object.fromEntries(cases.map((each) => [nameOf(each), each[which] ? each[which].does : each.expected])),
    );
  });
});

describe("the documents' options, across origins", () => {
  it('sends headers, also when it comes back', async () => {
    const page = await openPage();

    const heard = await page.evaluate(
      (url) => heardInPage(url, { headers: { authorization: 'Bearer 1' } }, 2),
      `${server.far}/cors?name=authorization`,
    );

    expect(heard).toEqual(['open', 'message||Bearer 1', 'error 0', 'open', 'message||Bearer 1', 'error 0']);
  });

  it('sends cookies with headers and credentials', async () => {
    const page = await openPage();

    const heard = await page.evaluate(
      (url) => heardInPage(url, { headers: { 'x-who': 'alice' }, withCredentials: true }, 1),
      `${server.far}/cors?name=cookie`,
    );

    expect(heard).toEqual(['open', 'message||who=alice', 'error 0']);
  });

  it('waits for retryInterval, until the stream says otherwise', async () => {
    const page = await openPage();

    const elapsedMs = await page.evaluate(async (url) => {
      const startedAt = performance.now();
      await heardInPage(url, { retryInterval: 2_000 }, 2);
      return performance.now() - startedAt;
    }, `${server.far}/cors?run=message`);

    expect(elapsedMs).toBeGreaterThan(1_990);
  });
});

it('says why, where the two are known to differ', () => {
  const reasons = CASES.flatMap(({ native, ours }) => [native, ours].filter((each) => each !== undefined));

  for (const { because } of reasons) expect(because).not.toBe('');
});

async function openPage(): Promise<Page> {
  const page = await browser.newPage(await browser.newContext(), EXPECTED);
  await page.goto(`${server.near}/page`);
  return page;
}

function resultOf(page: Page, name: string, which: 'native' | 'ours'): Promise<unknown> {
  return page.evaluate((given) => runInPage(given.name, given.which, given.near, given.far), {
    name,
    which,
    near: server.near,
    far: server.far,
  });
}
