import { MAX_TIMER_MS, number, trueOrFalse } from '../rules.js';
import type { Rule, Rules } from '../rules.js';
import { MAX_RETRY_MS } from '../wire/event.js';

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
   * A comment is sent when a stream was silent that long, in ms, so that proxies and clients know it is alive. The period is announced at the
   * start of each stream. `false`: none.
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
  /**
   * Whether each event of a topic has a comment that names it, for clients of several topics: `: topic stocks/AAPL`. Events of a source
   * and of `connection.send()` have none. Clients see the names then.
   *
   * @default false
   */
  readonly nameTopics?: boolean | undefined;
}

/** The same after all defaults. */
export interface ResolvedSettings {
  readonly retryMs: number | false;
  readonly heartbeatMs: number | false;
  readonly maxLifetimeMs: number | false;
  readonly stallTimeoutMs: number | false;
  readonly maxPendingBytes: number;
  readonly compression: boolean;
  readonly nameTopics: boolean;
}

export const DEFAULT_SETTINGS: ResolvedSettings = {
  retryMs: 3_000,
  heartbeatMs: 15_000,
  maxLifetimeMs: false,
  stallTimeoutMs: 120_000,
  maxPendingBytes: 1_048_576,
  compression: false,
  nameTopics: false,
};

const duration: Rule = {
  expected: 'ms of at least 1, or false',
  allows: (value) => value === false || number(1, MAX_TIMER_MS).allows(value),
};

export const SETTING_RULES: Rules<StreamSettings> = {
  retryMs: {
    expected: `whole ms from 0 to ${MAX_RETRY_MS}, or false`,
    allows: (value) => value === false || (Number.isSafeInteger(value) && number(0, MAX_RETRY_MS).allows(value)),
  },
  heartbeatMs: duration,
  maxLifetimeMs: duration,
  stallTimeoutMs: duration,
  maxPendingBytes: { expected: 'bytes of at least 1024', allows: number(1_024).allows },
  compression: trueOrFalse,
  nameTopics: trueOrFalse,
};

/** Lays the settings of a route over those of the module. They have passed {@link SETTING_RULES}. */
export function layOver(base: ResolvedSettings, given: StreamSettings): ResolvedSettings {
  const {
    retryMs = base.retryMs,
    heartbeatMs = base.heartbeatMs,
    maxLifetimeMs = base.maxLifetimeMs,
    stallTimeoutMs = base.stallTimeoutMs,
    maxPendingBytes = base.maxPendingBytes,
    compression = base.compression,
    nameTopics = base.nameTopics,
  } = given;
  return { retryMs, heartbeatMs, maxLifetimeMs, stallTimeoutMs, maxPendingBytes, compression, nameTopics };
}
