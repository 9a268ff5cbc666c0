import type { AnyEvents, Reset, TextTypes } from './events.js';
import type { StreamState, WaitReason } from './state.js';

/** A try to open a stream, for what is asked anew each time. */
export interface Attempt {
  /** 1, and one more for each failure since the stream was healthy. */
  readonly number: number;
  /** Where it resumes; empty at the beginning. */
  readonly lastEventId: string;
  /** Why there is another one, and with what status the last was answered. */
  readonly reason: WaitReason | undefined;
  readonly status: number | undefined;
  /** Aborted when nobody waits for it any more. */
  readonly signal: AbortSignal;
}

/** Where a stream is. A function is asked for each attempt: for a new `?ticket=`. */
export type Url = string | URL | ((attempt: Attempt) => string | URL | Promise<string | URL>);

/** What `fetch` has that is used: for platforms whose own cannot stream. */
export type FetchLike = (url: string, init: RequestInit) => Promise<Response>;

/** What goes over the wire, for a log. */
export type DebugFrame =
  | { readonly kind: 'request'; readonly url: string; readonly method: string; readonly lastEventId: string }
  | { readonly kind: 'response'; readonly response: Response }
  | { readonly kind: 'event'; readonly type: string; readonly text: string; readonly lastEventId: string }
  | { readonly kind: 'id' | 'comment'; readonly text: string }
  | { readonly kind: 'retry'; readonly ms: number }
  | { readonly kind: 'state'; readonly state: StreamState };

/** How a stream is opened, and opened again. */
export interface StreamOptions<E extends object = AnyEvents> {
  /** @default 'GET', with a body 'POST' */
  readonly method?: string | undefined;
  readonly body?: BodyInit | undefined;
  /**
   * Headers of the request. A function is asked for each attempt, and once more at once when the answer was `401`: for a token that
   * runs out.
   */
  readonly headers?: HeadersInit | ((attempt: Attempt) => HeadersInit | Promise<HeadersInit>) | undefined;
  /**
   * Sends cookies to other origins too.
   *
   * @default false
   */
  readonly withCredentials?: boolean | undefined;
  /**
   * How long to wait before the next attempt, in ms, until the server says so itself (`retry:`). Behind it come up to half as much after
   * the first failure, and up to twice, four times … as much after further ones.
   *
   * @default 1_000
   */
  readonly retryInterval?: number | undefined;
  /**
   * The most that failures add to that, in ms.
   *
   * @default 30_000
   */
  readonly maxRetryInterval?: number | undefined;
  /**
   * How many failures in a row are borne; one more ends the stream with the reason `lost`. A stream that was open for 10 s, or that the
   * server has ended with a word, was healthy; while the browser is offline nothing counts.
   *
   * @default Infinity
   */
  readonly retries?: number | undefined;
  /**
   * How long to wait for an answer, in ms, with what `headers` and `url` take.
   *
   * @default 30_000
   */
  readonly connectTimeout?: number | undefined;
  /**
   * How often the server says something at least, in ms. A stream that is silent for two and a bit of these (2 × + at most 5 s) is opened
   * again. `false`: it may be silent. `0`: it may be silent until the server announces how often it speaks.
   *
   * @default what the server announces, else 15_000
   */
  readonly heartbeat?: number | false | undefined;
  /**
   * Whether to send the same request again. What was begun by another method may not be begun twice: when it is cut, the stream goes on by
   * `GET` where the answer has said (`Content-Location`), or ends with the reason `lost`.
   *
   * @default true for GET and QUERY
   */
  readonly reconnect?: boolean | undefined;
  /** Decides on an answer that is no stream: whether to try again, or after how many ms. `undefined`: as usual. */
  readonly retryOn?: ((answer: { status: number; response: Response }) => boolean | number | undefined) | undefined;
  /** Where to begin: the `lastEventId` of an event, kept with the state that belongs to it. */
  readonly lastEventId?: string | (() => string | undefined) | undefined;
  /**
   * How to say where to resume. `auto` is the header `Last-Event-ID`, except across origins where there are no other headers: there the
   * query `lastEventId` saves a preflight.
   *
   * @default 'auto'
   */
  readonly resumeIn?: 'auto' | 'header' | 'query' | undefined;
  /**
   * Loads the state of all that the stream shows, and gives the place in the stream that it is of: read before the state is. It is called before the first
   * attempt, unless there is a place to begin, and whenever events are missing.
   */
  readonly snapshot?:
    | ((
        why: Reset | { readonly reason: 'start' },
        signal: AbortSignal,
      ) => Promise<{ readonly lastEventId?: string } | void>)
    | undefined;
  /** Ends the stream with the reason `aborted`. */
  readonly signal?: AbortSignal | undefined;
  /** @default globalThis.fetch */
  readonly fetch?: FetchLike | undefined;
  /** Is told of everything. */
  readonly debug?: ((frame: DebugFrame) => void) | undefined;
  /**
   * How many characters an event may have.
   *
   * @default 16_777_216
   */
  readonly maxBufferSize?: number | undefined;
  /**
   * Makes a typed stream: the types whose data is text; that of all others is JSON. Absent: all data is given as text.
   */
  readonly text?: TextOption<E> | undefined;
}

/** Nobody may forget the types that are text: the two cannot be told apart on the wire. */
type TextOption<E extends object> = [TextTypes<E>] extends [never]
  ? readonly []
  : readonly [TextTypes<E>, ...TextTypes<E>[]];

/** Of a typed stream `text` is required. */
export type TypedOptions<E extends object> = StreamOptions<E> & { readonly text: TextOption<E> };
