import { RESET } from '../wire/words.js';
import type { AnyEvents, EventOf, StreamEvent } from './events.js';
import { openStream } from './open-stream.js';
import type { StreamOptions, TypedOptions, Url } from './options.js';
import type { StreamState } from './state.js';
import type { Stream } from './stream.js';

/** So long, in ms, a stream waits for its next user: React's StrictMode lets go and takes hold at once, a router in the next commit. */
const GRACE_MS = 250;

/** What opens a stream for all tabs of a browser: `shareStream`, given by whoever uses it, so that nobody else loads it. */
export type ShareStream = (key: string, url: Url, options: StreamOptions & { readonly text?: undefined }) => Stream;

/** What the bindings add to the options of a stream. */
interface Reading<Data> {
  /** Loads the state, as of any stream. What it gives as `data` replaces the data. */
  readonly snapshot?:
    | ((
        ...given: Parameters<NonNullable<StreamOptions['snapshot']>>
      ) => Promise<{ readonly lastEventId?: string; readonly data?: Data } | void>)
    | undefined;
  /**
   * What tells streams of the same URL apart: whose it is, or what else the options depend on. With another one, another stream is opened. Without one,
   * what has a `body` or a function as its URL is nobody else's.
   */
  readonly key?: string | undefined;
  /** `shareStream`: one connection for all tabs of the browser, under the `key`, which names the user. */
  readonly share?: ShareStream | undefined;
}

/** What is shared among tabs has to say whose it is. */
type Keyed = { readonly share?: undefined } | { readonly share: ShareStream; readonly key: string };

/** The data is what `reduce` makes of it, from the beginning. */
export type Folded<E extends object, Data> = Reading<Data> &
  Keyed & {
    /**
     * Makes the data of what it was, and an event: one of any type, `stream.reset` included. Must not change the old data. What it throws goes to
     * `reportError`, and the stream goes on.
     */
    readonly reduce: (data: Data, event: StreamEvent<E>) => Data;
    readonly initial: Data;
  };

/** The data is what `reduce` makes of it, from the first event on. */
export type FoldedLater<E extends object, Data> = Reading<Data> &
  Keyed & {
    /** Like that with `initial`; before the first event, there is no data. */
    readonly reduce: (data: Data | undefined, event: StreamEvent<E>) => Data;
    readonly initial?: undefined;
  };

/** The data is that of the last event. */
export type Last<E extends object> = Reading<DataOfEvents<E>> &
  Keyed & { readonly reduce?: undefined; readonly initial?: DataOfEvents<E> | undefined };

/** The options of a stream of which nothing is known. */
export type Untyped = Omit<StreamOptions, 'snapshot'> & { readonly text?: undefined };
/** Those of a typed one. */
export type Typed<E extends object> = Omit<TypedOptions<E>, 'snapshot'>;

/** What the events of a stream have as data. */
export type DataOfEvents<E extends object> = {
  [Type in keyof E & string]: EventOf<E, Type> extends { readonly data: infer Data } ? Data : never;
}[keyof E & string];

/** What is to be seen of a stream. A new one with each change. */
export interface Shown<E extends object = AnyEvents, Data = unknown> {
  readonly state: StreamState;
  readonly data: Data;
  /** Absent while there is none: on the server, and before the first commit. */
  readonly stream: Stream<E> | undefined;
}

/** Of whatever types: inside, nothing depends on them. */
export interface AnyReading extends Omit<StreamOptions, 'snapshot'>, Reading<unknown> {
  readonly reduce?: ((data: unknown, event: StreamEvent) => unknown) | undefined;
  readonly initial?: unknown;
}

/** All that a component asks for. */
export type Wanted = AnyReading & { readonly url: Url | null | undefined };

interface HeldStream {
  shown: Shown;
  /** Are told of each change. */
  readonly users: Set<() => void>;
  /** Takes what a component wants now: what is called later must not be a function of a state that is over. */
  want(wanted: Wanted): void;
  timer?: ReturnType<typeof setTimeout>;
}

/**
 * Those of this page. It is state of the module: components have nothing else in common, and two applications on one page may share a stream. On a server
 * it stays empty, as nothing is opened there.
 */
const held = new Map<unknown, HeldStream>();

/** Which stream it is; falsy: none. @param own stands for one that is nobody else's */
export function idOf({ url, key, body }: Wanted, own: object): unknown {
  return url && (key === undefined && (body || typeof url === 'function') ? own : `${String(url)} ${key}`);
}

/** Its own, so that of the client's code no more than `openStream` is imported. */
const IDLE: StreamState = Object.freeze({ phase: 'idle' });

/** What is to be seen of none. */
export function nothing({ initial }: Wanted): Shown {
  return { state: IDLE, data: initial, stream: undefined };
}

export function shownOf(id: unknown): Shown | undefined {
  return held.get(id)?.shown;
}

export function want(id: unknown, wanted: Wanted): void {
  held.get(id)?.want(wanted);
}

/** Opens the stream, unless somebody holds it or has just let go of it. @returns lets go of it */
export function hold(id: unknown, wanted: Wanted, onChange: () => void): () => void {
  let mine = held.get(id);
  clearTimeout(mine?.timer);
  // Whoever comes after the last user of a stream that is over wants to try again.
  if (!mine || (mine.users.size === 0 && mine.shown.state.phase === 'closed')) held.set(id, (mine = open(wanted)));
  const { users } = mine;
  users.add(onChange);
  onChange();
  return () => {
    users.delete(onChange);
    if (users.size > 0) return;
    mine.timer = setTimeout(() => {
      held.delete(id);
      mine.shown.stream?.close();
    }, GRACE_MS);
  };
}

function open(wanted: Wanted): HeldStream {
  const { url, key, share } = wanted as Wanted & { readonly url: Url };
  // One object for as long as the stream is: it reads its options when it needs them.
  const options = {} as { -readonly [Name in keyof Wanted]: Wanted[Name] } & { readonly text?: undefined };
  const mine: HeldStream = {
    shown: nothing(wanted),
    users: new Set(),
    want(latest) {
      const { snapshot } = latest;
      const taking: AnyReading['snapshot'] = async (why, signal) => {
        const taken = await snapshot!(why, signal);
        if (taken?.data !== undefined && !signal.aborted) show({ data: taken.data });
        return taken;
      };
      Object.assign(options, latest, snapshot && { snapshot: taking });
    },
  };
  const show = (change: Partial<Shown>): void => {
    mine.shown = { ...mine.shown, ...change };
    for (const call of mine.users) call();
  };
  mine.want(wanted);
  const target: Url = typeof url === 'function' ? (attempt) => (options.url as typeof url)(attempt) : url;
  const stream = share ? share(key!, target, options) : openStream(target, options);
  stream.on('*', (event) => {
    const { reduce } = options;
    // Without `reduce`, what is not of the topics is no data.
    if (reduce || event.type !== RESET) show({ data: reduce ? reduce(mine.shown.data, event) : event.data });
  });
  stream.subscribe((state) => show({ stream, state }));
  return mine;
}
