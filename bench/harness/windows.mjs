// Windows in turn: all servers of a scenario stay up, each with a load client of its own, and all but one pair are held by
// SIGSTOP. In each round every server gets one short window, and the order moves on by one. So what a process happens to
// be like, where its memory lies and what V8 has compiled, is the same in all windows, and what else the machine does falls on
// all servers alike.
import { loadavg } from 'node:os';
import { moveAside } from './cores.mjs';
import { startBench } from './run-one.mjs';
import { SERVERS } from './servers.mjs';

/**
 * @typedef {object} Windowed A scenario of windows.
 * @property {string} name
 * @property {string} title
 * @property {string} about
 * @property {string[]} servers
 * @property {number} rounds
 * @property {{ key: string, heading: string, digits: number, isRate?: boolean, within?: string }[]} figures `isRate`: more
 * is better; `within`: a figure of the same window to which the ratio is taken, too
 * @property {object} [options] of this module, for each of its servers
 * @property {boolean} [isFresh] each window has a process of its own: for what a process never gives back
 * @property {(bench: object, settings: object) => Promise<unknown>} [prepare]
 * @property {(bench: object, settings: object) => Promise<Record<string, number>>} window
 */

/**
 * @param {Windowed} scenario
 * @param {{ rounds?: number, isQuick: boolean, servers: string[], note: (line: string) => void }} settings
 */
export async function runWindows(scenario, { rounds, isQuick, servers, note }) {
  const names = scenario.servers.filter((name) => servers.includes(name) && SERVERS[name] !== undefined);
  const count = rounds ?? (isQuick ? Math.min(2, scenario.rounds) : scenario.rounds);
  const [loadBefore, startedAt] = [loadavg()[0], performance.now()];
  const windows = [];
  const benches = new Map();
  const take = async (name, round) => {
    const taken = { server: name, round, figures: {}, faults: {} };
    windows.push(taken);
    moveAside();
    const bench = benches.get(name) ?? (await prepared(scenario, name, isQuick));
    try {
      bench.resume();
      bench.faults = taken.faults;
      taken.figures = await scenario.window(bench, { isQuick, round });
    } finally {
      bench.pause();
      if (scenario.isFresh) await bench.stop();
    }
    note(`${scenario.name} ${round + 1}/${count} ${name}: ${lineOf(scenario, taken)}`);
  };
  try {
    for (const name of scenario.isFresh ? [] : names) benches.set(name, await prepared(scenario, name, isQuick));
    for (let round = 0; round < count; round++) {
      for (let i = 0; i < names.length; i++) await take(names[(i + round) % names.length], round);
    }
  } finally {
    for (const bench of benches.values()) await bench.stop();
  }
  return { scenario, names, windows, rounds: count, loadBefore, tookMs: performance.now() - startedAt };
}

/** A server and its client, with what the scenario needs before the first window, and held. */
async function prepared({ prepare, options }, name, isQuick) {
  moveAside();
  const isOurs = /^(ours|other)-/.test(name);
  const bench = await startBench(name, isOurs ? { module: { heartbeatMs: false, ...options } } : undefined);
  try {
    await prepare?.(bench, { isQuick });
  } catch (error) {
    await bench.stop();
    throw error;
  }
  if (Object.keys(bench.faults).length > 0) {
    await bench.stop();
    throw new Error(`${name} before the first window: ${JSON.stringify(bench.faults)}`);
  }
  bench.pause();
  return bench;
}

function lineOf({ figures }, { figures: taken, faults }) {
  const parts = figures.map(({ key, digits }) => `${key} ${taken[key]?.toFixed(digits)}`);
  return [...parts, ...(Object.keys(faults).length > 0 ? [`WRONG ${JSON.stringify(faults)}`] : [])].join(', ');
}
