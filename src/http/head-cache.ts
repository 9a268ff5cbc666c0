import { validateHeaderName, validateHeaderValue } from 'node:http';
import { streamHeaders } from './headers.js';
import type { StreamHeaders, StreamHeadersOptions } from './headers.js';

interface MadeHead {
  readonly of: StreamHeadersOptions;
  /** How many headers were inherited. */
  readonly count: number;
  readonly headers: Readonly<StreamHeaders>;
}

/** The headers of the streams of one route. Most inherit the same from the framework and its middleware, and have the same. */
export class HeadCache {
  #newest: MadeHead | undefined;

  /** Those of one stream. Throws what Node says of one that cannot be sent. */
  headersOf(options: StreamHeadersOptions): Readonly<StreamHeaders> {
    const newest = this.#newest;
    if (newest !== undefined && isSame(newest, options)) return newest.headers;
    const headers = streamHeaders(options);
    for (const [name, value] of Object.entries(headers)) checkHeader(name, value);
    this.#newest = { of: options, count: Object.keys(options.inherited ?? {}).length, headers };
    return headers;
  }
}

function isSame({ of, count }: MadeHead, { http2, own, encoding, inherited = {} }: StreamHeadersOptions): boolean {
  if (of.http2 !== http2 || of.own !== own || of.encoding !== encoding) return false;
  let same = 0;
  for (const name in inherited) {
    const value = inherited[name];
    // What is in an array may have changed.
    if (value !== of.inherited?.[name] || typeof value === 'object') return false;
    same++;
  }
  return same === count;
}

function checkHeader(name: string, value: number | string | string[]): void {
  validateHeaderName(name);
  if (Array.isArray(value)) for (const one of value) validateHeaderValue(name, one);
  else validateHeaderValue(name, String(value));
}
