import { describe, expect, it, jest } from '@jest/globals';
import { readStream } from 'nestjs-event-stream/testing';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { until } from '../support/until.js';
import { useBrowser } from './support.js';

const SCREENSHOTS = '.cache/screenshots';
const VIEWPORTS = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
/** Building the package takes most of it, when its sources have changed. */
const START_DEADLINE_MS = 120_000;
const STOP_DEADLINE_MS = 20_000;
/** What Chromium says of the connection that a killed node has cut, and of what it asks while no node is there. */
const CUTS = [/ERR_INCOMPLETE_CHUNKED_ENCODING/, /ERR_EMPTY_RESPONSE/, /50[234]/];

jest.setTimeout(START_DEADLINE_MS + 60_000);

const browser = useBrowser();
const whenThere = process.env.REDIS_SERVER === '' ? it.skip : it;
const balancers = ['/usr/sbin/nginx', '/usr/bin/nginx'].some(existsSync) ? ['nginx', 'node'] : ['node'];

describe.each(balancers)('the cluster behind %s', (balancer) => {
  whenThere('loses no number and repeats none while the node that serves the page is killed, twice', async () => {
    await using cluster = await Cluster.start('--engine', 'redis', '--balancer', balancer);
    const page = await visit(cluster.origin);
    await has(page, '#presence', /^1$/);
    await has(page, '#answered', /^2 of 2 nodes answered$/);
    await has(page, '#engine', /^redis up$/);
    await has(page, '#verdict', / of 2 counts/);

    const served = [await killServing(page)];
    await page.click('#publish');
    await has(page, '#published', /^Node [ab] took it, and published its number \d+\.$/);
    await page.locator(`#${served[0]}[data-state=up]`).waitFor();
    served.push(await killServing(page), await servingNode(page));
    // Both have begun anew.
    await has(page, '#verdict', / of 4 counts/);
    const heard = await idsOf(page);
    const shown = await page.locator('#missing, #repeated, #hops, #verdict').allTextContents();
    await takeScreenshots(page);
    // Before there is no node any more, of which it would complain.
    await page.close();
    const log = await idsOfLog(cluster.origin, heard);
    const withoutNodes = await askWithoutNodes(cluster.origin);

    expect(shown).toEqual(['0', '0', '2', expect.stringMatching(/: none missing, none twice\.$/)]);
    expect(served[1]).not.toBe(served[0]);
    expect(served[2]).toBe(served[0]);
    expect(heard.slice(1)).toEqual(log);
    expect(withoutNodes).toEqual([200, 'text/event-stream', 'retry: 1000\n\n']);
  });
});

/** The example, as a user starts it, to be held with `await using`. */
class Cluster {
  readonly #runner: ChildProcess;
  #output = '';
  #hasEnded = false;

  private constructor(args: readonly string[]) {
    this.#runner = spawn(process.execPath, ['examples/cluster/run.mjs', '--port', '0', ...args], {
      // Jest's choice of colours makes Node warn.
      env: { ...process.env, FORCE_COLOR: undefined, NO_COLOR: undefined },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#runner.stdout, this.#runner.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    }
    this.#runner.once('close', () => (this.#hasEnded = true));
  }

  static async start(...args: readonly string[]): Promise<Cluster> {
    const cluster = new Cluster(args);
    await until(() => cluster.origin !== '' || cluster.#hasEnded, 'the cluster to start', START_DEADLINE_MS);
    if (cluster.#hasEnded) throw new Error(`The cluster has ended: ${cluster.#output}`);
    return cluster;
  }

  get origin(): string {
    return /http:\/\/localhost:\d+/.exec(this.#output)?.[0] ?? '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#runner.kill('SIGTERM');
    await until(() => this.#hasEnded, 'the cluster to end', STOP_DEADLINE_MS);
  }
}

async function visit(origin: string): Promise<Page> {
  const page = await browser.newPage(await browser.newContext({ viewport: VIEWPORTS.desktop }), CUTS);
  await page.goto(origin);
  return page;
}

async function takeScreenshots(page: Page): Promise<void> {
  for (const [device, viewport] of Object.entries(VIEWPORTS)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${SCREENSHOTS}/cluster-${device}-${colorScheme}.png`, fullPage: true });
    }
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(viewport.width);
  }
}

/** Kills the node that serves the page, waits for the hop, and answers its name. */
async function killServing(page: Page): Promise<string> {
  const node = await servingNode(page);
  await page.click(`#${node} button`);
  await page.locator(`#${node}[data-state=down]`).waitFor();
  await page.locator(`.node[data-serves]:not(#${node})`).waitFor();
  return node;
}

async function servingNode(page: Page): Promise<string> {
  return (await page.locator('.node[data-serves]').getAttribute('id')) as string;
}

async function has(page: Page, selector: string, text: RegExp): Promise<void> {
  await page.locator(selector, { hasText: text }).waitFor();
}

/** The ids of the numbers that the page has heard, in order. */
async function idsOf(page: Page): Promise<string[]> {
  const ids = await page.locator('#log li:not(.hop) .dim:nth-child(3)').allTextContents();
  return ids.reverse();
}

/** The ids behind the first of these up to the last, as the log has them. */
async function idsOfLog(origin: string, heard: readonly string[]): Promise<string[]> {
  const [first, last] = [heard[0], heard.at(-1)];
  await using stream = await readStream(origin, '/api/numbers', { lastEventId: first });
  const events = await stream.until(({ type, id }) => type === 'number' && id === last);
  return events.filter(({ type }) => type === 'number').map(({ id }) => id);
}

/** Kills all nodes, and answers what an EventSource is told meanwhile: to come back. */
async function askWithoutNodes(origin: string): Promise<unknown[]> {
  for (const name of ['a', 'b']) await fetch(`${origin}/runner/nodes/${name}/kill`, { method: 'POST' });
  for (;;) {
    const response = await fetch(`${origin}/api/numbers`, { headers: { accept: 'text/event-stream' } });
    // A process that was killed listens for a moment longer.
    if (response.headers.get('x-content-type-options') !== null) await response.body?.cancel();
    else return [response.status, response.headers.get('content-type'), await response.text()];
  }
}
