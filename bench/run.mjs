// Runs the benches against each other: `npm run bench -- [scenario …] [options]`.
//
//   --quick              short runs, one round, few peers: to try the harness
//   --rounds 3           how many rounds
//   --servers a,b        only these servers; a ratio to one that is not among them is left out
//   --no-build           takes dist/ as it is
//   --out performance    the name of the files in bench/results
//   --list               prints the names of scenarios and servers
import { parseArgs } from 'node:util';
import { buildPackage, buildPrograms } from './harness/build.mjs';
import { isPinned, moveAside } from './harness/cores.mjs';
import { describeMachine, maxOpenFiles } from './harness/machine.mjs';
import { writeResults } from './harness/report.mjs';
import { isWrong, runScenario } from './harness/rounds.mjs';
import { SERVERS, missingServers } from './harness/servers.mjs';
import { SCENARIOS } from './scenarios/index.mjs';

const NEEDED_FILES = 10_200;
const QUICK_SERVERS = ['limit', 'ours-express', 'ours-fastify', 'nchan', 'hand-written', 'nest-fastify'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...{ quick: { type: 'boolean', default: false }, list: { type: 'boolean', default: false } },
    ...{ rounds: { type: 'string' }, servers: { type: 'string' } },
    ...{ 'no-build': { type: 'boolean', default: false }, out: { type: 'string', default: 'performance' } },
  },
});

if (values.list) {
  console.log(`scenarios: ${SCENARIOS.map(({ name }) => name).join(' ')}\nservers: ${Object.keys(SERVERS).join(' ')}`);
  process.exit();
}

const scenarios = positionals.length === 0 ? SCENARIOS : positionals.map(scenarioNamed);
const settings = {
  isQuick: values.quick,
  rounds: Number(values.rounds ?? (values.quick ? 1 : 3)),
  skipped: missingServers(),
};
const everyone = values.quick ? QUICK_SERVERS : Object.keys(SERVERS);
const servers = (values.servers?.split(',') ?? everyone).filter((name) => checkServer(name));

if (maxOpenFiles() < NEEDED_FILES) {
  console.error(
    `${NEEDED_FILES} open files are needed in each process, ${maxOpenFiles()} are allowed: ulimit -n 20000`,
  );
  process.exit(1);
}
if (!isPinned) console.error('There is no `taskset`, or only one core: server and clients will disturb each other.');
if (!values['no-build']) buildPackage();
buildPrograms();
moveAside();

const where = describeMachine();
const startedAt = performance.now();
const results = [];
for (const scenario of scenarios) {
  results.push(await runScenario(scenario, { ...settings, servers, note: (line) => console.log(line) }));
  // After each, so that what was measured stays when a later one is interrupted.
  where.tookMs = performance.now() - startedAt;
  await writeResults({ where, settings, results, scenarios }, values.out);
}
const wrong = results.flatMap(({ name, rows }) => rows.filter(isWrong).map(({ server }) => `${name} ${server}`));
console.log(`\nbench/results/${values.out}.md after ${Math.round(where.tookMs / 1_000)} s`);
if (wrong.length > 0) console.error(`WRONG: ${wrong.join(', ')}`);
process.exit(wrong.length > 0 ? 1 : 0);

function scenarioNamed(name) {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (found === undefined)
    throw new Error(`There is no scenario ${name}: ${SCENARIOS.map((each) => each.name).join(', ')}`);
  return found;
}

function checkServer(name) {
  if (SERVERS[name] === undefined) throw new Error(`There is no server ${name}: ${Object.keys(SERVERS).join(', ')}`);
  if (settings.skipped[name] !== undefined) console.error(`Without ${name}: ${settings.skipped[name]}.`);
  return settings.skipped[name] === undefined;
}
