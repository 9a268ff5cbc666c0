import type { StreamRequest } from '../http/stream-request.js';
import type { Hub } from '../hub/hub.js';
import type { Teller } from '../signals.js';
import type { Begin } from '../topic/begin.js';
import type { Principal } from '../topic/principal.js';
import type { Dialect } from '../wire/dialect.js';
import type { ConnectionSignals } from './signals.js';
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

/** A stream, for who hears of it: as users see it, with the request and what the framework answers that with. */
export interface Answering {
  readonly connection: SseConnection;
  readonly request: StreamRequest;
  readonly response: object;
}

/** What all streams of one route share. */
export interface ConnectionRoute {
  readonly settings: ConnectionSettings;
  /** How its streams speak. */
  readonly dialect: Dialect;
  /** Where its streams begin whose clients bring no id, unless what the handler returns says so. */
  readonly begin: Begin | undefined;
  /** Hears of the error that ended a stream; its client does not. */
  onFailed(stream: Answering, error: unknown): void;
  /** A listener of its signal, the application's own, has thrown. */
  onListenerFailed(stream: Answering, error: unknown): void;
  /** Calls `end()` of a response whose client has left: whoever waits for that, such as a session that is to be stored, hears of it. */
  endAbandoned(stream: Answering): void;
  /** Drops a request that has no response yet. */
  cutRequest(stream: Answering): void;
  /** Where the client is, as the adapter says; `undefined` when it does not know, or the client has left. */
  addressOf(stream: Answering): string | undefined;
}

/** The request that a stream answers, and how. */
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

/** What the streams of one process share. */
export interface StreamHost {
  readonly hub: Hub;
  readonly wheel: Wheel;
  readonly rules: TopicRules;
  readonly signals: Teller<ConnectionSignals>;
  /** Whether the application hears of what happens to its streams: then it is in the context of their requests. */
  readonly isHeard: boolean;
  /** It is over. Said once of each. */
  closed(stream: object): void;
}
