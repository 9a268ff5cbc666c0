export { readStream } from './read-stream.js';
export { engineContract } from './engine-contract.js';

export type { ReadStreamOptions, StreamApp } from './read-stream.js';
export type { StreamEvent, StreamReading } from './stream-reading.js';
export type {
  CreateEngine,
  EngineAbility,
  EngineContractOptions,
  EngineFixture,
  EngineNeeds,
  TestRunner,
} from './contract/suite.js';
