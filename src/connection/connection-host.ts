import type { StreamRequest } from '../http/stream-request.js';
import type { Hub } from '../hub/hub.js';
import type { Begin } from '../topic/begin.js';
import type { Principal } from '../topic/principal.js';
import type { Dialect } from '../wire/dialect.js';
import type { ResetReason, CloseReason } from '../wire/words.js';
import type { SseConnection } from './sse-connection.js';
import type { TimedSettings } from './timekeeper.js';
import type { TopicRules } from './topic-set.js';
import type { Wheel } from './wheel.js';

export interface ConnectionSettings extends TimedSettings {
  readonly retryMs: number | false;
  readonly maxPendingBytes: number;
}

/** What a client that is told to come back waits at least, in ms, also where streams say nothing of it. */
export function retryMsOf({ retryMs }: ConnectionSettings): number {
  return retryMs || 3_000;
}

/** A connection with what the framework answers its request with. */
export interface AnsweringConnection extends SseConnection {
  readonly response: object;
}

/** What all connections of one route share. */
export interface ConnectionRoute {
  readonly settings: ConnectionSettings;
  /** How its streams speak. */
  readonly dialect: Dialect;
  /** Where its streams begin whose clients bring no id, unless what the handler returns says so. */
  readonly begin: Begin | undefined;
  /** Hears of the error that ended a stream; its client does not. */
  onFailed(connection: AnsweringConnection, error: unknown): void;
  /** A listener of its signal, the application's own, has thrown. */
  onListenerFailed(connection: AnsweringConnection, error: unknown): void;
  /** Calls `end()` of a response whose client has left: whoever waits for that, such as a session that is to be stored, hears of it. */
  endAbandoned(connection: AnsweringConnection): void;
  /** Drops a request that has no response yet. */
  cutRequest(connection: AnsweringConnection): void;
  /** Where the client is, as the adapter says; `undefined` when it does not know, or the client has left. */
  addressOf(connection: AnsweringConnection): string | undefined;
}

/** The request that a connection answers, and how. */
export interface ConnectionRequest {
  readonly request: StreamRequest;
  /** The framework's own, for exception filters. */
  readonly response: object;
  readonly route: ConnectionRoute;
  readonly lastEventId: string | undefined;
  readonly principal: Principal | null;
  /** The names and patterns that it may read at most; `undefined`: no such bound. */
  readonly grantedTopics: readonly string[] | undefined;
}

/** What connections share in one process. */
export interface ConnectionHost extends TopicRules {
  readonly hub: Hub;
  readonly wheel: Wheel;
  /** Whether the application is told of what happens to its streams. */
  readonly hasHooks: boolean;
  onClosed(connection: SseConnection, reason: CloseReason): void;
  onReset(connection: SseConnection, reason: ResetReason, topics: readonly string[]): void;
  /** A client does not keep up: its topics have gone on without it, or its stream is ended for it. */
  onSlow(connection: SseConnection): void;
}
