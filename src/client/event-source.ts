import { HttpStream } from './http-stream.js';
import type { DebugFrame, StreamOptions } from './options.js';
import { urlOf } from './request.js';
import type { StreamState } from './state.js';

/** Those of a stream, but for what `EventSource` has no way to tell of. `heartbeat` is 0 by default, and `connectTimeout` is `Infinity`. */
export type EventSourceOptions = Omit<StreamOptions, 'text' | 'snapshot'>;

/** Why there is no stream: what browsers keep to themselves. An event that the server itself calls `error` has none of it, but `data`. */
export interface EventSourceErrorEvent extends Event {
  /** Of the answer, when there was one that is no stream. */
  readonly status?: number | undefined;
  readonly reason?: Extract<StreamState, { phase: 'waiting' | 'closed' }>['reason'];
  /** Of the network, or what has ended it: then a `StreamError`. */
  readonly error?: unknown;
}

/** The events of each name; any other is a `MessageEvent`. */
export interface EventSourceEvents {
  readonly open: Event;
  readonly message: MessageEvent<string>;
  readonly error: EventSourceErrorEvent;
}

type Handler<Type extends keyof EventSourceEvents> =
  ((this: EventSource, event: EventSourceEvents[Type]) => unknown) | null;

type Listener<Type extends string> =
  | ((
      this: EventSource,
      event: Type extends keyof EventSourceEvents ? EventSourceEvents[Type] : MessageEvent<string>,
    ) => unknown)
  | EventListenerObject
  | null;

/** Events of a server, as WHATWG HTML 9.2 has them. */
export interface EventSource extends EventTarget {
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSED: 2;
  readonly url: string;
  readonly withCredentials: boolean;
  readonly readyState: number;
  onopen: Handler<'open'>;
  onmessage: Handler<'message'>;
  onerror: Handler<'error'>;
  addEventListener<Type extends string>(
    type: Type,
    listener: Listener<Type>,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Type extends string>(
    type: Type,
    listener: Listener<Type>,
    options?: boolean | EventListenerOptions,
  ): void;
  /** Ends it without an event. */
  close(): void;
}

export interface EventSourceConstructor {
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSED: 2;
  readonly prototype: EventSource;
  /**
   * @param url relative to the page, where there is one
   * @throws DOMException `SyntaxError` when it is no URL
   * @throws TypeError when an option is none
   */
  new (url: string | URL, options?: EventSourceOptions): EventSource;
}

type EventKind = new (type: string, fields?: object) => Event;

/** All that any state may have. */
type AnyState = Partial<Omit<Extract<StreamState, { phase: 'closed' | 'waiting' }>, 'phase'>> &
  Pick<StreamState, 'phase'>;

/**
 * `EventSource` to the letter of the standard, with the options of `openStream`: any answer but a stream ends it, a lost connection is opened again behind the
 * last id, and each event is dispatched as it is. Its `error` events say why (`status`, `reason`, `error`), and what a server has ended for good is `CLOSED` at once.
 *
 * @example
 * ```ts
 * const source = new EventSource('https://other.example/stocks', { headers: { authorization: 'Bearer …' }, retryInterval: 500 });
 * source.onmessage = (event) => show(event.data);
 * source.onerror = (event) => console.warn(event.reason, event.status);
 * ```
 */
// Within a function that bundlers know as pure: they leave it out where it is not used.
export const EventSource: EventSourceConstructor = /* @__PURE__ */ defineEventSource();

function defineEventSource(): EventSourceConstructor {
  // React Native has an EventTarget only there.
  const Target = globalThis.EventTarget ?? (Object.getPrototypeOf(AbortSignal) as typeof EventTarget);

  class StandardSource extends Target {
    #stream: HttpStream;
    #url: string;
    #withCredentials: boolean;
    #readyState = 0;
    readonly #handlers: Record<string, unknown> = {};
    readonly #handle = (event: Event): void => {
      const handler = this.#handlers[event.type];
      if (typeof handler === 'function') handler.call(this, event);
    };

    static {
      const define = (name: string, own: PropertyDescriptor & ThisType<StandardSource>, on: object = this.prototype) =>
        Object.defineProperty(on, name, { enumerable: true, ...own });
      ['CONNECTING', 'OPEN', 'CLOSED'].forEach((name, value) => {
        define(name, { value });
        define(name, { value }, this);
      });
      for (const name of ['url', 'withCredentials', 'readyState', 'close']) define(name, {});
      for (const type of ['open', 'message', 'error'])
        define(`on${type}`, {
          configurable: true,
          get() {
            return this.#handlers[type] ?? null;
          },
          set(handler: unknown) {
            const isOne = Object(handler) === handler;
            this.#handlers[type] = isOne ? handler : null;
            // One that is there already keeps its place among the listeners.
            this[isOne ? 'addEventListener' : 'removeEventListener'](type, this.#handle);
          },
        });
    }

    constructor(url: string | URL, init: EventSourceOptions | null = {}) {
      super();
      try {
        this.#url = urlOf(url).href;
      } catch (error) {
        throw new (globalThis.DOMException ?? SyntaxError)(String(error), 'SyntaxError');
      }
      this.#withCredentials = !!init?.withCredentials;
      const { retryOn = () => false, heartbeat = 0, connectTimeout = Infinity, resumeIn = 'header' } = { ...init };
      let origin: string;
      const debug = (frame: DebugFrame): void => {
        if (frame.kind === 'response') ({ origin } = new URL(frame.response.url || this.#url));
        if (frame.kind === 'event') {
          const { type, text: data, lastEventId } = frame;
          this.#fire(type, { data, origin, lastEventId }, globalThis.MessageEvent);
        }
        if (frame.kind === 'state') {
          const { phase, reason, status, error } = frame.state as AnyState;
          this.#readyState = phase === 'open' ? 1 : phase === 'closed' ? 2 : 0;
          if (phase === 'open') this.#fire('open');
          // Nobody is called of a page that is being left.
          else if (reason && reason !== 'page' && reason !== 'aborted') this.#fire('error', { status, reason, error });
        }
        init?.debug?.(frame);
      };
      this.#stream = new HttpStream(this.#url, { ...init, retryOn, heartbeat, connectTimeout, resumeIn, debug });
      // Where nobody listens the stream would stop reading.
      this.#stream.on('*', () => undefined);
    }

    get [Symbol.toStringTag](): string {
      return 'EventSource';
    }

    get url(): string {
      return this.#url;
    }

    get withCredentials(): boolean {
      return this.#withCredentials;
    }

    get readyState(): number {
      return this.#readyState;
    }

    close(): void {
      this.#stream.close();
    }

    #fire(type: string, fields?: object, Kind: EventKind | undefined = globalThis.Event): void {
      // The EventTarget of React Native takes any object.
      const event = Kind ? new Kind(type, fields) : ({ type } as Event);
      // Those of a MessageEvent are there already, and stay.
      for (const [name, value] of Object.entries({ ...fields })) Reflect.set(event, name, value);
      this.dispatchEvent(event);
    }
  }
  return StandardSource as unknown as EventSourceConstructor;
}
