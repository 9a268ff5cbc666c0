import type { Attempt, StreamOptions, Url } from './options.js';

/** What goes to `fetch`. */
export interface Asked {
  readonly url: string;
  readonly init: RequestInit & { readonly method: string; readonly headers: Headers };
}

/** Whether the same request may be sent again. */
export function isRepeatable({ method, body, reconnect }: StreamOptions): boolean {
  return reconnect ?? /^(GET|QUERY)$/i.test(methodOf(method, body));
}

function methodOf(method: string | undefined, body: unknown): string {
  return method ?? (body === undefined ? 'GET' : 'POST');
}

/** As a whole URL. @throws TypeError when it is none, or is relative where there is no page */
export function urlOf(url: string | URL): URL {
  return new URL(url, globalThis.location?.href);
}

/** @param isResumed whether the URL is where an answer has said to go on, by `GET` */
export async function requestOf(
  url: Url,
  options: StreamOptions,
  attempt: Attempt,
  isResumed: boolean,
): Promise<Asked> {
  const { body, method, withCredentials, resumeIn = 'auto' } = options;
  const { signal, lastEventId } = attempt;
  const given = typeof options.headers === 'function' ? await options.headers(attempt) : options.headers;
  const headers = new Headers(given);
  const { href, origin } = urlOf(typeof url === 'function' ? await url(attempt) : url);
  let target = href;
  if (lastEventId) {
    const isFar = globalThis.location && origin !== globalThis.location.origin;
    // The server joins several.
    target = target.replace(/([?&])lastEventId=[^&#]*&?/g, '$1');
    const isQuery = resumeIn === 'query' || (resumeIn === 'auto' && isFar && [...headers].length === 0);
    if (isQuery) target = withQuery(target, lastEventId);
    // A header has bytes: those of UTF-8, as EventSource sends them.
    else headers.set('last-event-id', String.fromCharCode(...new TextEncoder().encode(lastEventId)));
  }
  if (isResumed) headers.delete('content-type');
  if (!headers.has('accept')) headers.set('accept', 'text/event-stream');
  return {
    url: target,
    init: {
      method: isResumed ? 'GET' : methodOf(method, body),
      headers,
      signal,
      // A header of that name would cost a preflight; this costs none.
      cache: 'no-store',
      credentials: withCredentials ? 'include' : 'same-origin',
      ...(!isResumed && body !== undefined && { body }),
    },
  };
}

/** By hand, as React Native's URL cannot. */
function withQuery(url: string, lastEventId: string): string {
  const [, path, hash] = /^([^#]*)(.*)/s.exec(url) as unknown as [string, string, string];
  return `${path}${path.includes('?') ? '&' : '?'}lastEventId=${encodeURIComponent(lastEventId)}${hash}`;
}
