import type { StreamRequest } from '../http/stream-request.js';
import { anyFunction, number } from '../rules.js';
import type { Rules } from '../rules.js';
import type { Principal } from '../topic/principal.js';

/**
 * Finds out who asks. `null` when nobody can be made out. Someone whose time is over is better given with its `expiresAt`
 * than as `null`: a client that comes back is then told to come again with a fresh credential.
 */
export type Authenticate = (request: StreamRequest) => Principal | null | Promise<Principal | null>;

/** Decides whether someone may read a topic; `params` are those of the topic's definition, if it has one. */
export type Authorize = (
  principal: Principal | null,
  topic: string,
  params: Readonly<Record<string, string>>,
) => boolean | Promise<boolean>;

/** The section of the options that says who may do what. */
export interface AccessSettings {
  /** Finds out who asks, for `StreamGuard` and the hub route. */
  readonly authenticate?: Authenticate | undefined;
  /** Asked for every topic that a connection wants, unless the topic's definition has its own. `'public'`: everyone may read everything. */
  readonly authorize?: Authorize | 'public' | undefined;
}

export const ACCESS_RULES: Rules<AccessSettings> = {
  authenticate: anyFunction,
  authorize: {
    expected: "a function or 'public'",
    allows: (value) => value === 'public' || typeof value === 'function',
  },
};

/** How much one connection may read. */
export interface ReaderLimits {
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
}

export const READER_LIMIT_RULES: Rules<ReaderLimits> = {
  topicsPerConnection: number(1),
  patternsPerConnection: number(1),
};

export const DEFAULT_READER_LIMITS = { topicsPerConnection: 1_000, patternsPerConnection: 100 };
