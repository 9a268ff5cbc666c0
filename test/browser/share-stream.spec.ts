import { describe, expect, it, jest } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/until.js';
import { LifeTopic, closeIn, closeSharedIn, createLifeApp, followedIn, hasGot, isIn, openIn } from './life-app.js';
import { type RawPage, useRawBrowser } from './raw-browser.js';
import { useApp } from './support.js';

jest.setTimeout(120_000);

// A page on plain http: of another host has no locks.
const chromium = useRawBrowser(['--host-resolver-rules=MAP plain.test 127.0.0.1', '--renderer-process-limit=40']);
const server = useApp(createLifeApp);

let topics = 0;

/** The tabs of one browser, with one topic. */
class Tabs {
  readonly topic = new LifeTopic(server.app, `tabs-${++topics}`);
  readonly pages = new Map<string, RawPage>();
  /** How many events there were when a tab was open. */
  readonly joinedAt = new Map<string, number>();
  #count = 0;

  private constructor(
    readonly context: string,
    readonly origin: string,
  ) {}

  static async open(count: number, origin = server.origin): Promise<Tabs> {
    const tabs = new Tabs(await chromium.browser.newContext(), origin);
    const pages = await Promise.all(Array.from({ length: count }, () => tabs.visit()));
    await Promise.all(pages.map((tab) => tabs.join(tab)));
    return tabs;
  }

  async visit(): Promise<string> {
    const tab = `tab-${++this.#count}`;
    this.pages.set(tab, await chromium.browser.open(this.context, `${this.origin}/page`));
    return tab;
  }

  async join(tab: string): Promise<void> {
    const page = this.pages.get(tab)!;
    await openIn(page, 'shareStream', this.topic.name, tab);
    await isIn(page, 'open');
    this.joinedAt.set(tab, this.topic.count);
  }

  async close(): Promise<void> {
    await chromium.browser.closeContext(this.context);
  }

  async add(): Promise<void> {
    await this.join(await this.visit());
  }

  /** The tab that has the connection, once that is one. */
  async leader(): Promise<[string, RawPage]> {
    await until(() => this.topic.open.length === 1 && this.pages.has(this.topic.open[0]!.tab), 'one connection');
    const { tab } = this.topic.open[0]!;
    return [tab, this.pages.get(tab)!];
  }

  /** Says of each tab how its sequence is not that of all events since it was open; nothing when all are. */
  async faults(): Promise<string[]> {
    const { count } = this.topic;
    const faults = [];
    for (const [tab, page] of this.pages) {
      await hasGot(page, count);
      const { got } = await followedIn(page);
      const first = Number(got[0]);
      const wanted = Array.from({ length: count - first + 1 }, (_, at) => first + at);
      if (got.join() !== wanted.join()) faults.push(`${tab}: ${got.join()}`);
      if (first > this.joinedAt.get(tab)! + 1) faults.push(`${tab} began at ${first}, not ${this.joinedAt.get(tab)}`);
    }
    return faults;
  }
}

describe('the tabs of a browser', () => {
  it('that are opened at once have one connection', async () => {
    for (let round = 0; round < 3; round++) {
      const tabs = await Tabs.open(5);
      await tabs.topic.publish();
      for (const page of tabs.pages.values()) await hasGot(page, 1);

      await until(() => tabs.topic.open.length === 1, '1 connections');
      expect(await tabs.faults()).toEqual([]);
      await tabs.close();
    }
  });

  it('have one connection and lose nothing, whatever becomes of the one that holds it', async () => {
    const tabs = await Tabs.open(10);
    const { topic } = tabs;
    const gone = async (act: (page: RawPage) => Promise<unknown>): Promise<void> => {
      const [tab, page] = await tabs.leader();
      tabs.pages.delete(tab);
      await act(page);
      await tabs.add();
    };
    const kinds: Record<string, () => Promise<void>> = {
      close: () => gone(closeIn),
      'close the page': () => gone((page) => page.close()),
      navigate: () => gone((page) => page.goto('about:blank')),
      crash: () => gone((page) => page.crash()),
      freeze: async () => {
        const [tab, page] = await tabs.leader();
        await page.setFrozen(true);
        await until(() => topic.open.length === 1 && topic.open[0]!.tab !== tab, 'another leader');
        await delay(500);
        await page.setFrozen(false);
        await isIn(page, 'open');
      },
      hang: async () => {
        const [tab, page] = await tabs.leader();
        const hung = page.evaluate(() => {
          for (const end = performance.now() + 6_000; performance.now() < end;);
        });
        await until(() => topic.open.some((open) => open.tab !== tab), 'another leader');
        await hung;
      },
    };

    {
      await using _ = topic.flow(50);
      for (let round = 0; round < 5; round++)
        for (const [kind, act] of Object.entries(kinds)) {
          if (kind === 'hang' && round > 1) continue;
          await act();
          await tabs.leader();
        }
    }

    expect(await tabs.faults()).toEqual([]);
    await until(() => topic.open.length === 1, '1 connections');
  });

  it('have a connection each where there are no locks', async () => {
    const tabs = await Tabs.open(3, server.origin.replace('127.0.0.1', 'plain.test'));
    {
      await using _ = tabs.topic.flow(50);
      await until(() => tabs.topic.open.length === 3, '3 connections');
      for (const page of tabs.pages.values()) expect(await page.evaluate(() => isSecureContext)).toBe(false);
      tabs.topic.open[0]!.connection.close({ reconnect: true });
      await until(() => tabs.topic.seen.length === 4, '4 connections');
    }

    expect(await tabs.faults()).toEqual([]);
    await closeSharedIn([...tabs.pages.values()][0]!);
    await until(() => tabs.topic.open.length === 0, '0 connections');
  });

  it('have none a second after a user has logged out in one of them', async () => {
    const tabs = await Tabs.open(4);
    await until(() => tabs.topic.open.length === 1, '1 connections');
    const begun = performance.now();

    await closeSharedIn([...tabs.pages.values()][0]!);
    await until(() => tabs.topic.open.length === 0, '0 connections');

    expect(performance.now() - begun).toBeLessThan(1_000);
    for (const page of tabs.pages.values()) await isIn(page, 'closed aborted');
    expect(tabs.topic.open).toEqual([]);
  });
});
