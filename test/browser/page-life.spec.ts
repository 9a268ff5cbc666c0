import { describe, expect, it, jest } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/until.js';
import { BEAT_MS, LifeTopic, closeIn, createLifeApp, followedIn, hasGot, isIn, openIn } from './life-app.js';
import type { Followed } from './life-app.js';
import { type RawPage, useRawBrowser } from './raw-browser.js';
import { useApp } from './support.js';

jest.setTimeout(120_000);

const chromium = useRawBrowser();
const server = useApp(createLifeApp);

declare const followed: Followed & { readonly stream: { readonly lastEventId: string } };
declare const sse: { openStream(url: string, options: object): { subscribe(listener: (state: object) => void): void } };
declare function note(stream: unknown): void;
declare function readPlainly(url: string): Promise<void>;

let topics = 0;

async function visit(): Promise<[RawPage, LifeTopic]> {
  const topic = new LifeTopic(server.app, `life-${++topics}`);
  return [await chromium.browser.open(await chromium.browser.newContext(), `${server.origin}/page`), topic];
}

/** Opens a stream in a page, and waits until it is open. */
async function follow(kind: 'openStream' | 'shareStream' = 'openStream'): Promise<[RawPage, LifeTopic]> {
  const [page, topic] = await visit();
  await openIn(page, kind, topic.name);
  await isIn(page, 'open');
  return [page, topic];
}

/** The page has all events from the first, each once. */
async function isWhole(page: RawPage, topic: LifeTopic): Promise<void> {
  await hasGot(page, topic.count);
  const { got } = await followedIn(page);
  expect(got).toEqual(Array.from({ length: topic.count }, (_, at) => at + 1));
  await until(() => topic.open.length === 1, 'one connection');
}

/** The page goes elsewhere and comes back as it was. */
async function goAway(page: RawPage, awayMs: number): Promise<void> {
  await page.evaluate(() => {
    addEventListener('pageshow', ({ persisted }) => Object.assign(globalThis, { persisted }));
  });
  await page.goto('about:blank');
  await delay(awayMs);
  await page.evaluate(() => setTimeout(() => history.back()));
  await page.until(() => 'followed' in globalThis);
  expect(await page.evaluate(() => (globalThis as unknown as { persisted?: boolean }).persisted)).toBe(true);
}

describe.each(['openStream', 'shareStream'] as const)('what %s gives a page', (kind) => {
  it('is whole when the page was frozen while events came, behind which a plain fetch gets nothing more', async () => {
    const [page, topic] = await follow(kind);
    await page.evaluate((url) => void readPlainly(url), `/events/${topic.name}`);
    await until(() => topic.open.length === 2, 'the plain fetch');
    let before;
    {
      await using _ = topic.flow(50);
      await page.until(() => followed.plain > 500);
      await page.setFrozen(true);
      await until(() => topic.open.length === 1, 'the connection to be let go of');
      await delay(kind === 'openStream' ? 5_000 : 1_500);
      await page.setFrozen(false);
      await hasGot(page, topic.count);
      before = await followedIn(page);
      await delay(1_000);
    }

    await hasGot(page, topic.count);
    const after = await followedIn(page);
    expect(after.got).toEqual(Array.from({ length: topic.count }, (_, at) => at + 1));
    expect(after.got.length).toBeGreaterThan(before.got.length);
    expect(after.plain).toBe(before.plain);
    expect(topic.seen).toHaveLength(3);
  });

  it('is whole when the page was frozen while nothing came', async () => {
    const [page, topic] = await follow(kind);
    await topic.publish();
    await hasGot(page, 1);
    await page.setFrozen(true);
    await until(() => topic.open.length === 0, 'the connection to be let go of');
    await page.setFrozen(false);
    await isIn(page, 'open');
    await topic.publish();

    await isWhole(page, topic);
    expect((await followedIn(page)).states.filter((state) => /waiting|closed/.test(state))).toEqual([]);
  });

  it('is whole when the page was left and come back to, out of the back/forward cache', async () => {
    const [page, topic] = await follow(kind);
    {
      await using _ = topic.flow(50);
      await until(() => topic.count > 5, 'events');
      await goAway(page, 700);
      await until(() => topic.seen.length === 2, 'another connection');
      await isIn(page, 'open');
    }

    await isWhole(page, topic);
    expect(topic.seen).toHaveLength(2);
    expect((await followedIn(page)).states.filter((state) => /waiting|closed/.test(state))).toEqual([]);
  });

  it('is whole when the page was hidden, on one connection', async () => {
    const [page, topic] = await follow(kind);
    await page.send('Emulation.setFocusEmulationEnabled', { enabled: false });
    const { windowId } = await chromium.browser.send('Browser.getWindowForTarget', { targetId: page.targetId });
    await chromium.browser.send('Browser.setWindowBounds', { windowId, bounds: { windowState: 'minimized' } });
    await page.until(() => document.hidden);
    {
      await using _ = topic.flow(50);
      await delay(1_000);
    }

    await isWhole(page, topic);
    expect(topic.seen).toHaveLength(1);
  });

  it('is whole when the device was offline', async () => {
    const [page, topic] = await follow(kind);
    {
      await using _ = topic.flow(50);
      await page.setOffline(true);
      topic.open[0]!.connection.close({ reconnect: true });
      await page.until(() => followed.states.some((state) => state.startsWith('waiting network')));
      expect(await page.evaluate(() => navigator.onLine)).toBe(false);
      await page.setOffline(false);
      await isIn(page, 'open');
    }

    await isWhole(page, topic);
  });

  it('goes on after pagehide when pageshow says that the page was not kept', async () => {
    const [page, topic] = await follow(kind);

    await page.evaluate(() => void dispatchEvent(new PageTransitionEvent('pagehide')));
    await until(() => topic.open.length === 0, 'the connection to be let go of');
    await page.evaluate(() => void dispatchEvent(new PageTransitionEvent('pageshow', { persisted: false })));
    await isIn(page, 'open');
    await topic.publish();

    await isWhole(page, topic);
  });
});

describe('openStream', () => {
  it('calls nobody when the page is reloaded, and goes on behind it', async () => {
    const [page, topic] = await visit();
    const open = (): Promise<void> =>
      page.evaluate((url) => {
        const kept = JSON.parse(sessionStorage.getItem('kept') ?? '{"got":[]}') as { got: number[]; place?: string };
        const stream = sse.openStream(url, { lastEventId: kept.place });
        note(stream);
        (followed.got as unknown[]).unshift(...kept.got);
        let isLeft = false;
        stream.subscribe((state) => isLeft && sessionStorage.setItem('called', JSON.stringify(state)));
        addEventListener('pagehide', () => {
          isLeft = true;
          sessionStorage.setItem('kept', JSON.stringify({ got: followed.got, place: followed.stream.lastEventId }));
        });
      }, `/events/${topic.name}`);
    await open();
    await isIn(page, 'open');
    {
      await using _ = topic.flow(50);
      for (let round = 0; round < 3; round++) {
        await hasGot(page, topic.count);
        await page.evaluate(() => void Object.assign(globalThis, { isOld: true }));
        await page.send('Page.reload');
        await page.until(() => !('isOld' in globalThis) && document.readyState === 'complete');
        await open();
        await isIn(page, 'open');
      }
    }

    await isWhole(page, topic);
    expect(await page.evaluate(() => sessionStorage.getItem('called'))).toBeNull();
  });

  it('keeps its connection when the page stands still while events come', async () => {
    const [page, topic] = await follow();
    {
      await using _ = topic.flow(50);
      await page.evaluate((ms) => {
        for (const end = performance.now() + ms; performance.now() < end;);
      }, 10 * BEAT_MS);
      await hasGot(page, topic.count);
    }

    await isWhole(page, topic);
    expect(topic.seen).toHaveLength(1);
    await closeIn(page);
  });

  it('ends a long wait when somebody looks at the page, once in 2 s', async () => {
    const [page] = await visit();
    const [requests, looks] = await page.evaluate(async () => {
      const at: number[] = [];
      const fetch = (): Promise<never> => {
        at.push(performance.now());
        return Promise.reject(new TypeError('down'));
      };
      const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
      const look = (): number => {
        document.dispatchEvent(new Event('visibilitychange'));
        return performance.now();
      };
      sse.openStream('/nowhere', { fetch, retryInterval: 30_000 });
      await wait(200);
      const seen = [look()];
      await wait(300);
      for (let n = 0; n < 15; n++, await wait(100)) seen.push(look());
      await wait(800);
      return [at, seen] as const;
    });

    expect(requests).toHaveLength(3);
    expect(requests[1]! - looks[0]!).toBeLessThan(200);
    expect(requests[2]! - requests[1]!).toBeGreaterThanOrEqual(1_990);
  });
});
