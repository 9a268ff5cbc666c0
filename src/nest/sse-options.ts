import type { RequestMethod } from '@nestjs/common';
import type { Engine } from '../engine/engine.js';
import { memoryEngine } from '../engine/memory.js';
import { SseError, describe } from '../errors.js';
import type { SseConnection, StreamRequest } from '../connection/sse-connection.js';
import type { Principal, TopicDefinition } from '../topic/define.js';
import { historyProblem } from '../topic/history.js';
import type { HistoryOptions } from '../topic/history.js';

/** Finds out who asks. `null` when nobody can be made out. */
export type Authenticate = (request: StreamRequest) => Principal | null | Promise<Principal | null>;

/** Decides whether someone may read a topic; `params` are those of the topic's definition, if it has one. */
export type Authorize = (
  principal: Principal | null,
  topic: string,
  params: Readonly<Record<string, string>>,
) => boolean | Promise<boolean>;

/** What can be set for every stream, and again for each route. */
export interface StreamSettings {
  /**
   * How long a client waits before it reconnects, in whole ms; sent at the start of each stream. `false`: not sent.
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
   * How many bytes of one stream may wait for a client that reads slowly. Topics stay within it by themselves and a
   * source that can be asked to wait is; when anything else would exceed it, the stream ends with the reason
   * `slow-consumer`.
   *
   * Minimum: `1_024`.
   *
   * @default 1_048_576
   */
  readonly maxPendingBytes?: number | undefined;
}

/** What can be set for one stream route, or on a controller for all of its. */
export interface SseStreamOptions extends StreamSettings {
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
  /** Hears of errors that no caller can be given: a source that failed, an event of an Observable that could not be published, engine trouble. */
  readonly onError?: ((error: unknown, context: ErrorContext) => void) | undefined;
}

export interface HubRouteOptions {
  readonly path: string;
}

export interface ErrorContext {
  readonly connection?: SseConnection | undefined;
  readonly topic?: string | undefined;
}

/** The options after all defaults. */
export interface ResolvedOptions {
  readonly engine: Engine;
  readonly history: Required<HistoryOptions> | false;
  readonly settings: ResolvedSettings;
  readonly topicsPerConnection: number;
  readonly drain: { readonly windowMs: number; readonly deadlineMs: number };
  readonly topics: readonly TopicDefinition[];
  readonly authenticate: Authenticate | undefined;
  readonly authorize: Authorize | 'public' | undefined;
  readonly hub: HubRouteOptions | undefined;
  readonly onError: (error: unknown, context: ErrorContext) => void;
}

export interface ResolvedSettings {
  readonly retryMs: number | false;
  readonly heartbeatMs: number | false;
  readonly maxLifetimeMs: number | false;
  readonly maxPendingBytes: number;
}

export const DEFAULT_SETTINGS: ResolvedSettings = {
  retryMs: 3_000,
  heartbeatMs: 15_000,
  maxLifetimeMs: false,
  maxPendingBytes: 1_048_576,
};
const DEFAULT_HISTORY = { maxEvents: 1_000, maxBytes: 1_048_576, maxAgeMs: 600_000 };
const NAMES: ReadonlySet<string> = new Set([
  ...Object.keys(DEFAULT_SETTINGS),
  ...['engine', 'history', 'limits', 'drain', 'topics', 'authenticate', 'authorize', 'hub', 'onError'],
]);

/**
 * Checks the module's options and fills in the defaults.
 *
 * @throws SseError `invalid-options`, naming the option
 */
export function resolveOptions(options: SseModuleOptions = {}): ResolvedOptions {
  checkNames('SseModule', options, NAMES);
  const {
    engine = memoryEngine(),
    history,
    limits = {},
    drain = {},
    topics = [],
    authenticate,
    authorize,
    hub,
  } = options;
  const { onError = () => undefined } = options;
  check(
    typeof (engine as Partial<Engine>)?.append === 'function',
    'engine',
    'an engine, such as memoryEngine()',
    engine,
  );
  const wrong = history === undefined ? undefined : historyProblem(history);
  if (wrong !== undefined) throw new SseError('invalid-options', `SseModule: ${wrong}`);
  checkNames('SseModule: limits', limits, new Set(['topicsPerConnection']));
  const { topicsPerConnection = 1_000 } = limits;
  check(isAtLeast(topicsPerConnection, 1), 'limits.topicsPerConnection', 'a number of at least 1', topicsPerConnection);
  checkNames('SseModule: drain', drain, new Set(['windowMs', 'deadlineMs']));
  const { windowMs = 0, deadlineMs = 5_000 } = drain;
  check(isDuration(windowMs, 0), 'drain.windowMs', 'a number of ms', windowMs);
  check(isDuration(deadlineMs, 0), 'drain.deadlineMs', 'a number of ms', deadlineMs);
  check(Array.isArray(topics), 'topics', 'an array of topic definitions', topics);
  check(authenticate === undefined || typeof authenticate === 'function', 'authenticate', 'a function', authenticate);
  check(
    authorize === undefined || authorize === 'public' || typeof authorize === 'function',
    'authorize',
    "a function or 'public'",
    authorize,
  );
  check(hub === undefined || typeof hub?.path === 'string', 'hub.path', 'a string', hub?.path);
  check(
    hub === undefined || authorize !== undefined,
    'authorize',
    "a function or 'public' when `hub` is set",
    authorize,
  );
  check(typeof onError === 'function', 'onError', 'a function', onError);
  return {
    engine,
    history: history === false ? false : { ...DEFAULT_HISTORY, ...definedOnly(history ?? {}) },
    settings: resolveSettings(DEFAULT_SETTINGS, options, 'SseModule'),
    topicsPerConnection,
    drain: { windowMs, deadlineMs },
    topics,
    authenticate,
    authorize,
    hub,
    onError,
  };
}

/**
 * Lays the settings of a route over those of the module.
 *
 * @throws SseError `invalid-options`, naming the option
 */
export function resolveSettings(base: ResolvedSettings, given: StreamSettings, where: string): ResolvedSettings {
  const { retryMs = base.retryMs, heartbeatMs = base.heartbeatMs } = given;
  const { maxLifetimeMs = base.maxLifetimeMs, maxPendingBytes = base.maxPendingBytes } = given;
  check(
    retryMs === false || (Number.isSafeInteger(retryMs) && retryMs >= 0),
    'retryMs',
    'whole ms of at least 0, or false',
    retryMs,
    where,
  );
  check(
    heartbeatMs === false || isDuration(heartbeatMs, 1),
    'heartbeatMs',
    'ms of at least 1, or false',
    heartbeatMs,
    where,
  );
  check(
    maxLifetimeMs === false || isDuration(maxLifetimeMs, 1),
    'maxLifetimeMs',
    'ms of at least 1, or false',
    maxLifetimeMs,
    where,
  );
  check(isAtLeast(maxPendingBytes, 1_024), 'maxPendingBytes', 'bytes of at least 1024', maxPendingBytes, where);
  return { retryMs, heartbeatMs, maxLifetimeMs, maxPendingBytes };
}

/** @throws SseError `invalid-options` when a name is not one of an option */
export function checkNames(where: string, given: unknown, names: ReadonlySet<string>): void {
  if (typeof given !== 'object' || given === null) {
    throw new SseError('invalid-options', `${where}: the options must be an object, got ${describe(given)}`);
  }
  for (const name of Object.keys(given)) {
    if (names.has(name)) continue;
    throw new SseError(
      'invalid-options',
      `${where}: there is no option ${describe(name)}; there are ${[...names].join(', ')}`,
    );
  }
}

function check(holds: boolean, name: string, expected: string, got: unknown, where = 'SseModule'): void {
  if (!holds) throw new SseError('invalid-options', `${where}: ${name} must be ${expected}, got ${describe(got)}`);
}

function isAtLeast(value: unknown, minimum: number): boolean {
  return typeof value === 'number' && value >= minimum;
}

function isDuration(value: unknown, minimum: number): boolean {
  return typeof value === 'number' && value >= minimum && value < 2 ** 31;
}

function definedOnly(history: HistoryOptions): HistoryOptions {
  return Object.fromEntries(Object.entries(history).filter(([, value]) => value !== undefined));
}
