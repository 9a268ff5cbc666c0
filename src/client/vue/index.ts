// `useStream` for Vue, from 3.3 on.
import { shallowReactive, shallowRef, toRefs, toValue, watch, watchPostEffect } from 'vue';
import type { MaybeRefOrGetter, Ref } from 'vue';
import type { AnyEvents } from '../events.js';
import { hold, idOf, nothing, shownOf, want } from '../held-stream.js';
import type { DataOfEvents, Folded, FoldedLater, Last, Shown, Typed, Untyped, Wanted } from '../held-stream.js';
import type { Url } from '../options.js';

export type { DataOfEvents, Folded, FoldedLater, Last, ShareStream, Shown, Typed, Untyped } from '../held-stream.js';

/** Where a stream is: a value, a ref or a getter; `null`: there is none. A URL that is a function is given by a getter. */
export type UrlSource =
  string | URL | null | undefined | Readonly<Ref<Url | null | undefined>> | (() => Url | null | undefined);

/** What is to be seen of a stream. */
export type ShownRefs<E extends object = AnyEvents, Data = unknown> = {
  readonly [Name in keyof Shown<E, Data>]: Readonly<Ref<Shown<E, Data>[Name]>>;
};

/**
 * Shows a stream: its state, and what `reduce` makes of its events. Components with the same URL and `key` share one connection and one data. It is opened
 * behind the first rendering, never on a server, and closed 250 ms after the scope of its last component is. With another URL, the data is `initial` again.
 *
 * @param options those of `openStream`. A getter among them is watched: `get key() { return user.value.id; }`
 *
 * @example
 * ```ts
 * const { state, data } = useStream<EventsOf<typeof ticks>>(() => `/stocks/${symbol.value}`, { text: [] });
 * ```
 */
export function useStream<E extends object, Data>(
  source: UrlSource,
  options: Typed<E> & Folded<E, Data>,
): ShownRefs<E, Data>;
export function useStream<E extends object, Data>(
  source: UrlSource,
  options: Typed<E> & FoldedLater<E, Data>,
): ShownRefs<E, Data | undefined>;
export function useStream<E extends object>(
  source: UrlSource,
  options: Typed<E> & Last<E>,
): ShownRefs<E, DataOfEvents<E> | undefined>;
export function useStream<Data>(
  source: UrlSource,
  options: Untyped & Folded<AnyEvents, Data>,
): ShownRefs<AnyEvents, Data>;
export function useStream<Data>(
  source: UrlSource,
  options: Untyped & FoldedLater<AnyEvents, Data>,
): ShownRefs<AnyEvents, Data | undefined>;
export function useStream(
  source: UrlSource,
  options?: Untyped & Last<AnyEvents>,
): ShownRefs<AnyEvents, string | undefined>;
export function useStream(source: UrlSource, options: object = {}): ShownRefs {
  const view = shallowReactive(nothing(options as Wanted));
  const id = shallowRef<unknown>();
  let wanted: Wanted;
  // Neither is run on a server, nor before the components are there that show it.
  watchPostEffect(() => {
    wanted = { ...options, url: toValue(source as MaybeRefOrGetter<Url | null | undefined>) };
    id.value = idOf(wanted, id);
    want(id.value, wanted);
  });
  // Behind the other, so that only the source and the getters of the options are watched, and not what opening reads.
  watch(id, (now, _before, onCleanup) => {
    const show = (): void => void Object.assign(view, shownOf(now) ?? nothing(wanted));
    if (now) onCleanup(hold(now, wanted, show));
    else show();
  });
  return toRefs(view);
}
