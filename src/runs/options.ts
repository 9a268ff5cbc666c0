import { SseError, describe } from '../errors.js';
import { MAX_TIMER_MS, checkOptions, number, oneOf, refuse } from '../rules.js';
import type { Rule, Rules } from '../rules.js';
import { checkTopicName } from '../topic/name.js';

/** What is kept of a run, and how long it may take. */
export interface RunLimits {
  /**
   * How long a run that has ended can still be watched from its beginning, in ms.
   *
   * Minimum: `0`.
   *
   * @default 600_000
   */
  readonly retainMs?: number | undefined;
  /**
   * How long a run may take, in ms; then its signal is aborted, and it ends as `expired`. `false`: as long as it wants.
   *
   * Minimum: `1`.
   *
   * @default 3_600_000
   */
  readonly maxDurationMs?: number | false | undefined;
  /**
   * How many bytes of a run's events are kept for who comes late, or reads slowly. Of a longer run the oldest go first, and who would have
   * needed them is told so.
   *
   * Minimum: `1_024`.
   *
   * @default 33_554_432
   */
  readonly maxBytes?: number | undefined;
}

/** The options of `SseRunsModule.forRoot()`, each with a safe default; those of all runs, unless `start()` says otherwise. */
export interface SseRunsModuleOptions extends RunLimits {
  /**
   * So long after the last sign of life of a node its runs count as `interrupted`, in ms: it has died, or stood still. The same on all
   * nodes.
   *
   * Minimum: `1_000`.
   *
   * @default 15_000
   */
  readonly leaseMs?: number | undefined;
}

/** How one run is started. */
export interface RunOptions extends RunLimits {
  /**
   * What happens when a run under this key is running already, on any node: the caller is given that one (`join`), the start is refused with
   * `run-conflict` (`reject`, over HTTP a 409), or the other is stopped first (`replace`).
   *
   * @default 'join'
   */
  readonly onConflict?: 'join' | 'reject' | 'replace' | undefined;
  /**
   * What happens when nobody watches the run, on any node: it goes on (`continue`), or is stopped after so many ms.
   *
   * @default 'continue'
   */
  readonly whenUnwatched?: 'continue' | { readonly abortAfterMs: number } | undefined;
}

/** The limits of a run after all defaults. */
export type ResolvedLimits = { readonly [Name in keyof RunLimits]-?: NonNullable<RunLimits[Name]> };

/** The module's options after all defaults. */
export interface ResolvedRunsOptions extends ResolvedLimits {
  readonly leaseMs: number;
}

/** The options of one run after all defaults. */
export interface ResolvedRun extends ResolvedLimits {
  readonly onConflict: NonNullable<RunOptions['onConflict']>;
  /** After so many ms without a watcher it is stopped; `undefined`: never. */
  readonly unwatchedMs: number | undefined;
}

const DEFAULTS: ResolvedRunsOptions = {
  leaseMs: 15_000,
  retainMs: 600_000,
  maxDurationMs: 3_600_000,
  maxBytes: 33_554_432,
};

const MAX_REASON = 1_000;

/** The topic that keeps a run has a name of its own around the key, and engines take so many bytes of a name. */
const MAX_KEY_BYTES = 900;

const LIMIT_RULES: Rules<RunLimits> = {
  retainMs: number(0, MAX_TIMER_MS),
  maxDurationMs: {
    expected: 'ms of at least 1, or false',
    allows: (value) => value === false || number(1, MAX_TIMER_MS).allows(value),
  },
  maxBytes: number(1_024),
};

const RULES: Rules<SseRunsModuleOptions> = { ...LIMIT_RULES, leaseMs: number(1_000, MAX_TIMER_MS) };

const whenUnwatched: Rule = {
  expected: "'continue', or { abortAfterMs } with ms of at least 0",
  allows: (value) => value === 'continue' || isAbortAfter(value),
};

const RUN_RULES: Rules<RunOptions> = {
  ...LIMIT_RULES,
  onConflict: oneOf(...(['join', 'reject', 'replace'] satisfies RunOptions['onConflict'][])),
  whenUnwatched,
};

/** @throws SseError `invalid-options`, naming the option */
export function resolveRunsOptions(options: SseRunsModuleOptions = {}): ResolvedRunsOptions {
  checkOptions('SseRunsModule', options, RULES);
  return { ...limitsOver(DEFAULTS, options), leaseMs: options.leaseMs ?? DEFAULTS.leaseMs };
}

/** @throws SseError `invalid-options`, naming the option */
export function resolveRun(base: ResolvedLimits, options: RunOptions): ResolvedRun {
  checkOptions('start()', options, RUN_RULES);
  const { onConflict = 'join', whenUnwatched: unwatched = 'continue' } = options;
  const unwatchedMs = unwatched === 'continue' ? undefined : unwatched.abortAfterMs;
  return { ...limitsOver(base, options), onConflict, unwatchedMs };
}

/** @throws SseError `invalid-topic` */
export function checkKey(key: unknown): asserts key is string {
  checkTopicName(key);
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) {
    throw new SseError(
      'invalid-topic',
      `The key of a run must have at most ${MAX_KEY_BYTES} bytes; got ${describe(key)}`,
    );
  }
}

function limitsOver(base: ResolvedLimits, given: RunLimits): ResolvedLimits {
  const { retainMs = base.retainMs, maxDurationMs = base.maxDurationMs, maxBytes = base.maxBytes } = given;
  return { retainMs, maxDurationMs, maxBytes };
}

function isAbortAfter(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const [[name, ms] = [], ...others] = Object.entries(value as Record<string, unknown>);
  return others.length === 0 && name === 'abortAfterMs' && number(0, MAX_TIMER_MS).allows(ms);
}

/** @throws SseError `invalid-options` */
export function checkReason(reason: unknown = 'stopped'): string {
  if (typeof reason === 'string' && reason !== '' && reason.length <= MAX_REASON) return reason;
  return refuse('stop()', `reason must be a text of 1 to ${MAX_REASON} characters; got ${describe(reason)}`);
}
