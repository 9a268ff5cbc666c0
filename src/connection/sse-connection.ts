import type { StreamRequest } from '../http/stream-request.js';
import type { Principal } from '../topic/principal.js';
import type { SseEvent, SseNotice } from '../wire/event.js';
import type { EndReason } from '../wire/words.js';
import type { Selection } from './selection.js';

/** One open response, as a route handler sees it through `@Connection()`. */
export interface SseConnection {
  /** Unique among all nodes. */
  readonly id: string;
  /** Who listens; `null` when nobody was authenticated. */
  readonly principal: Principal | null;
  /**
   * Where the client is: the request's `ip`, which the adapter's proxy settings decide. It is asked for when a handler is given the
   * connection, when the application has hooks, or else when it is first read: then `undefined` if the client has left.
   */
  readonly address: string | undefined;
  readonly request: StreamRequest;
  /**
   * What the client has read up to, as it says itself: the header `Last-Event-ID`, else the query parameter `lastEventId`; on a route with a
   * wire profile, the id that this reads.
   */
  readonly lastEventId: string | undefined;
  /** Aborted when the stream is over, whoever ended it. */
  readonly signal: AbortSignal;
  /** The topics and patterns that this connection reads. */
  readonly topics: readonly string[];
  /**
   * Sends an event to this client only, or a bare value as `{ data: value }`. It is not in any log, so a client that
   * resumes does not get it again. Before the stream is open it waits; after its end it is dropped.
   *
   * @throws SseError `invalid-event`
   */
  send(event: SseEvent | SseNotice): void;
  /**
   * Reads a further topic or pattern, from the next event on.
   *
   * @throws SseError `forbidden`, `invalid-topic` or `too-many-topics`, as a rejection
   */
  subscribe(topic: string | Selection): Promise<void>;
  unsubscribe(topic: string | Selection): void;
  /**
   * Ends the stream, after what was sent before. The client is told the reason (`closed` unless given) and whether to
   * come back (as usual for the reason unless given: see `EndReason`).
   */
  close(options?: { readonly reason?: EndReason | undefined; readonly reconnect?: boolean | undefined }): void;
}
