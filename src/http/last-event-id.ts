import type { IncomingHttpHeaders } from 'node:http';

/** What is read of a framework's request. */
interface RequestLike {
  readonly headers: IncomingHttpHeaders;
  readonly url?: unknown;
  readonly originalUrl?: unknown;
}

/**
 * What a client says it has read up to: the header `Last-Event-ID` (WHATWG HTML 9.2.3), else the query parameter
 * `lastEventId`, for clients that cannot set headers. Several values are joined, as HTTP joins headers; they are then no
 * position, and the client is told so.
 */
export function readLastEventId(request: RequestLike): string | undefined {
  const header = request.headers['last-event-id'];
  const fromHeader = typeof header === 'string' ? decodeHeader(header).trim() : undefined;
  if (fromHeader !== undefined && fromHeader !== '') return fromHeader;
  // Most have no query, and to parse one has its price.
  if (!targetOf(request).includes('?')) return undefined;
  return queryOf(request).getAll('lastEventId').join(', ').trim() || undefined;
}

/** The query of the URL as it was sent, whatever the framework's own parser makes of it. */
export function queryOf(request: RequestLike): URLSearchParams {
  const target = targetOf(request);
  const start = target.indexOf('?');
  return new URLSearchParams(start < 0 ? '' : target.slice(start + 1));
}

function targetOf({ originalUrl, url }: RequestLike): string {
  if (typeof originalUrl === 'string') return originalUrl;
  return typeof url === 'string' ? url : '';
}

/** Browsers send an id as UTF-8, Node reads headers as Latin-1. What is not UTF-8 stays as it is. */
function decodeHeader(value: string): string {
  // eslint-disable-next-line no-control-regex -- exactly the characters that are the same in both encodings
  if (/^[\x00-\x7f]*$/.test(value)) return value;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(value, 'latin1'));
  } catch {
    return value;
  }
}
