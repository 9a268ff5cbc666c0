import type { RequestMethod } from '@nestjs/common';
import type { AccessSettings } from '../access/options.js';
import type { SseConnection } from '../connection/sse-connection.js';
import type { StreamSettings } from '../connection/stream-settings.js';
import type { EngineState } from '../feed/engine-health.js';
import type { NodeSettings } from '../node/options.js';
import type { ErrorContext } from '../node/reporter.js';
import type { ResumeAt } from '../node/resume-at.js';
import type { Begin } from '../topic/begin.js';
import type { WireProfile } from '../wire/profile.js';
import type { CloseReason, RefusalReason, ResetReason } from '../wire/words.js';

/** What can be set for one stream route, or on a controller for all of its. */
export interface SseStreamOptions extends StreamSettings {
  /**
   * The head of a stream waits for the first event of its source, for `waitMs` at most: what fails before that, the handler included, is answered
   * with a status. An error with a `status` or `statusCode` from 400 to 599, such as those of the clients of language models, has that
   * status, and its `Retry-After`; nothing else of it is told. Minimum: `1`.
   *
   * @default none: the head goes out as soon as the handler has returned
   */
  readonly commit?: CommitOptions | undefined;
  /**
   * Where the topics of a stream begin whose client brings no id: `'now'`, `'start'`, `{ last }`, `{ sinceMs }`, or behind the event with an id.
   * What the handler returns may say so itself, with `from()`, and that comes first.
   *
   * @default what the definitions of the topics say: `'now'`
   */
  readonly from?: Begin | undefined;
  /** Further headers of the response. They win over the module's own, but for `Content-Type` and what delimits the body. */
  readonly headers?: Readonly<Record<string, string | string[]>> | undefined;
  /**
   * The HTTP method of the route; not for a controller.
   *
   * @default RequestMethod.GET
   */
  readonly method?: RequestMethod | undefined;
  /**
   * How a request is answered for which the handler gives `undefined` or `null`: `204` without a body, which keeps an `EventSource` away, or
   * `404` through the exception filters.
   *
   * @default what the profile `wire` says, or else that is an error of the code `not-a-source`
   */
  readonly none?: 204 | 404 | undefined;
  /**
   * With `'negotiate'` the client chooses, by the `stream` of its JSON body or by its `Accept` header, between a stream and one JSON document of all
   * events, for which the answer waits until the source has ended. The document is what `wire.reduce` makes of the events, or an array of
   * their data.
   *
   * @default 'stream'
   */
  readonly respond?: 'stream' | 'negotiate' | undefined;
  /**
   * Where a client goes on, by `GET` and with its `Last-Event-ID`, whose answer was cut; sent as the header `Content-Location`. For routes
   * whose request is not to be repeated, such as a `POST` that begins what it streams: the place is a `GET` route that streams the same
   * topic. A URL in visible ASCII characters, which may be relative to that of the request; or a function that gives one when the handler
   * has returned, for each answer, and `undefined` for none. `connection.topics` has what is streamed then. What it throws is answered as what
   * the handler throws.
   *
   * @default none
   */
  readonly resumeAt?: ResumeAt | undefined;
  /**
   * How its streams speak, to clients that were made for another protocol: one of `nestjs-event-stream/ai`, or one of your own.
   *
   * @default Server-Sent Events as docs/protocol.md has them
   */
  readonly wire?: WireProfile | undefined;
}

/** For what the head of a stream waits. */
export interface CommitOptions {
  /** For so long at most, in ms. Then the stream opens, and its heartbeats begin. */
  readonly waitMs: number;
}

/** The options of `SseModule.forRoot()`, each with a safe default. */
export interface SseModuleOptions extends StreamSettings, AccessSettings, NodeSettings {
  /** A ready-made route that streams the topics its query names: `GET /events?topic=a&topic=b`. Needs `authorize`. */
  readonly hub?: HubRouteOptions | undefined;
  /** Called when something happens to a stream. What they throw is logged. */
  readonly hooks?: StreamHooks | undefined;
  /** Hears of errors that no caller can be given: a source that failed, an event of an Observable that could not be published, engine trouble. */
  readonly onError?: ((error: unknown, context: ErrorContext) => void) | undefined;
}

/** What can be heard of streams. Nothing waits for these: they must be quick. */
export interface StreamHooks {
  readonly onOpened?: ((connection: SseConnection) => void) | undefined;
  readonly onClosed?: ((connection: SseConnection, reason: CloseReason) => void) | undefined;
  /** A client was told that events are missing. */
  readonly onReset?: ((connection: SseConnection, reason: ResetReason, topics: readonly string[]) => void) | undefined;
  /** A client does not keep up with its topics, or is about to be ended for that. */
  readonly onSlow?: ((connection: SseConnection) => void) | undefined;
  /** A stream was not opened; its client was told to come back later. */
  readonly onRefused?: ((connection: SseConnection, reason: RefusalReason) => void) | undefined;
  /**
   * The engine does its work no longer, or again. Streams stay open meanwhile, and catch up by themselves.
   *
   * @param error what went wrong; `undefined` with `up`
   */
  readonly onEngineState?: ((state: EngineState, error: unknown) => void) | undefined;
}

export interface HubRouteOptions {
  readonly path: string;
}
