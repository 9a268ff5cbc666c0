import type { Authenticate, Authorize } from '../access/rules.js';
import type { Engine } from '../engine/engine.js';
import { memoryEngine } from '../engine/memory.js';
import { SseError, describe } from '../errors.js';
import type { ConnectionLimits } from '../node/admission.js';
import type { ErrorContext } from '../node/reporter.js';
import type { TopicDefinition } from '../topic/define.js';
import { historyProblem } from '../topic/history.js';
import type { HistoryOptions } from '../topic/history.js';
import { MAX_RETRY_MS } from '../wire/event.js';
import type { HubRouteOptions, SseModuleOptions, StreamHooks, StreamSettings } from './sse-options.js';

/** The options after all defaults. */
export interface ResolvedOptions {
  readonly engine: Engine;
  readonly history: Required<HistoryOptions> | false;
  readonly settings: ResolvedSettings;
  readonly topicsPerConnection: number;
  readonly patternsPerConnection: number;
  readonly limits: ConnectionLimits;
  readonly hooks: StreamHooks;
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
  readonly stallTimeoutMs: number | false;
  readonly maxPendingBytes: number;
  readonly compression: boolean;
}

export const DEFAULT_SETTINGS: ResolvedSettings = {
  retryMs: 3_000,
  heartbeatMs: 15_000,
  maxLifetimeMs: false,
  stallTimeoutMs: 120_000,
  maxPendingBytes: 1_048_576,
  compression: false,
};
const DEFAULT_LIMITS = {
  topicsPerConnection: 1_000,
  patternsPerConnection: 100,
  connections: Infinity,
  connectionsPerPrincipal: Infinity,
  connectionsPerAddress: Infinity,
};
const HOOKS = new Set(['onOpened', 'onClosed', 'onReset', 'onSlow', 'onRefused', 'onEngineState']);
const DEFAULT_HISTORY = { maxEvents: 1_000, maxBytes: 1_048_576, maxAgeMs: 600_000 };
const NAMES: ReadonlySet<string> = new Set([
  ...Object.keys(DEFAULT_SETTINGS),
  ...['engine', 'history', 'limits', 'drain', 'topics', 'authenticate', 'authorize', 'hub', 'hooks', 'onError'],
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
  const { hooks = {}, onError = () => undefined } = options;
  check(
    typeof (engine as Partial<Engine>)?.append === 'function',
    'engine',
    'an engine, such as memoryEngine()',
    engine,
  );
  const wrong = history === undefined ? undefined : historyProblem(history);
  if (wrong !== undefined) throw new SseError('invalid-options', `SseModule: ${wrong}`);
  const { topicsPerConnection, patternsPerConnection, ...connectionLimits } = resolveLimits(limits);
  checkNames('SseModule: hooks', hooks, HOOKS);
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
    patternsPerConnection,
    limits: connectionLimits,
    hooks,
    drain: { windowMs, deadlineMs },
    topics,
    authenticate,
    authorize,
    hub,
    onError,
  };
}

function resolveLimits(limits: NonNullable<SseModuleOptions['limits']>): typeof DEFAULT_LIMITS {
  const resolved = Object.assign({ ...DEFAULT_LIMITS }, definedOnly(limits)) as typeof DEFAULT_LIMITS;
  checkNames('SseModule: limits', limits, new Set(Object.keys(DEFAULT_LIMITS)));
  for (const [name, value] of Object.entries(resolved))
    check(isAtLeast(value, 1), `limits.${name}`, 'a number of at least 1', value);
  return resolved;
}

/**
 * Lays the settings of a route over those of the module.
 *
 * @throws SseError `invalid-options`, naming the option
 */
export function resolveSettings(base: ResolvedSettings, given: StreamSettings, where: string): ResolvedSettings {
  const { retryMs = base.retryMs, heartbeatMs = base.heartbeatMs } = given;
  const { stallTimeoutMs = base.stallTimeoutMs } = given;
  const { maxLifetimeMs = base.maxLifetimeMs, maxPendingBytes = base.maxPendingBytes } = given;
  const { compression = base.compression } = given;
  check(
    retryMs === false || (Number.isSafeInteger(retryMs) && retryMs >= 0 && retryMs <= MAX_RETRY_MS),
    'retryMs',
    `whole ms from 0 to ${MAX_RETRY_MS}, or false`,
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
  check(
    stallTimeoutMs === false || isDuration(stallTimeoutMs, 1),
    'stallTimeoutMs',
    'ms of at least 1, or false',
    stallTimeoutMs,
    where,
  );
  check(typeof compression === 'boolean', 'compression', 'true or false', compression, where);
  return { retryMs, heartbeatMs, maxLifetimeMs, stallTimeoutMs, maxPendingBytes, compression };
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

function definedOnly<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}
