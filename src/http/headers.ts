/** Headers as Node takes them. */
export type StreamHeaders = Record<string, number | string | string[]>;

export interface StreamHeadersOptions {
  /** Whether the response goes over HTTP/2, which has no connection-specific headers (RFC 9113, section 8.2.2). */
  readonly http2: boolean;
  /** What the framework has set so far, such as CORS headers and cookies. */
  readonly inherited?: Readonly<Record<string, number | string | string[] | undefined>> | undefined;
  /** What the route asks for. It wins over all but `Content-Type` and the framing of the body. */
  readonly own?: Readonly<Record<string, string | string[]>> | undefined;
  /** How the body is packed: `identity` as it could have been otherwise, `undefined` as it never is here. */
  readonly encoding?: 'gzip' | 'identity' | undefined;
}

const CONTENT_TYPE = 'text/event-stream; charset=utf-8';

/** `Incremental` (RFC 10036) asks proxies to pass on each part as it comes; `X-Accel-Buffering` is nginx's word for it. */
const DEFAULTS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-cache, no-store, no-transform',
  'X-Accel-Buffering': 'no',
  Incremental: '?1',
  'X-Content-Type-Options': 'nosniff',
};

/** The stream's type is fixed, and how its body is delimited is for the writer of the body to say. */
const NEVER_GIVEN: ReadonlySet<string> = new Set(['content-type', 'content-length', 'transfer-encoding']);

const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'te',
]);

/** What a framework set for a body that will not be sent. */
const NEVER_INHERITED: ReadonlySet<string> = new Set([
  ...NEVER_GIVEN,
  ...CONNECTION_SPECIFIC,
  'content-encoding',
  'content-range',
  'accept-ranges',
  'cache-control',
  'expires',
  'etag',
  'last-modified',
  'trailer',
]);

/**
 * Makes the headers of an event stream. No header appears twice in different case; on HTTP/1 `Connection` is left to
 * Node unless the route sets it.
 *
 * @see WHATWG HTML 9.2.3, "Processing model", for the content type, and 9.2.7, "Authoring notes", for the caching
 */
export function streamHeaders(options: StreamHeadersOptions): StreamHeaders {
  const { http2, inherited = {}, own = {}, encoding } = options;
  const headers = new Map<string, readonly [name: string, value: number | string | string[]]>();
  const add = (from: StreamHeadersOptions['inherited'], isLeftOut: (key: string) => boolean): void => {
    for (const [name, value] of Object.entries(from ?? {})) {
      const key = name.toLowerCase();
      if (value !== undefined && !isLeftOut(key)) headers.set(key, [name, value]);
    }
  };

  add(inherited, (key) => NEVER_INHERITED.has(key));
  add({ 'Content-Type': CONTENT_TYPE, ...DEFAULTS }, () => false);
  add(own, (key) => NEVER_GIVEN.has(key) || (http2 && CONNECTION_SPECIFIC.has(key)));
  if (encoding === 'gzip') headers.set('content-encoding', ['Content-Encoding', encoding]);
  if (encoding !== undefined) headers.set('vary', ['Vary', varying(headers.get('vary')?.[1], 'Accept-Encoding')]);
  return Object.fromEntries(headers.values());
}

/**
 * Whether a client takes gzip at least as gladly as what is not packed. Who says nothing of gzip, does not.
 *
 * @see RFC 9110, section 12.5.3
 */
export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  const weights = new Map<string, number>();
  for (const coding of acceptEncoding?.toLowerCase().split(',') ?? []) {
    const [name = '', ...parameters] = coding.split(';').map((part) => part.trim());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    weights.set(name, weight === undefined ? 1 : Number(weight.slice(2)));
  }
  const gzip = weights.get('gzip') ?? weights.get('x-gzip') ?? weights.get('*') ?? 0;
  return gzip > 0 && gzip >= (weights.get('identity') ?? 0);
}

/** `Vary` with one more header by which caches must tell clients apart (RFC 9110, section 12.5.5); `*` says that already. */
export function varying(vary: number | string | string[] | undefined, name: string): string {
  const names = vary === undefined ? [] : [vary].flat().map(String);
  const known = names.flatMap((each) => each.split(',')).map((each) => each.trim().toLowerCase());
  const isSaid = known.includes('*') || known.includes(name.toLowerCase());
  return (isSaid ? names : [...names, name]).join(', ');
}
