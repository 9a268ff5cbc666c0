import { READER_LIMIT_RULES } from '../access/options.js';
import type { ReaderLimits } from '../access/options.js';
import type { Engine } from '../engine/engine.js';
import { MAX_TIMER_MS, group, number } from '../rules.js';
import type { Rules } from '../rules.js';
import type { TopicDefinition } from '../topic/define.js';
import { historyProblem } from '../topic/history.js';
import type { HistoryOptions } from '../topic/history.js';

/** How many streams a process may have. */
export interface StreamLimits {
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

/** How streams end when the application shuts down. */
export interface DrainOptions {
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

/** The section of the options that says what a process is made of. */
export interface NodeSettings {
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
  readonly limits?: (ReaderLimits & StreamLimits) | undefined;
  /** How streams end when the application shuts down. */
  readonly drain?: DrainOptions | undefined;
  /** Topic definitions; further ones come with `SseModule.forFeature()`. */
  readonly topics?: readonly TopicDefinition[] | undefined;
}

const LIMIT_RULES: Rules<ReaderLimits & StreamLimits> = {
  ...READER_LIMIT_RULES,
  connections: number(1),
  connectionsPerPrincipal: number(1),
  connectionsPerAddress: number(1),
};

const DRAIN_RULES: Rules<DrainOptions> = { windowMs: number(0, MAX_TIMER_MS), deadlineMs: number(0, MAX_TIMER_MS) };

export const NODE_RULES: Rules<NodeSettings> = {
  engine: {
    expected: 'an engine, such as memoryEngine()',
    allows: (value) => typeof (value as Partial<Engine> | null)?.append === 'function',
  },
  history: historyProblem,
  limits: group(LIMIT_RULES),
  drain: group(DRAIN_RULES),
  topics: { expected: 'an array of topic definitions', allows: (value) => Array.isArray(value) },
};

export const DEFAULT_STREAM_LIMITS = {
  connections: Infinity,
  connectionsPerPrincipal: Infinity,
  connectionsPerAddress: Infinity,
};
export const DEFAULT_DRAIN = { windowMs: 0, deadlineMs: 5_000 };
export const DEFAULT_HISTORY = { maxEvents: 1_000, maxBytes: 1_048_576, maxAgeMs: 600_000 };
