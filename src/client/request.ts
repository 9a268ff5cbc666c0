import type { Attempt, StreamOptions, Url } from './options.js';

/** What goes to `fetch`. */
export interface Asked {
  readonly url: string;
  readonly init: RequestInit & { readonly method: string };
}

/** Whether the same request may be sent again. */
export function isRepeatable({ method, body, reconnect }: StreamOptions): boolean {
  return reconnect ?? /^(GET|QUERY)$/i.test(method ?? (body === undefined ? 'GET' : ''));
}

/** As a whole URL. @throws TypeError when it is none, or is relative where there is no page */
export function urlOf(url: string | URL): URL {
  return new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href);
}

/** @param resumeUrl where an answer has said to go on, by `GET` */
export async function requestOf(
  where: Url,
  {
    body,
    method = body === undefined ? 'GET' : 'POST',
    headers: given,
    withCredentials,
    resumeIn = 'auto',
  }: StreamOptions,
  attempt: Attempt,
  resumeUrl: string | undefined,
): Promise<Asked> {
  const { signal, lastEventId } = attempt;
  const headers = new Headers(typeof given === 'function' ? await given(attempt) : given);
  const url = urlOf(resumeUrl ?? (typeof where === 'function' ? await where(attempt) : where));
  if (lastEventId) {
    const isFar = globalThis.location && url.origin !== globalThis.location.origin;
    // The header comes first for the server, but costs a preflight across origins.
    if (resumeIn === 'query' || (resumeIn === 'auto' && isFar && !headers.keys().next().value))
      url.searchParams.set('lastEventId', lastEventId);
    // A header has bytes: those of UTF-8, as EventSource sends them.
    else headers.set('last-event-id', String.fromCharCode(...new TextEncoder().encode(lastEventId)));
  }
  if (!headers.has('accept')) headers.set('accept', 'text/event-stream');
  const how = resumeUrl === undefined ? { method, ...(body !== undefined && { body }) } : { method: 'GET' };
  // A header `Cache-Control` would cost a preflight; this costs none.
  return {
    url: url.href,
    init: { ...how, headers, signal, cache: 'no-store', credentials: withCredentials ? 'include' : 'same-origin' },
  };
}
