import type { AnyEvents, ControlType, EventOf, StreamEvent } from './events.js';
import type { Url } from './options.js';
import type { ClosedState, StreamState } from './state.js';

/**
 * Events of a server, followed across its connections. There are three ways to read it: listeners, an iterator, and the state.
 * What comes before somebody reads waits for them: 64 events, then the stream itself stops reading.
 */
export interface Stream<E extends object = AnyEvents> extends AsyncIterable<StreamEvent<E>> {
  readonly state: StreamState;
  /** Where the events that have been handed out end: of the iterator the last one that it gave. Empty when there is none. */
  readonly lastEventId: string;
  /**
   * Of a request that may not be repeated: where its answer can be read on by `GET`, as that has said in `Content-Location`. With `lastEventId` it is all that a
   * page needs to keep for after a reload. `undefined`: not said.
   */
  readonly location: string | undefined;
  /** Resolves when the stream is over. Never rejects. */
  readonly closed: Promise<ClosedState>;
  /**
   * Calls for each event of a type, as it comes; with `*`, for each but `stream.end` and `stream.error`, which the state tells. What a listener throws goes to
   * `reportError`, and the others are called.
   *
   * @returns ends it
   */
  on<Type extends (keyof E & string) | '*' | ControlType>(
    type: Type,
    listener: (event: EventOf<E, Type>) => void,
  ): () => void;
  /** Calls with the state, at once and whenever there is a new one. @returns ends it */
  subscribe(listener: (state: StreamState) => void): () => void;
  /**
   * Opens it again at its place, if `url` is given there: for other topics. While it waits, ends the wait, at most once in 2 s. What is asked for
   * within 50 ms is done once. Does nothing for a request that may not be repeated, and when it is over.
   */
  reconnect(change?: { readonly url?: Url | undefined }): void;
  /** Ends it with the reason `aborted`. */
  close(): void;
  /**
   * The events as they come, to one loop. When 64 wait the stream reads no further, so that the server sees a slow reader. The loop ends behind `close()` and when the
   * stream is complete, once it has had all; leaving it closes the stream.
   *
   * @throws StreamError when the stream is over for any other reason
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<StreamEvent<E>>;
  /** The same as `close()`. */
  [Symbol.asyncDispose](): Promise<void>;
}
