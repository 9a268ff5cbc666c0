export { redisEngine } from './engine.js';
export type { RedisClient, RedisEngineOptions } from './options.js';
