// Paired, interleaved rounds: in each round every server runs once, and the order moves on by one, so that what else the
// machine does falls on all of them alike.
import { loadavg } from 'node:os';
import { moveAside } from './cores.mjs';
import { SERVERS } from './servers.mjs';
import { summarise } from './statistics.mjs';

/**
 * @param {object} scenario
 * @param {{ rounds: number, isQuick: boolean, servers: string[], note: (line: string) => void }} options
 */
export async function runScenario(scenario, { rounds, isQuick, servers, note }) {
  const names = namesOf(scenario, servers);
  const runs = [];
  const startedAt = performance.now();
  const loadBefore = loadavg()[0];
  const count = Math.min(rounds, scenario.maxRounds ?? Infinity);
  for (let round = 0; round < count; round++) {
    for (let i = 0; i < names.length; i++) {
      const server = names[(i + round) % names.length];
      if (round > 0 && scenario.firstRoundOnly?.includes(server)) continue;
      const run = { server, round, figures: {}, faults: {} };
      runs.push(run);
      // The kernel may have moved what Node has started since.
      moveAside();
      try {
        Object.assign(run, await scenario.measure(server, { isQuick }));
      } catch (error) {
        run.error = error.message;
      }
      note(`${scenario.name} ${round + 1}/${count} ${server}: ${lineOf(scenario, run)}`);
    }
  }
  return {
    ...{ name: scenario.name, title: scenario.title, about: scenario.about },
    ...{ rounds: count, loadBefore, tookMs: performance.now() - startedAt },
    rows: summarise(scenario, runs, names),
    runs,
  };
}

/** What stands in the lines of the table: servers, or the points of a curve. */
export function casesOf({ cases, servers }) {
  return cases ?? servers.map((name) => ({ name, title: SERVERS[name].title, server: name }));
}

function namesOf(scenario, servers) {
  return casesOf(scenario).flatMap(({ name, server }) => (servers.includes(server) ? name : []));
}

/** Whether a summary, or a single run, has a fault. */
export function isWrong({ faults, error, errors = [] }) {
  return Object.keys(faults).length > 0 || error !== undefined || errors.length > 0;
}

function lineOf({ columns }, run) {
  const figures = columns
    .filter(({ key }) => Number.isFinite(run.figures[key]))
    .map(({ key, digits }) => `${key} ${run.figures[key].toFixed(digits)}`);
  const wrong = isWrong(run) ? `WRONG ${run.error ?? JSON.stringify(run.faults)}` : '';
  return [...figures, wrong].filter(Boolean).join(', ');
}
