// `useStream` for React, from 18 on.
import { useCallback, useEffect, useRef, useSyncExternalStore } from 'react';
import type { AnyEvents } from '../events.js';
import { hold, idOf, nothing, shownOf, want } from '../held-stream.js';
import type { DataOfEvents, Folded, FoldedLater, Last, Shown, Typed, Untyped, Wanted } from '../held-stream.js';
import type { Url } from '../options.js';

export type { DataOfEvents, Folded, FoldedLater, Last, ShareStream, Shown, Typed, Untyped } from '../held-stream.js';

/**
 * Shows a stream: its state, and what `reduce` makes of its events. Components with the same URL and `key` share one connection and one data, and all that is
 * asked of it: `reduce` and the other options are those of whoever was rendered last. It is opened behind the first commit, never on a server, and closed
 * 250 ms after its last component is gone. With another URL or `key`, the data is `initial` again.
 *
 * @param url `null` or `undefined`: none
 * @param options those of `openStream`; but for the numbers, `method`, `body` and `lastEventId`, what is given last counts
 *
 * @example
 * ```ts
 * const { state, data } = useStream<EventsOf<typeof ticks>>('/stocks/AAPL', { text: [] });
 * ```
 */
export function useStream<E extends object, Data>(
  url: Url | null | undefined,
  options: Typed<E> & Folded<E, Data>,
): Shown<E, Data>;
export function useStream<E extends object, Data>(
  url: Url | null | undefined,
  options: Typed<E> & FoldedLater<E, Data>,
): Shown<E, Data | undefined>;
export function useStream<E extends object>(
  url: Url | null | undefined,
  options: Typed<E> & Last<E>,
): Shown<E, DataOfEvents<E> | undefined>;
export function useStream<Data>(
  url: Url | null | undefined,
  options: Untyped & Folded<AnyEvents, Data>,
): Shown<AnyEvents, Data>;
export function useStream<Data>(
  url: Url | null | undefined,
  options: Untyped & FoldedLater<AnyEvents, Data>,
): Shown<AnyEvents, Data | undefined>;
export function useStream(
  url: Url | null | undefined,
  options?: Untyped & Last<AnyEvents>,
): Shown<AnyEvents, string | undefined>;
export function useStream(url: Url | null | undefined, options: object = {}): Shown {
  const wanted: Wanted = { ...options, url };
  const latest = useRef(wanted);
  const id = idOf(wanted, latest);
  // Before the stream is held, so that it is opened with what was committed.
  useEffect(() => {
    latest.current = wanted;
    want(id, wanted);
  });
  const subscribe = useCallback(
    (onChange: () => void) => (id ? hold(id, latest.current, onChange) : () => undefined),
    [id],
  );
  const shown = useSyncExternalStore(
    subscribe,
    () => shownOf(id),
    () => undefined,
  );
  return shown ?? nothing(wanted);
}
