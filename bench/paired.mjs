// Compares this module to the same written by hand, to Nest's `@Sse()`, and to another build of itself, in windows in turn:
// `npm run bench:paired -- [scenario …] [options]`. How it measures is said in harness/windows.mjs.
//
//   --against <clone>    another clone of this repository, built: what is in its dist/ is compared to what is in this one's
//   --rounds 12          how many rounds, instead of each scenario's own number
//   --servers a,b        only these servers
//   --quick              two rounds and fewer connections: to try the harness
//   --no-build           takes dist/ as it is
//   --out paired         the name of the files in bench/results
//   --list               prints the names of scenarios and servers
//
// Exit code 1 if an event was lost, repeated, out of order or astray.
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildPackage, buildPrograms, takeBuildOf } from './harness/build.mjs';
import { isPinned, moveAside } from './harness/cores.mjs';
import { commit, describeMachine, maxOpenFiles } from './harness/machine.mjs';
import { writePaired, wrongOf } from './harness/paired-report.mjs';
import { SERVERS, addBuild } from './harness/servers.mjs';
import { runWindows } from './harness/windows.mjs';
import { PAIRED } from './paired/index.mjs';

const NEEDED_FILES = 10_200;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...{ quick: { type: 'boolean', default: false }, list: { type: 'boolean', default: false } },
    ...{ rounds: { type: 'string' }, servers: { type: 'string' }, against: { type: 'string' } },
    ...{ 'no-build': { type: 'boolean', default: false }, out: { type: 'string', default: 'paired' } },
  },
});

if (values.list) {
  const servers = [...new Set(PAIRED.flatMap((scenario) => scenario.servers))];
  console.log(`scenarios: ${PAIRED.map(({ name }) => name).join(' ')}\nservers: ${servers.join(' ')}`);
  process.exit();
}
if (maxOpenFiles() < NEEDED_FILES) {
  console.error(
    `${NEEDED_FILES} open files are needed in each process, ${maxOpenFiles()} are allowed: ulimit -n 20000`,
  );
  process.exit(1);
}
if (!isPinned) console.error('There is no `taskset`, or only one core: server and clients will disturb each other.');

const scenarios = positionals.length === 0 ? PAIRED : positionals.map(scenarioNamed);
const other = values.against === undefined ? undefined : resolve(values.against);
if (!values['no-build']) buildPackage();
buildPrograms();
if (other !== undefined) addBuild(takeBuildOf(other));
moveAside();

const where = describeMachine();
const startedAt = performance.now();
const settings = { isQuick: values.quick, ...(other && { other: commit(other) ?? 'of no repository' }) };
const results = [];
for (const scenario of scenarios) {
  results.push(
    await runWindows(scenario, {
      isQuick: values.quick,
      rounds: values.rounds && Number(values.rounds),
      servers: values.servers?.split(',') ?? Object.keys(SERVERS),
      note: (line) => console.log(line),
    }),
  );
  // After each, so that what was measured stays when a later one is interrupted.
  where.tookMs = performance.now() - startedAt;
  await writePaired({ where, settings, results }, values.out);
}
const wrong = results.flatMap((result) => wrongOf(result).map(({ server }) => `${result.scenario.name} ${server}`));
console.log(`\nbench/results/${values.out}.md after ${Math.round(where.tookMs / 1_000)} s`);
if (wrong.length > 0) console.error(`WRONG: ${wrong.join(', ')}`);
process.exit(wrong.length > 0 ? 1 : 0);

function scenarioNamed(name) {
  const found = PAIRED.find((scenario) => scenario.name === name);
  if (found === undefined)
    throw new Error(`There is no scenario ${name}: ${PAIRED.map((each) => each.name).join(', ')}`);
  return found;
}
