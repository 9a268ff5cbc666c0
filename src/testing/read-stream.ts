import { LiveReading } from './stream-reading.js';
import type { StreamEvent, StreamReading } from './stream-reading.js';

/** A Nest application that listens. */
export interface StreamApp {
  getUrl(): Promise<string>;
}

export interface ReadStreamOptions {
  /** Reads up to and with the first event for which this holds, before `readStream` resolves. */
  readonly until?: ((event: StreamEvent) => boolean) | undefined;
  /** Reads so many events before `readStream` resolves. */
  readonly take?: number | undefined;
  /**
   * The HTTP method.
   *
   * @default 'GET', with a body 'POST'
   */
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Text, bytes, `URLSearchParams` and `FormData` are sent as they are, everything else as JSON. */
  readonly body?: unknown;
  /** What a client that comes back sends as `Last-Event-ID`. */
  readonly lastEventId?: string | undefined;
  /** Closes the reading when it is aborted. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long, in ms, to wait for the head, and each time for what is asked of the reading. What has not come by then is
   * told by an error that lists what has. Less than the 5 s after which Jest and Vitest end a test, whose message would say nothing of it.
   *
   * @default 4_000
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Sends the request.
   *
   * @default globalThis.fetch
   */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/**
 * Opens a stream as a client does, for tests. Resolves when the answer's head and its first bytes are there, whatever its status:
 * what is published from then on is in the stream. An answer that is not an event stream has been read to its end then, and its
 * body is in `text()`. Close the reading, or let `await using` do it.
 *
 * @param target the stream's URL, or an application that listens
 * @param path resolved against the target
 *
 * @example
 * ```ts
 * await using stream = await readStream(app, '/stocks/AAPL', { lastEventId });
 * await streams.publish('stocks/AAPL', { type: 'tick', data: { price: 1 } });
 * const tick = await stream.next();
 * expect(tick?.json()).toEqual({ price: 1 });
 * ```
 */
export async function readStream(target: string | URL | StreamApp, options?: ReadStreamOptions): Promise<StreamReading>;
export async function readStream(
  target: string | URL | StreamApp,
  path?: string,
  options?: ReadStreamOptions,
): Promise<StreamReading>;
export async function readStream(
  target: string | URL | StreamApp,
  second?: string | ReadStreamOptions,
  third: ReadStreamOptions = {},
): Promise<StreamReading> {
  const [path, options] = typeof second === 'object' ? ['', second] : [second ?? '', third];
  const base = typeof target === 'string' || target instanceof URL ? target : await target.getUrl();
  const url = new URL(path, base);
  const { until, take, timeoutMs = 4_000, fetch = globalThis.fetch } = options;
  const closing = new AbortController();
  const left = options.signal === undefined ? closing.signal : AbortSignal.any([closing.signal, options.signal]);
  const request = requestOf(options, left);
  const label = `${request.method} ${url.href}`;

  const timer = setTimeout(() => {
    closing.abort(new Error(`readStream: no answer to ${label} within ${timeoutMs} ms`));
  }, timeoutMs);
  let reading: LiveReading;
  try {
    const response = await fetch(url, request);
    reading = new LiveReading(response, { label, timeoutMs, closing, left, lastEventId: options.lastEventId });
  } finally {
    clearTimeout(timer);
  }
  try {
    // The first bytes have the place in the log that the stream begins at.
    await (reading.isEventStream ? reading.begun() : reading.end());
    if (take !== undefined) await reading.take(take);
    if (until !== undefined) await reading.until(until);
    return reading;
  } catch (error) {
    reading.close();
    throw error;
  }
}

function requestOf(options: ReadStreamOptions, left: AbortSignal): RequestInit & { readonly method: string } {
  const { body, lastEventId, method = body === undefined ? 'GET' : 'POST' } = options;
  const headers = new Headers({ accept: 'text/event-stream' });
  if (lastEventId !== undefined) headers.set('last-event-id', lastEventId);
  const isJson = body !== undefined && !isRawBody(body);
  if (isJson) headers.set('content-type', 'application/json');
  for (const [name, value] of Object.entries(options.headers ?? {})) headers.set(name, value);
  return {
    method,
    headers,
    signal: left,
    ...(body !== undefined && { body: isJson ? JSON.stringify(body) : (body as BodyInit) }),
  };
}

function isRawBody(body: unknown): boolean {
  if (typeof body === 'string' || ArrayBuffer.isView(body)) return true;
  return body instanceof URLSearchParams || body instanceof FormData;
}
