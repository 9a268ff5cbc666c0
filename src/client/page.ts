/** What a page does to its streams. */
export interface PageListener {
  /** It is left or frozen: what comes in meanwhile may never be delivered. */
  readonly left: () => void;
  /** It is there again. */
  readonly back: () => void;
  /** Somebody looks at it, or the network is there again. */
  readonly seen: () => void;
}

/** Listens to the life of the page, where there is one, until the function that it returns is called. */
export function watchPage({ left, back, seen }: PageListener): () => void {
  const stop = new AbortController();
  const on = (target: EventTarget, events: Record<string, () => void>): void => {
    for (const type in events) target.addEventListener?.(type, events[type]!, stop);
  };
  on(globalThis, { pagehide: left, pageshow: back, online: seen });
  const { document } = globalThis;
  if (document)
    on(document, {
      freeze: left,
      resume: back,
      visibilitychange: () => document.visibilityState === 'visible' && seen(),
    });
  return () => stop.abort();
}
