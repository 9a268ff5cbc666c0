export { natsEngine } from './engine.js';
export type { NatsConnection, NatsHeaders, NatsMessage, NatsStatus, NatsSubscription } from './driver.js';
export type { NatsEngineOptions } from './options.js';
