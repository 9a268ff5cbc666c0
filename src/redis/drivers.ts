import { backOffMs } from '../engine/kit/deadline.js';
import { SseError } from '../errors.js';
import type { Driver } from './driver.js';
import { DISCONNECT_MS, IoredisDriver, isIoredis } from './ioredis.js';
import type { IoredisClient } from './ioredis.js';
import { NodeRedisDriver, isNodeRedis } from './node-redis.js';
import type { NodeRedisClient } from './node-redis.js';
import type { RedisSettings } from './options.js';

interface Ioredis {
  readonly Redis: new (...args: (string | object)[]) => IoredisClient;
}

interface NodeRedis {
  readonly createClient: (options: object) => NodeRedisClient;
}

const MIN_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 2_000;

/**
 * Makes the driver of the client that was given, or of one that is made here.
 *
 * @throws SseError `invalid-options` when the package is missing that makes it
 */
export async function loadDriver(options: RedisSettings): Promise<Driver> {
  const { client } = options;
  if (client !== undefined && isIoredis(client)) return new IoredisDriver(client, false);
  if (client !== undefined && isNodeRedis(client)) return new NodeRedisDriver(client, false);
  const loaded = await loadPackage(options);
  return loaded !== undefined && 'Redis' in loaded
    ? new IoredisDriver(createIoredis(loaded, options), true)
    : new NodeRedisDriver(createNodeRedis(loaded as NodeRedis, options), true);
}

/**
 * Loads the package that makes a client, unless one was given.
 *
 * @throws SseError `invalid-options` when it is missing, too old, or does not load
 */
export async function loadPackage({ client, driver }: RedisSettings): Promise<Ioredis | NodeRedis | undefined> {
  if (client !== undefined) return undefined;
  const ioredis = driver === 'redis' ? undefined : await load('ioredis', () => import('ioredis'), 'Redis');
  const redis =
    ioredis ?? (driver === 'ioredis' ? undefined : await load('redis', () => import('redis'), 'createClient'));
  if (redis !== undefined) return redis as Ioredis | NodeRedis;
  const missing = driver === undefined ? 'ioredis or redis' : driver;
  throw new SseError(
    'invalid-options',
    `redisEngine: url and options need the package ${missing}: npm install ${driver ?? 'ioredis'}`,
  );
}

function createIoredis({ Redis }: Ioredis, { url, options, timeoutMs }: RedisSettings): IoredisClient {
  const own = {
    retryStrategy: backoff,
    maxRetriesPerRequest: null,
    // So that a network that swallows everything is noticed.
    socketTimeout: timeoutMs,
    keepAlive: timeoutMs,
    disconnectTimeout: DISCONNECT_MS,
  };
  return url === undefined ? new Redis({ ...own, ...options }) : new Redis(url, own);
}

function createNodeRedis({ createClient }: NodeRedis, { url, options, timeoutMs }: RedisSettings): NodeRedisClient {
  const { socket, ...given } = (options ?? { url }) as { readonly socket?: object };
  // The time-out is one without traffic: the pings keep it off as long as they are answered.
  const own = { pingInterval: timeoutMs / 2, disableOfflineQueue: true };
  return createClient({
    ...own,
    ...given,
    socket: { reconnectStrategy: backoff, socketTimeout: timeoutMs, ...socket },
  });
}

function backoff(attempt: number): number {
  return backOffMs(attempt, MIN_BACKOFF_MS, MAX_BACKOFF_MS);
}

async function load(name: string, importPackage: () => Promise<object>, maker: string): Promise<object | undefined> {
  const unusable = (cause?: unknown): SseError =>
    new SseError(
      'invalid-options',
      `redisEngine: the package ${name} that is installed is not usable: npm install ${name}@latest`,
      { cause },
    );
  const loaded = await importPackage().catch((cause: unknown) => {
    const { code } = cause as { code?: string };
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return undefined;
    throw unusable(cause);
  });
  if (loaded !== undefined && typeof (loaded as Record<string, unknown>)[maker] !== 'function') throw unusable();
  return loaded;
}
