// Work whose output outlives the request that has asked for it.
export { SseRunsModule } from './sse-runs.module.js';
export { RunService } from './run.service.js';
export { Run } from './run.js';
export type { ResultOptions, RunResult, StopOptions } from './run.js';
export type { WatchOptions } from './run.service.js';
export type { SseRunsModuleExtras } from './sse-runs.module.js';
export type { RunLimits, RunOptions, SseRunsModuleOptions } from './options.js';
export type { RunContext, RunProducer } from './production.js';
export type { StreamSource } from '../connection/source.js';
export type { RunState } from './run-record.js';
export type { RunEndState } from '../topic/run-end.js';
