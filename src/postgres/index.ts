export { postgresEngine } from './engine.js';
export { postgresSchemaSql } from './schema.js';

export type { PostgresEngine } from './engine.js';
export type { PostgresEngineOptions } from './options.js';
export type { PostgresPool, PostgresPoolClient, PostgresQuery, TransactionClient } from './driver.js';
