import { expect, it } from '@jest/globals';
import { sharedEngines } from './engines.js';
import { runFaults } from './run-faults.js';
import { runLoss } from './run-loss.js';

// Two and three nodes on each shared engine, a real server, and what goes wrong between them.
//
// SEED repeats what is drawn at random (when it happens is up to the machine), NODE_FAULTS_SECONDS sets for how long things
// go wrong in each run. For a million deliveries on one engine, in the two runs together:
//
//   NODE_FAULTS_SECONDS=200 npm test -- jest test/faults/nodes-redis -t hop
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const seconds = Number(process.env.NODE_FAULTS_SECONDS ?? 3);

/** Registers the tests of one engine. */
export function nodeFaults(name: string): void {
  const engine = sharedEngines.find((each) => each.name === name)!;
  const test = engine.program === '' ? it.skip : it;

  test.each([3, 2])(
    'gives clients that hop between %i nodes each event once and in order, whatever goes wrong',
    async (nodes) => {
      const { problems, figures } = await runFaults({ engine, nodes, seed, seconds });

      process.stdout.write(`${engine.name}, ${nodes} nodes: seed ${seed}, ${JSON.stringify(figures)}\n`);
      expect(problems).toEqual([]);
      expect(figures.deliveries).toBeGreaterThan(300 * seconds);
    },
    (seconds + 90) * 1_000,
  );

  test.each(engine.wipes)(
    'tells each client once that its log is gone after $name, and gives it all of the new one',
    async ({ run }) => {
      expect(await runLoss({ engine, seed, lose: run })).toEqual([]);
    },
    90_000,
  );

  test('tells each client once that the log has lost its end when an older copy is restored, but who had not read that', async () => {
    const { save, restore } = engine;
    expect(await runLoss({ engine, seed, save, lose: restore })).toEqual([]);
  }, 90_000);
}
