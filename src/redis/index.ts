export { redisEngine } from './redis.js';
export type { RedisClient, RedisEngineOptions } from './options.js';
