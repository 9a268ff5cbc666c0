import { HttpStream, checkOptions } from './http-stream.js';
import type { AnyEvents } from './events.js';
import type { StreamOptions, TypedOptions, Url } from './options.js';
import { isRepeatable } from './request.js';
import { SharedStream } from './shared-stream.js';
import type { Stream } from './stream.js';
import { nameOf } from './tabs.js';

/** Those of this page: without a `BroadcastChannel`, `closeShared` reaches no others. */
const open = new Set<{ readonly key: string; readonly stream: Stream }>();

/**
 * Follows a stream as {@link openStream} does, over one connection for all tabs of a browser that share the key and the URL. Each tab has its own place, its own
 * `lastEventId` and its own `snapshot`, and gets every event behind it once and in order, whichever tab holds the connection, and whatever becomes of
 * that tab: closed, crashed, frozen, left, or hanging. A tab that has missed something, and one that joins while others are there, has a connection of its own until it
 * is level with them. So has one that does not read what it is given.
 *
 * Its events have ids, as those of topics do: of others, a tab that joins gets those from then on, and nothing that the server says first to each client.
 *
 * Of what tabs give differently, that of the one that holds the connection counts: `headers`, `body`, `fetch` and the like. What ends the connection
 * for good, such as an answer of `403`, ends the stream in all tabs. `reconnect()` reaches it from each; with another `url` the tab goes over
 * to those that have that. `debug` tells of the connections of its own tab.
 *
 * Where there is no `navigator.locks` (on plain `http:`, in Node before 24) or no `BroadcastChannel`, each tab has a connection.
 *
 * @param key names the user and whatever else makes streams of one URL different: what one of them may read, all with this key read
 * @param url when it is a function, the key names the stream, too
 * @throws TypeError when the URL or an option is none, and for a request that may not be repeated: another tab has to go on with it
 *
 * @example
 * ```ts
 * const stream = shareStream(`user ${userId}`, '/notifications');
 * stream.on('message', (event) => show(event.text));
 * ```
 */
export function shareStream(key: string, url: Url, options?: StreamOptions & { readonly text?: undefined }): Stream;
export function shareStream<E extends object>(key: string, url: Url, options: TypedOptions<E>): Stream<E>;
export function shareStream(key: string, url: Url, options: StreamOptions = {}): Stream {
  checkOptions(options);
  if (!isRepeatable(options)) throw new TypeError('A stream whose request may not be repeated cannot be shared');
  const { BroadcastChannel, navigator } = globalThis as Partial<typeof globalThis>;
  const canShare = BroadcastChannel && navigator?.locks;
  const stream = canShare ? new SharedStream<AnyEvents>(key, url, options) : new HttpStream(url, options);
  const each = { key, stream };
  open.add(each);
  // Stays when the page is left: who is logged out meanwhile cannot go back to it, as what it hears there ends a page that is kept.
  const channel = BroadcastChannel && new BroadcastChannel(nameOf(key));
  if (channel) channel.onmessage = () => stream.close();
  void stream.closed.then(() => {
    open.delete(each);
    channel?.close();
  });
  return stream;
}

/** Closes all shared streams that have the key, in every tab of the browser: to be called when the user logs out. */
export function closeShared(key: string): void {
  for (const each of [...open]) if (each.key === key) each.stream.close();
  if (typeof BroadcastChannel === 'undefined') return;
  const channel = new BroadcastChannel(nameOf(key));
  channel.postMessage('close');
  channel.close();
}
