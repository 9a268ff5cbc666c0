import { cleanError } from '../engine/kit/clean-error.js';
import { EngineFailures } from '../engine/kit/failure.js';
import { anyFunction, anyObject, checkOneOf, checkOptions, number, oneOf, problemOf, refuse } from '../rules.js';
import type { Rules } from '../rules.js';
import { addressProblem } from './address.js';
import { isIoredis } from './ioredis.js';
import type { IoredisClient } from './ioredis.js';
import { isNodeRedis } from './node-redis.js';
import type { NodeRedisClient } from './node-redis.js';
import { secretsOfSource } from './secrets.js';
import { MAX_WHOLE_BYTES } from './size.js';

/** A client of the `ioredis` package (`Redis` or `Cluster`) or of the `redis` package (client or cluster). */
export type RedisClient = IoredisClient | NodeRedisClient;

/** One of `client`, `url` and `options` says where the server is. */
export interface RedisEngineOptions {
  /**
   * The application's own client: of ioredis a `Redis` or a `Cluster`, of node-redis a client or a cluster that has been
   * told to connect. It is used for everything but the live delivery, for which it is duplicated, and is never closed.
   */
  readonly client?: RedisClient | undefined;
  /** Where the server is, to make a client of: `redis://user:password@host:6379/0`, `rediss://` with TLS. */
  readonly url?: string | undefined;
  /** What the client is made with: the options of `new Redis()` of ioredis, or of `createClient()` of node-redis. */
  readonly options?: object | undefined;
  /**
   * The package that makes the client, with `url` or `options`.
   *
   * @default the one that is installed; `ioredis` if both are
   */
  readonly driver?: 'ioredis' | 'redis' | undefined;
  /**
   * What the names of all keys and channels begin with, in braces. Two engines with the same prefix, on the same database
   * and with the same `keyPrefix`, are one log.
   *
   * At least 1 character, and no brace.
   *
   * @default 'sse'
   */
  readonly prefix?: string | undefined;
  /**
   * After how many milliseconds a call rejects that has not been answered.
   *
   * 10 to 300_000.
   *
   * @default 5_000
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Every how many milliseconds the connection of the live delivery is probed. One that carries nothing any more is
   * replaced after at most twice this time.
   *
   * 10 to 300_000.
   *
   * @default 5_000
   */
  readonly probeMs?: number | undefined;
  /**
   * How many bytes of an event are sent along when it is announced. Of a larger one each process that wants it is told
   * only that it is there, and reads it.
   *
   * 0 to 2_097_152.
   *
   * @default 32_768
   */
  readonly inlineBytes?: number | undefined;
  /**
   * Every how many milliseconds a process that publishes looks for topics that have been idle for four times their
   * `maxAgeMs`, to forget them. All processes together look once in this time.
   *
   * 10 to 86_400_000.
   *
   * @default 60_000
   */
  readonly sweepMs?: number | undefined;
  /**
   * Told once, at start, when the server may evict parts of the log to make room.
   *
   * @default process.emitWarning
   */
  readonly onWarning?: ((warning: Error) => void) | undefined;
}

/** The options, checked and complete. */
export interface RedisSettings {
  readonly client: RedisClient | undefined;
  readonly url: string | undefined;
  readonly options: object | undefined;
  readonly driver: 'ioredis' | 'redis' | undefined;
  readonly prefix: string;
  readonly timeoutMs: number;
  readonly probeMs: number;
  readonly inlineBytes: number;
  readonly sweepMs: number;
  readonly onWarning: (warning: Error) => void;
  readonly failures: EngineFailures;
}

const RULES: Rules<RedisEngineOptions> = {
  client: {
    expected: 'a client of the package ioredis or redis',
    allows: (value) => typeof value === 'object' && value !== null && (isIoredis(value) || isNodeRedis(value)),
    isSecret: true,
  },
  url: addressProblem,
  options: (value, name) => problemOf(value, anyObject, name) ?? problemOf(urlIn(value), addressProblem, `${name}.url`),
  driver: oneOf('ioredis', 'redis'),
  prefix: {
    expected: 'a text of at least 1 character, without a brace',
    allows: (value) => typeof value === 'string' && /^[^{}]+$/.test(value),
  },
  timeoutMs: number(10, 300_000),
  probeMs: number(10, 300_000),
  inlineBytes: number(0, MAX_WHOLE_BYTES),
  sweepMs: number(10, 86_400_000),
  onWarning: anyFunction,
};

/** @throws SseError `invalid-options` */
export function resolveOptions(given: RedisEngineOptions): RedisSettings {
  checkOptions('redisEngine', given, RULES);
  checkOneOf('redisEngine', given, ['client', 'url', 'options']);
  const { client, url, options, driver, prefix = 'sse', timeoutMs = 5_000, probeMs = 5_000 } = given;
  const { inlineBytes = 32_768, sweepMs = 60_000, onWarning = warn } = given;
  if (client !== undefined && driver !== undefined) {
    refuse('redisEngine', 'driver goes with url or options, not with client');
  }
  const failures = new EngineFailures('Redis', (error) => cleanError(error, secretsOfSource(given)));
  return { failures, client, url, options, driver, prefix, timeoutMs, probeMs, inlineBytes, sweepMs, onWarning };
}

/** A socket has none: of that only the `createClient()` of node-redis has an address. */
function urlIn(options: unknown): unknown {
  const { url } = options as { readonly url?: unknown };
  return typeof url === 'string' && !url.startsWith('unix://') ? url : undefined;
}

function warn(warning: Error): void {
  process.emitWarning(warning);
}
