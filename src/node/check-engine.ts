import { setImmediate as turn } from 'node:timers/promises';
import type { Engine } from '../engine/engine.js';
import { SseError } from '../errors.js';

/**
 * Asks an engine whether it is there. One that is away may come; one that can never work is a mistake of whoever set the
 * application up, and known at once.
 *
 * @throws SseError `invalid-options` as a rejection, when the engine says so, or is closed
 */
export async function checkEngine(engine: Engine, onAway: (error: unknown) => void): Promise<void> {
  const health = engine.health();
  health.catch(onAway);
  const problem: unknown = await Promise.race([health.catch((error: unknown) => error), turn()]);
  if (!SseError.is(problem)) return;
  if (problem.code === 'invalid-options') throw problem;
  if (problem.code !== 'closed') return;
  throw new SseError(
    'invalid-options',
    `SseModule: the ${engine.name} engine is closed, as by an application that it was given to before. ` +
      'Make one for each application, with forRootAsync({ useFactory }), or give it the method open()',
    { cause: problem },
  );
}
