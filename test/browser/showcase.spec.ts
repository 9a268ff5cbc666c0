import { describe, expect, it, jest } from '@jest/globals';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { createApp } from '../../examples/showcase/app.js';
import { VIEWPORTS, takePicture, useApp, useBrowser } from './support.js';

const { desktop: DESKTOP, phone: PHONE } = VIEWPORTS;

jest.setTimeout(90_000);

const browser = useBrowser();
const served = useApp(createApp);

describe('the dashboard', () => {
  it('draws what the server samples', async () => {
    const page = await visit('/');

    await coverageOf(page, (samples) => samples >= 4);

    const painted = await page.evaluate(() => [...document.querySelectorAll('canvas')].map(countAccentPixels));
    expect(painted).toHaveLength(4);
    expect(Math.min(...painted)).toBeGreaterThan(0);
  });

  it('is full at once, because it starts to read two minutes back', async () => {
    const first = await visit('/');
    const { samples } = await coverageOf(first, (n) => n >= 8);

    const second = await visit('/');

    const seen = await coverageOf(second, () => true);
    expect(seen.samples).toBeGreaterThanOrEqual(samples);
  });

  it('shows how old it is while it is paused, and then has no gap: what came late is shaded and counted', async () => {
    const page = await visit('/');
    const before = await coverageOf(page, (n) => n >= 2);
    await page.click('#pause');
    await page.locator('#shown', { hasText: /^paused, as of \d\d:\d\d:\d\d$/ }).waitFor();
    await page.locator('#plots.old').waitFor();
    const other = await visit('/');
    await coverageOf(other, (n) => n >= before.samples + 6);

    await page.click('#pause');

    const after = await coverageOf(page, (n) => n >= before.samples + 6);
    expect(after.longestGap).toBeLessThan(1.5);
    const caughtUp = await textOf(page, '#caught-up', (text) => /^\d+ samples caught up in \d+ ms$/.test(text));
    expect(parseInt(caughtUp)).toBeGreaterThanOrEqual(3);
    const edges = await page.evaluate(() => [...document.querySelectorAll('canvas')].map(countShadedEdges));
    expect(Math.min(...edges)).toBeGreaterThan(100);
    await page.locator('#shown', { hasText: /^live$/ }).waitFor();
  });

  it('shows its first cards without scrolling', async () => {
    const page = await visit('/');

    const bottoms = await page
      .locator('.card')
      .evaluateAll((cards) => cards.map((card) => card.getBoundingClientRect().bottom));

    expect(Math.max(...bottoms)).toBeLessThanOrEqual(DESKTOP.height);
  });
});

describe('notifications', () => {
  it('reach the right user only, or everyone', async () => {
    const ada = await visit('/notifications?user=ada');
    const grace = await visit('/notifications?user=grace');
    await Promise.all([ada, grace].map((page) => page.locator('#state[data-state=open]').waitFor()));

    await post('/api/notifications', { to: 'ada', type: 'mention', text: 'for ada' });
    await post('/api/notifications', { type: 'announcement', text: 'for all' });

    // Both come over one ordered stream: had the first gone to grace, it would be there before the second.
    await Promise.all([ada, grace].map((page) => page.locator('#list li', { hasText: 'for all' }).waitFor()));
    expect(await ada.locator('#list li p').allTextContents()).toEqual(['for all', 'for ada']);
    expect(await grace.locator('#list li p').allTextContents()).toEqual(['for all']);
    expect(await ada.title()).toBe('(2) Notifications · nestjs-event-stream');
  });

  it('that were sent while a user was away are there when she comes back', async () => {
    const page = await visit('/notifications?user=linus');
    await page.locator('#state[data-state=open]').waitFor();
    await page.click('#letter button');
    await page.locator('#list li').waitFor();
    await page.click('#read');
    await page.click('text=Bench');
    await post('/api/notifications', { to: 'linus', type: 'reminder', text: 'while away' });

    await page.goBack();

    await page.locator('#list li', { hasText: 'while away' }).waitFor();
    expect(await page.locator('#unread').textContent()).toBe('1 unread');
  });

  it('say what is wrong with a name', async () => {
    const page = await visit('/notifications?user=a/b', { viewport: DESKTOP }, [/400/]);

    await page.locator('#notice[data-tone=trouble]', { hasText: '“a/b” cannot be a name. "user" must be' }).waitFor();
    expect(await page.locator('#empty').textContent()).toBe('There is no inbox of this name.');
  });

  it.each([
    [{ type: 'mention', text: 'x' }, '"to" must be'],
    [{ to: 'a/b', type: 'mention', text: 'x' }, '"to" must be'],
    [{ to: 'ada', type: 'stream.end', text: 'x' }, '"type" must be one of'],
    [{ to: 'ada', type: 'mention', text: '' }, '"text" must be'],
  ])('are refused with a reason: %j', async (body, reason) => {
    const response = await post('/api/notifications', body);

    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ message: expect.stringContaining(reason) });
  });
});

describe('the bench', () => {
  it('misses nothing that was published while it was away', async () => {
    // What the browser says of a destroyed socket is wanted here, once for each of the two streams.
    const page = await visit('/bench', { viewport: DESKTOP }, [/ERR_INCOMPLETE_CHUNKED_ENCODING/]);
    await page.locator('#state[data-state=open]').waitFor();
    await page.click('#one');
    await page.click('#burst');
    await verdictOf(page, 51);

    await page.click('#end');
    expect(await verdictOf(page, 56)).toBe('1 to 56: none missing, none twice, in order.');

    await page.click('#destroy');
    expect(await verdictOf(page, 61)).toBe('1 to 61: none missing, none twice, in order.');

    await page.click('#close');
    await page.click('#burst');
    await page.click('#reopen');
    expect(await verdictOf(page, 111)).toBe('1 to 111: none missing, none twice, in order.');
    expect(await page.locator('#opened').textContent()).toBe('4');
  });

  it('knows its place before the first event', async () => {
    const page = await visit('/bench');
    await page.locator('#raw', { hasText: 'id: ' }).waitFor();
    await page.click('#close');
    await page.click('#burst');

    await page.click('#reopen');

    expect(await verdictOf(page, 50)).toBe('1 to 50: none missing, none twice, in order.');
  });

  it('shows the raw frames: retry, ids, and the goodbye', async () => {
    const page = await visit('/bench');
    await page.locator('#raw', { hasText: 'retry: 1500' }).waitFor();
    await page.click('#one');
    await page.locator('#raw', { hasText: 'data: {"n":1}' }).waitFor();

    await page.click('#end');

    await page.locator('#raw', { hasText: 'event: stream.end' }).waitFor();
    await page.locator('#raw', { hasText: 'data: {"n":6}' }).waitFor();
  });

  it('stops for good when a source has completed', async () => {
    const page = await visit('/bench');
    const statuses: number[] = [];
    page.on('response', (response) => {
      if (response.url().endsWith('/countdown')) statuses.push(response.status());
    });

    await page.click('#countdown');

    await page.locator('#finite', { hasText: '2 CLOSED' }).waitFor();
    expect(statuses).toEqual([200, 204]);
    expect(
      (await page.locator('#finite li').allTextContents()).filter((row) => row.startsWith('countdown')),
    ).toHaveLength(5);
  });
});

const VIEWS: Record<string, { path: string; prepare: (page: Page) => Promise<unknown> }> = {
  dashboard: { path: '/', prepare: (page) => coverageOf(page, (n) => n >= 10) },
  'answers-empty': { path: '/answers', prepare: (page) => page.locator('#start:visible').waitFor() },
  answers: {
    path: '/answers',
    prepare: async (page) => {
      await page.click('#ideas li:nth-child(2) button');
      await page.locator('.exchange pre').waitFor();
    },
  },
  'notifications-empty': {
    path: '/notifications?user=nobody',
    prepare: (page) => page.locator('#state[data-state=open]').waitFor(),
  },
  notifications: {
    path: '/notifications?user=hedy',
    prepare: async (page) => {
      await page.locator('#state[data-state=open]').waitFor();
      await post('/api/notifications', {
        to: 'hedy',
        type: 'mention',
        text: 'Ada asks whether you have seen the new plots',
      });
      await page.locator('#list li').waitFor();
      await page.click('#read');
      await post('/api/notifications', { to: 'hedy', type: 'reminder', text: 'Frequency hopping review at 15:00' });
      await post('/api/notifications', {
        type: 'announcement',
        text: 'The server is updated at noon; your streams will resume',
      });
      await page.locator('#list li').nth(2).waitFor();
    },
  },
  bench: {
    path: '/bench',
    prepare: async (page) => {
      await page.locator('#state[data-state=open]').waitFor();
      await page.click('#burst');
      await verdictOf(page, 50);
      await page.click('#end');
      await verdictOf(page, 55);
      await page.click('#countdown');
      await page.locator('#finite', { hasText: 'stream.end' }).waitFor();
    },
  },
  client: {
    path: '/client',
    prepare: async (page) => {
      await page.locator('#strip .live').first().waitFor();
      await page.click('[data-do=shutdown]');
      await page.locator('#phase', { hasText: 'waiting' }).waitFor();
    },
  },
  cluster: { path: '/cluster', prepare: (page) => page.locator('#running', { hasText: /^It/ }).waitFor() },
};

describe.each(Object.entries(VIEWS))('the view %s', (name, { path, prepare }) => {
  it.each([
    ['desktop', DESKTOP],
    ['phone', PHONE],
  ] as const)('fits a %s, in light and in dark', async (device, viewport) => {
    const page = await visit(path, { viewport });
    await prepare(page);

    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await takePicture(page, `${name}-${device}-${colorScheme}`);

      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(viewport.width);
      expect(await tooSmallToTouch(page)).toEqual([]);
      expect(await unreadable(page)).toEqual([]);
    }
    expect(await page.locator('h1').count()).toBe(1);
    expect(
      await page
        .locator('input, select')
        .evaluateAll((all) => all.filter((el) => !(el as HTMLInputElement).labels?.length)),
    ).toEqual([]);
  });
});

/** Opens a page of its own context, and listens for whatever goes wrong in it. */
async function visit(
  path: string,
  options: BrowserContextOptions = { viewport: DESKTOP },
  expected: readonly RegExp[] = [],
): Promise<Page> {
  const context = await browser.newContext(options);
  await context.addInitScript(() => {
    const count = (canvas: HTMLCanvasElement, colour: readonly number[]): number => {
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      let found = 0;
      for (let i = 0; i < data.length; i += 4) if (colour.every((value, n) => data[i + n] === value)) found++;
      return found;
    };
    Object.assign(window, {
      countAccentPixels: (canvas: HTMLCanvasElement) => count(canvas, [15, 110, 98]),
      countShadedEdges: (canvas: HTMLCanvasElement) => count(canvas, [138, 82, 0]),
    });
  });
  const page = await browser.newPage(context, expected);
  await page.goto(served.origin + path);
  return page;
}

declare function countAccentPixels(canvas: HTMLCanvasElement): number;
declare function countShadedEdges(canvas: HTMLCanvasElement): number;

/** What one can press, and what is lower than a finger wants. */
async function tooSmallToTouch(page: Page): Promise<string[]> {
  return page
    .locator(
      'button:visible, nav a:visible, .button:visible, input[type=text]:visible, select:visible, .choice:visible',
    )
    .evaluateAll((all) => all.filter((el) => el.getBoundingClientRect().height < 44).map((el) => el.outerHTML));
}

/** The colours of states that stand out too little from what they are written on. */
async function unreadable(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const style = getComputedStyle(document.documentElement);
    const luminance = (name: string): number => {
      const hex = style
        .getPropertyValue(name)
        .trim()
        .replace(/^#(.)(.)(.)$/, '#$1$1$2$2$3$3');
      const [r = 0, g = 0, b = 0] = [1, 3, 5]
        .map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
        .map((value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (a: string, b: string): number => {
      const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
      return (high + 0.05) / (low + 0.05);
    };
    return ['--ink', '--muted', '--accent', '--ok', '--waiting', '--trouble'].flatMap((colour) =>
      ['--paper', '--surface']
        .filter((ground) => contrast(colour, ground) < 4.5)
        .map((ground) => `${colour} on ${ground}`),
    );
  });
}

async function textOf(page: Page, selector: string, holds: (text: string) => boolean): Promise<string> {
  return until(async () => (await page.locator(selector).textContent()) ?? '', holds);
}

async function coverageOf(
  page: Page,
  enough: (samples: number) => boolean,
): Promise<{ samples: number; longestGap: number }> {
  const text = await textOf(page, '#coverage', (sentence) => /^\d/.test(sentence) && enough(parseInt(sentence)));
  return { samples: parseInt(text), longestGap: Number(/ ([\d.]+) s\.$/.exec(text)?.[1]) };
}

async function verdictOf(page: Page, highest: number): Promise<string> {
  return textOf(page, '#verdict', (text) => text.startsWith(`1 to ${highest}:`));
}

async function until<T>(look: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (const deadline = Date.now() + 30_000; ;) {
    const value = await look();
    if (holds(value)) return value;
    if (Date.now() > deadline) throw new Error(`Still not so after 30 s: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function post(path: string, body: unknown): Promise<Response> {
  return fetch(served.origin + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}
