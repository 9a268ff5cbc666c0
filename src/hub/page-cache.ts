import { apart } from '../engine/apart.js';
import { sizeOf } from '../engine/text-entry.js';
import type { LogPage } from './log-page.js';

/** How long a page is shared with those who come to the same place. What has been stored since comes after it. */
const TTL_MS = 1_000;
/** What all pages take together, with what they are encoded to. One that is larger is shared only while it is being read. */
const MAX_BYTES = 8_388_608;
/** A page without events takes next to nothing, but its key does. */
const MIN_PAGE_BYTES = 1_024;

interface Cached {
  readonly page: Promise<LogPage>;
  readonly untilMs: number;
  /** `0` while it is being read. */
  bytes: number;
}

/**
 * Pages that were read a moment ago. After a restart thousands of clients come back to the same places: they cost one
 * read and one encoding.
 */
export class PageCache {
  readonly #pages = new Map<string, Cached>();
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  /** What the pages take that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @param read is called when nobody has read this a moment ago; what it rejects with is not kept */
  get(key: string, read: () => Promise<LogPage>): Promise<LogPage> {
    const now = performance.now();
    const known = this.#pages.get(key);
    if (known !== undefined && known.untilMs > now) return known.page;
    this.#delete(key);
    const cached: Cached = { page: read(), untilMs: now + TTL_MS, bytes: 0 };
    this.#pages.set(key, cached);
    this.#timer ??= apart(() => setTimeout(this.#sweep, TTL_MS).unref());
    cached.page.then(
      (page) => this.#keep(key, cached, page),
      () => this.#pages.get(key) === cached && this.#delete(key),
    );
    return cached.page;
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pages.clear();
    this.#bytes = 0;
  }

  #keep(key: string, cached: Cached, { entries }: LogPage): void {
    if (this.#pages.get(key) !== cached) return;
    cached.bytes = entries.reduce((bytes, entry) => bytes + 2 * sizeOf(entry), MIN_PAGE_BYTES);
    this.#bytes += cached.bytes;
    if (cached.bytes > MAX_BYTES) return this.#delete(key);
    // The oldest are first.
    for (const oldest of this.#pages.keys()) {
      if (this.#bytes <= MAX_BYTES) return;
      this.#delete(oldest);
    }
  }

  #delete(key: string): void {
    this.#bytes -= this.#pages.get(key)?.bytes ?? 0;
    this.#pages.delete(key);
  }

  readonly #sweep = (): void => {
    const now = performance.now();
    for (const [key, { untilMs }] of this.#pages) if (untilMs <= now) this.#delete(key);
    this.#timer = this.#pages.size === 0 ? undefined : setTimeout(this.#sweep, TTL_MS).unref();
  };
}
