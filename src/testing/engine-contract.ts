import { SseError } from '../errors.js';
import { appendCases } from './contract/append-cases.js';
import { closeCases } from './contract/close-cases.js';
import { deliveryCases } from './contract/delivery-cases.js';
import { excerptCases } from './contract/excerpt-cases.js';
import { nodeCases } from './contract/node-cases.js';
import { readCases } from './contract/read-cases.js';
import { resumeCases } from './contract/resume-cases.js';
import { retentionCases } from './contract/retention-cases.js';
import { Bench } from './contract/suite.js';
import type { Case, CreateEngine, EngineContractOptions, TestRunner } from './contract/suite.js';
import { topicCases } from './contract/topic-cases.js';

/**
 * Registers the tests that every engine has to pass. Each name begins with the number of the promise that it checks:
 * they stand in the docstring of `Engine`.
 *
 * @param create makes an engine on an empty log, anew for each case
 * @throws SseError `invalid-options` when there is no test runner
 *
 * @example
 * ```ts
 * engineContract('memory', ({ now }) => ({ engine: memoryEngine({ now }) }), {
 *   lacks: ['nodes', 'durability', 'housekeeping'],
 * });
 * ```
 */
export function engineContract(name: string, create: CreateEngine, options: EngineContractOptions = {}): void {
  const { lacks = [], runner = globalRunner() } = options;
  const register: Case = (title, body, ...needs) => {
    if (needs.some((need) => lacks.includes(need))) return;
    runner.test(title, async () => {
      await using bench = await Bench.create(create);
      await body(bench);
    });
  };
  runner.describe(`the engine contract: ${name}`, () => {
    appendCases(register);
    readCases(register);
    excerptCases(register);
    resumeCases(register);
    retentionCases(register);
    deliveryCases(register);
    topicCases(register);
    closeCases(register);
    nodeCases(register);
  });
}

function globalRunner(): TestRunner {
  const { describe, test } = globalThis as Partial<TestRunner>;
  if (typeof describe === 'function' && typeof test === 'function') return { describe, test };
  throw new SseError(
    'invalid-options',
    'engineContract() needs the describe() and test() of a test runner: as globals, or as { runner: { describe, test } }',
  );
}
