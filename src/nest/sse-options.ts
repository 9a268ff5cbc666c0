import type { RequestMethod } from '@nestjs/common';
import type { Authenticate, Authorize } from '../access/rules.js';
import type { SseConnection } from '../connection/sse-connection.js';
import type { Engine } from '../engine/engine.js';
import type { EngineState } from '../feed/engine-health.js';
import type { ErrorContext } from '../node/reporter.js';
import type { Begin } from '../topic/begin.js';
import type { TopicDefinition } from '../topic/define.js';
import type { HistoryOptions } from '../topic/history.js';
import type { CloseReason, RefusalReason, ResetReason } from '../wire/words.js';

/** What can be set for every stream, and again for each route. */
export interface StreamSettings {
  /**
   * How long a client waits before it reconnects, in whole ms; sent at the start of each stream. `false`: not sent.
   *
   * Minimum: `0`; at most `3_600_000`.
   *
   * @default 3_000
   */
  readonly retryMs?: number | false | undefined;
  /**
   * A comment is sent when a stream was silent that long, in ms, so that proxies and clients know it is alive. `false`: none.
   *
   * Minimum: `1`; kept to 25 ms.
   *
   * @default 15_000
   */
  readonly heartbeatMs?: number | false | undefined;
  /**
   * Ends each stream after 80 to 100 % of that many ms; clients come back and resume. `false`: never.
   *
   * Minimum: `1`; kept to 25 ms.
   *
   * @default false
   */
  readonly maxLifetimeMs?: number | false | undefined;
  /**
   * A stream whose client has not taken all of what was written to it for that long, in ms, ends with the reason
   * `slow-consumer`. `false`: never, until the network gives the client up.
   *
   * Minimum: `1`; kept to 25 ms.
   *
   * @default 120_000
   */
  readonly stallTimeoutMs?: number | false | undefined;
  /**
   * How many bytes of one stream may wait for a client that reads slowly. Topics stay within it by themselves and a
   * source that can be asked to wait is; when anything else would exceed it, the stream ends with the reason
   * `slow-consumer`.
   *
   * Minimum: `1_024`.
   *
   * @default 1_048_576
   */
  readonly maxPendingBytes?: number | undefined;
  /**
   * Whether the streams of clients that accept gzip are compressed. What readers of a topic get is compressed once for all of
   * them, and what is of one stream alone for itself. What is secret should not go out beside what others can make up: see SECURITY.md.
   *
   * @default false
   */
  readonly compression?: boolean | undefined;
}

/** What can be set for one stream route, or on a controller for all of its. */
export interface SseStreamOptions extends StreamSettings {
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
}

/** The options of `SseModule.forRoot()`, each with a safe default. */
export interface SseModuleOptions extends StreamSettings {
  /**
   * Where events are kept and how nodes hear of each other.
   *
   * @default memoryEngine()
   */
  readonly engine?: Engine | undefined;
  /**
   * How much of each topic is kept for clients that come back. `false`: nothing.
   *
   * @default { maxEvents: 1_000, maxBytes: 1_048_576, maxAgeMs: 600_000 }
   */
  readonly history?: HistoryOptions | false | undefined;
  readonly limits?:
    | {
        /**
         * How many topics and patterns one connection may read.
         *
         * Minimum: `1`.
         *
         * @default 1_000
         */
        readonly topicsPerConnection?: number | undefined;
        /**
         * How many of them may be patterns: each is matched with every event that is published.
         *
         * Minimum: `1`.
         *
         * @default 100
         */
        readonly patternsPerConnection?: number | undefined;
        /**
         * How many streams may be open in this process. Whoever is too many is told to come back later.
         *
         * Minimum: `1`.
         *
         * @default Infinity
         */
        readonly connections?: number | undefined;
        /**
         * How many of them may be of one principal.
         *
         * Minimum: `1`.
         *
         * @default Infinity
         */
        readonly connectionsPerPrincipal?: number | undefined;
        /**
         * How many of them may come from one IPv4 address, or one IPv6 network of 64 bits. Behind a proxy, set the adapter's
         * own option to trust it, or all clients have the proxy's address.
         *
         * Minimum: `1`.
         *
         * @default Infinity
         */
        readonly connectionsPerAddress?: number | undefined;
      }
    | undefined;
  /** How streams end when the application shuts down. */
  readonly drain?:
    | {
        /**
         * Over how many ms the ends are spread, so that not all clients come back at once.
         *
         * @default 0
         */
        readonly windowMs?: number | undefined;
        /**
         * After how many ms a stream that has not ended is cut.
         *
         * @default 5_000
         */
        readonly deadlineMs?: number | undefined;
      }
    | undefined;
  /** Topic definitions; further ones come with `SseModule.forFeature()`. */
  readonly topics?: readonly TopicDefinition[] | undefined;
  /** Finds out who asks, for `StreamGuard` and the hub route. */
  readonly authenticate?: Authenticate | undefined;
  /** Asked for every topic that a connection wants, unless the topic's definition has its own. `'public'`: everyone may read everything. */
  readonly authorize?: Authorize | 'public' | undefined;
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
