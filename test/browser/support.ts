import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { type Browser, type BrowserContext, type BrowserContextOptions, type Page, chromium } from 'playwright-core';

/** The browser of one spec. What its pages complain about fails the test that they were opened in. */
export class TestBrowser {
  #browser: Browser | undefined;
  #complaints: string[] = [];

  newContext(options?: BrowserContextOptions): Promise<BrowserContext> {
    return this.#browser!.newContext(options);
  }

  /** Opens a tab. Its console may say what is expected, and nothing else. */
  async newPage(context: BrowserContext, expected: readonly RegExp[] = []): Promise<Page> {
    const page = await context.newPage();
    page.on('console', (message) => {
      const isExpected = expected.some((pattern) => pattern.test(message.text()));
      const isComplaint = message.type() === 'error' || message.type() === 'warning';
      if (isComplaint && !isExpected) this.#complaints.push(message.text());
    });
    page.on('pageerror', (error) => this.#complaints.push(error.message));
    return page;
  }

  async start(): Promise<void> {
    this.#browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
  }

  /** Closes all pages, and answers what they have complained about. */
  async reset(): Promise<string[]> {
    await Promise.all(this.#browser!.contexts().map((context) => context.close()));
    return this.#complaints.splice(0);
  }

  async stop(): Promise<void> {
    await this.#browser?.close();
  }
}

/** Gives the tests of a file a browser. To be called before `useApp`, so that its pages are gone before the application closes. */
export function useBrowser(): TestBrowser {
  const browser = new TestBrowser();
  beforeAll(() => browser.start());
  afterEach(async () => expect(await browser.reset()).toEqual([]));
  afterAll(() => browser.stop());
  return browser;
}

export const VIEWPORTS = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } } as const;

/** Fails when a page is wider than what it is seen on. Takes pictures of it, too, for who asks for them. */
export async function expectToFit(page: Page, name: string, { fullPage = true } = {}): Promise<void> {
  for (const [device, viewport] of Object.entries(VIEWPORTS)) {
    await page.setViewportSize(viewport);
    // What a page draws itself it draws anew a moment after its size has changed.
    await page
      .waitForFunction(() => document.documentElement.scrollWidth <= window.innerWidth, undefined, { timeout: 5_000 })
      .catch(() => undefined);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(viewport.width);
    for (const colorScheme of process.env.SCREENSHOTS ? (['light', 'dark'] as const) : []) {
      await page.emulateMedia({ colorScheme });
      await takePicture(page, `${name}-${device}-${colorScheme}`, { fullPage });
    }
  }
  await page.setViewportSize(VIEWPORTS.desktop);
  await page.emulateMedia({ colorScheme: null });
}

/** Only when asked to: `SCREENSHOTS=1 npm test -- jest test/browser`. Nothing looks at pictures, and each takes half a second. */
export async function takePicture(page: Page, name: string, { fullPage = true } = {}): Promise<void> {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `.cache/screenshots/${name}.png`, fullPage });
}

/** Gives the tests of a file an application that listens. */
export function useApp(create: () => Promise<INestApplication>): {
  readonly app: INestApplication;
  readonly origin: string;
} {
  let app: INestApplication | undefined;
  let origin = '';
  beforeAll(async () => {
    app = await create();
    await app.listen(0, '127.0.0.1');
    origin = await app.getUrl();
  });
  afterAll(() => app?.close());
  return {
    get app() {
      return app!;
    },
    get origin() {
      return origin;
    },
  };
}
