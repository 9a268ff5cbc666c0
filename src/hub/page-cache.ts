import type { LogPage } from './log-page.js';

/** How long a page is shared with those who come to the same place. What has been stored since comes after it. */
const TTL_MS = 1_000;
/** At 64 KiB each, 8 MiB. */
const MAX_PAGES = 128;

interface Cached {
  readonly page: Promise<LogPage>;
  readonly untilMs: number;
}

/**
 * Pages that were read a moment ago. After a restart thousands of clients come back to the same places: they cost one
 * read and one encoding.
 */
export class PageCache {
  readonly #pages = new Map<string, Cached>();

  /** @param read is called when nobody has read this a moment ago; what it rejects with is not kept */
  get(key: string, read: () => Promise<LogPage>): Promise<LogPage> {
    const now = performance.now();
    const cached = this.#pages.get(key);
    if (cached !== undefined && cached.untilMs > now) return cached.page;
    this.#makeRoom(now);
    const page = read();
    this.#pages.set(key, { page, untilMs: now + TTL_MS });
    page.catch(() => {
      if (this.#pages.get(key)?.page === page) this.#pages.delete(key);
    });
    return page;
  }

  clear(): void {
    this.#pages.clear();
  }

  /** The oldest are first. */
  #makeRoom(now: number): void {
    for (const [key, { untilMs }] of this.#pages) {
      if (untilMs > now && this.#pages.size < MAX_PAGES) return;
      this.#pages.delete(key);
    }
  }
}
