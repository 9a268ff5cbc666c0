/** What a page does to its streams. */
export interface PageListener {
  /** It is left or frozen: what comes in meanwhile may never be delivered. */
  left(): void;
  /** It is there again. */
  back(): void;
  /** Somebody looks at it, or the network is there again. */
  seen(): void;
}

/** Listens to the life of the page, where there is one, until the function that it returns is called. */
export function watchPage(listener: PageListener): () => void {
  const { document, addEventListener } = globalThis as Partial<Window & typeof globalThis>;
  const stop = new AbortController();
  const on = (target: EventTarget | undefined, type: string, call: () => void): void =>
    target?.addEventListener(type, call, { signal: stop.signal });
  const self = addEventListener && (globalThis as unknown as EventTarget);
  on(document, 'freeze', () => listener.left());
  on(self, 'pagehide', () => listener.left());
  on(document, 'resume', () => listener.back());
  on(self, 'pageshow', () => listener.back());
  on(self, 'online', () => listener.seen());
  on(document, 'visibilitychange', () => document?.visibilityState === 'visible' && listener.seen());
  return () => stop.abort();
}
