import { describe, expect, it, jest } from '@jest/globals';
import { readStream } from 'nestjs-event-stream/testing';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { Program } from './program.js';
import { VIEWPORTS, expectToFit, useBrowser } from './support.js';

const RUN = 'examples/cluster/run.mjs';
/** What Chromium says of the connection that a killed node has cut, and of what it asks while no node is there. */
const CUTS = [/ERR_INCOMPLETE_CHUNKED_ENCODING/, /ERR_EMPTY_RESPONSE/, /50[234]/];

jest.setTimeout(180_000);

const browser = useBrowser();
const whenThere = process.env.REDIS_SERVER === '' ? it.skip : it;
const balancers = ['/usr/sbin/nginx', '/usr/bin/nginx'].some(existsSync) ? ['nginx', 'node'] : ['node'];

describe.each(balancers)('the cluster behind %s', (balancer) => {
  whenThere('loses no number and repeats none while the node that serves the page is killed, twice', async () => {
    await using cluster = await Program.start(RUN, {}, '--port', '0', '--engine', 'redis', '--balancer', balancer);
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
    await expectToFit(page, 'cluster-demo');
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

describe('an answer of the cluster', () => {
  whenThere(
    'is read at another node than the one that writes it, is interrupted with that one, and asked again',
    async () => {
      await using cluster = await Program.start(RUN, {}, '--port', '0', '--engine', 'redis', '--balancer', 'node');
      const page = await visit(cluster.origin);
      await page.click('#ask:enabled');
      await has(page, '#told', /^Node ([ab]) writes, and this page reads at node (?!\1)[ab]\.$/);
      const owner = await page.locator('#owner').textContent();
      await page.waitForFunction(() => document.getElementById('text')!.textContent.length > 100);

      await page.click('#kill-owner');

      await has(page, '#run-state', /^interrupted$/);
      await has(page, '#told', /^Interrupted: node [ab] is gone, and [\d.]+ s later every reader was told\./);
      const kept = await page.locator('#text').textContent();
      expect(kept!.length).toBeGreaterThan(100);
      await expectToFit(page, 'cluster-interrupted');
      await page.click('text=Ask again');
      await has(page, '#run-state', /^running$/);
      expect(await page.locator('#owner').textContent()).not.toBe(owner);
      await has(page, '#told', /^Complete, as node [ab] has written it\.$/);
      const whole = await page.locator('#text').textContent();
      expect(whole!.startsWith(kept!)).toBe(true);
      await page.reload();
      await has(page, '#run-state', /^completed$/);
      expect(await page.locator('#text').textContent()).toBe(whole);
    },
  );
});

describe('the page of the cluster in the showcase', () => {
  whenThere('says how to start it, and leads to it when it runs', async () => {
    await using cluster = await Program.start(RUN, {}, '--port', '0', '--engine', 'redis', '--balancer', 'node');
    await using showcase = await Program.start('scripts/start.mjs', { PORT: '0', CLUSTER_URL: cluster.origin });
    const page = await visit(`${showcase.origin}/cluster`);
    await page.locator('#running[data-tone=ok]').waitFor();
    await has(page, '#nodes', /node a is up\s*node b is up/);
    const [demo] = await Promise.all([page.waitForEvent('popup'), page.click('text=Open the cluster')]);
    await demo.locator('#verdict[data-tone=ok]').waitFor();
    await demo.close();

    await cluster.end();

    await has(page, '#running', /^It does not run\.$/);
    await has(page, '#start', /^npm run cluster$/);
  });
});

describe('npm run cluster', () => {
  it('says of a port that is taken how to choose another', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;

    const lines = await Program.linesOf(RUN, {}, '--port', String(port));
    server.close();

    expect(lines).toEqual([
      `Port ${port} is taken or may not be used. Another one: npm run cluster -- --port ${port + 1}`,
    ]);
  });
});

async function visit(origin: string): Promise<Page> {
  const page = await browser.newPage(await browser.newContext({ viewport: VIEWPORTS.desktop }), CUTS);
  await page.goto(origin);
  return page;
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
