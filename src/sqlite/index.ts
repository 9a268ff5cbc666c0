export { sqliteEngine } from './engine.js';

export type { SqliteEngineOptions } from './options.js';
export type { SqliteDatabase, SqliteDriver, SqliteStatement, SqliteValue } from './driver.js';
