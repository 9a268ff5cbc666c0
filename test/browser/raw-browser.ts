import { afterAll, beforeAll, expect } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

type Params = Record<string, unknown>;
type Result = Record<string, never> & {
  readonly targetId: string;
  readonly sessionId: string;
  readonly browserContextId: string;
  readonly windowId: number;
  readonly result: { readonly value?: unknown };
  readonly exceptionDetails?: { readonly exception?: { readonly description?: string }; readonly text: string };
};

interface Message {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Params;
  readonly result?: Result;
  readonly error?: { readonly message: string };
}

interface Sent {
  readonly sessionId: string | undefined;
  resolve(result: Result): void;
  reject(error: Error): void;
}

/** Chromium by its protocol alone: Playwright keeps every page visible and active, and takes pages out of the back/forward cache. */
export class RawBrowser {
  /** What pages have thrown. */
  readonly complaints: string[] = [];
  readonly #sent = new Map<number, Sent>();
  readonly #pages = new Map<string, RawPage>();
  #count = 0;

  private constructor(
    readonly child: ChildProcess,
    readonly folder: string,
  ) {
    let text = '';
    (child.stdio[4] as Readable).setEncoding('utf8').on('data', (chunk: string) => {
      const messages = (text += chunk).split('\0');
      text = messages.pop()!;
      for (const message of messages) this.#receive(JSON.parse(message) as Message);
    });
    (child.stdio[3] as Writable).on('error', () => undefined);
  }

  static async launch(args: readonly string[] = []): Promise<RawBrowser> {
    const folder = await mkdtemp(join(tmpdir(), 'raw-browser-'));
    const own = ['--headless=new', '--remote-debugging-pipe', '--no-sandbox', '--disable-gpu', '--disable-quic'];
    const quiet = ['--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
    const child = spawn(
      process.env.CHROMIUM ?? '/usr/bin/chromium',
      [...own, ...quiet, `--user-data-dir=${folder}`, ...args, 'about:blank'],
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
    );
    return new RawBrowser(child, folder);
  }

  /** Of pages that share what pages of one user share. */
  async newContext(): Promise<string> {
    const { browserContextId } = await this.send('Target.createBrowserContext');
    return browserContextId;
  }

  async closeContext(browserContextId: string): Promise<void> {
    await this.send('Target.disposeBrowserContext', { browserContextId });
  }

  async open(browserContextId: string, url: string): Promise<RawPage> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank', browserContextId });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new RawPage(this, targetId, sessionId);
    this.#pages.set(sessionId, page);
    for (const domain of ['Page', 'Runtime', 'Inspector', 'Network']) await page.send(`${domain}.enable`);
    await page.goto(url);
    return page;
  }

  send(method: string, params: Params = {}, sessionId?: string): Promise<Result> {
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      this.#sent.set(id, { sessionId, resolve, reject });
      (this.child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  async close(): Promise<void> {
    const over = once(this.child, 'exit');
    this.send('Browser.close').catch(() => undefined);
    await over;
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #receive({ id, sessionId, method, params, result, error }: Message): void {
    if (id !== undefined) {
      const sent = this.#sent.get(id);
      this.#sent.delete(id);
      if (error) sent?.reject(new Error(error.message));
      else sent?.resolve(result!);
    }
    if (method === 'Inspector.targetCrashed') this.#lose(sessionId!);
    if (method === 'Target.detachedFromTarget') this.#lose((params as { sessionId: string }).sessionId);
    if (method === 'Runtime.exceptionThrown') this.complaints.push(JSON.stringify(params));
  }

  /** Nothing that was asked of that page is answered. */
  #lose(sessionId: string): void {
    this.#pages.get(sessionId)?.lost();
    this.#pages.delete(sessionId);
    for (const [id, sent] of this.#sent) {
      if (sent.sessionId !== sessionId) continue;
      this.#sent.delete(id);
      sent.reject(new Error('The page is gone'));
    }
  }
}

export class RawPage {
  isGone = false;

  constructor(
    readonly browser: RawBrowser,
    readonly targetId: string,
    readonly sessionId: string,
  ) {}

  send(method: string, params: Params = {}): Promise<Result> {
    return this.browser.send(method, params, this.sessionId);
  }

  lost(): void {
    this.isGone = true;
  }

  /** Runs a function in the page, with what can be written as JSON. */
  async evaluate<T, Args extends unknown[]>(run: (...args: Args) => T, ...args: Args): Promise<Awaited<T>> {
    const expression = `(${String(run)})(...${JSON.stringify(args)})`;
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value as Awaited<T>;
  }

  /** Waits until a function says yes in the page; while it navigates there may be nobody to ask. */
  async until<Args extends unknown[]>(run: (...args: Args) => unknown, ...args: Args): Promise<void> {
    const deadline = performance.now() + 15_000;
    while (!(await this.evaluate(run, ...args).catch(() => this.isGone))) {
      if (performance.now() > deadline) throw new Error(`Waited 15 s for ${String(run)} of ${JSON.stringify(args)}`);
      await delay(20);
    }
  }

  async goto(url: string): Promise<void> {
    await this.send('Page.navigate', { url });
    await this.until((href) => location.href === href && document.readyState === 'complete', url);
  }

  async setFrozen(isFrozen: boolean): Promise<void> {
    await this.send('Page.setWebLifecycleState', { state: isFrozen ? 'frozen' : 'active' });
  }

  async setOffline(offline: boolean): Promise<void> {
    await this.send('Network.emulateNetworkConditions', {
      offline,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput: -1,
    });
  }

  async close(): Promise<void> {
    await this.browser.send('Target.closeTarget', { targetId: this.targetId });
  }

  async crash(): Promise<void> {
    this.send('Page.crash').catch(() => undefined);
    const deadline = performance.now() + 10_000;
    while (!this.isGone && performance.now() < deadline) await delay(5);
  }
}

/** Gives the tests of a file a browser. To be called before `useApp`, so that its pages are gone before the application closes. */
export function useRawBrowser(args?: readonly string[]): { readonly browser: RawBrowser } {
  let browser: RawBrowser | undefined;
  beforeAll(async () => void (browser = await RawBrowser.launch(args)));
  afterAll(async () => {
    expect(browser?.complaints).toEqual([]);
    await browser?.close();
  });
  return {
    get browser() {
      return browser!;
    },
  };
}
