import { HttpStream } from './http-stream.js';
import type { StreamOptions, TypedOptions, Url } from './options.js';
import type { Stream } from './stream.js';

/**
 * Follows a stream until it is over, across all its connections: every event after the position that it has come to, once and in order, or
 * `stream.reset` where some are missing.
 *
 * @param url relative where there is a page
 * @throws TypeError when the URL or an option is none
 *
 * @example
 * ```ts
 * const stream = openStream('/stocks/AAPL');
 * stream.on('tick', (event) => show(event.json()));
 * stream.subscribe((state) => showState(state));
 * ```
 */
export function openStream(url: Url, options?: StreamOptions & { readonly text?: undefined }): Stream;
export function openStream<E extends object>(url: Url, options: TypedOptions<E>): Stream<E>;
export function openStream(url: Url, options: StreamOptions = {}): Stream {
  return new HttpStream(url, options);
}
