// `npm test`: every check there is; none is left out because another failed.
// `npm test -- jest src/wire` runs one step alone and hands it the other arguments.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import jestConfig from '../jest.config.mjs';
import { WORKERS, check, command, finish, jest, section } from '../scripts/checks.mjs';
import { LINES, nodeOf } from '../scripts/nodes.mjs';
import { checkConsumer, consumers, installConsumer, isSlow } from './consumers/run.mjs';
import { clientSizes } from './package/client-sizes.mjs';
import { packedFiles, sourcesIn, weigh } from './package/packed.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

/** Programs that are not where programs are looked for: Debian has PostgreSQL's in a folder of each version. */
const elsewhere = [...folders('/usr/lib/postgresql'), '/usr/sbin', '/usr/local/sbin'];
process.env.PATH = [process.env.PATH, ...elsewhere].join(delimiter);

const PROVIDE = 'node scripts/provide.mjs';

/** What some tests need of the machine, and read from `env`: without it they are left out, and in CI that fails. */
const machine = [
  { env: 'CHROMIUM', find: () => find('chromium', 'chromium-browser', 'google-chrome'), tests: 'test/browser/' },
  { env: 'REDIS_SERVER', find: () => find('redis-server'), tests: 'test/engines/redis' },
  { env: 'POSTGRES', find: () => find('postgres'), tests: 'test/engines/postgres', debian: 'postgresql' },
  { env: 'NATS_SERVER', find: () => find('nats-server'), tests: 'test/engines/nats' },
  { env: 'NGINX', find: () => find('nginx'), tests: 'test/proxies/nginx' },
  { env: 'HAPROXY', find: () => find('haproxy'), tests: 'test/proxies/haproxy' },
  { env: 'SQLITE', find: findSqlite, tests: 'test/engines/sqlite', get: PROVIDE },
];
let missing = [];
const missingNodes = [];

const steps = {
  async lint() {
    await Promise.all([
      command('ESLint', [bin('eslint'), '.']),
      command('Prettier', [bin('prettier'), '--check', '.']),
    ]);
  },
  async types() {
    await command('TypeScript', [bin('tsc'), '-p', 'tsconfig.json']);
  },
  async layers() {
    await command('imports keep to the one direction, and classes to their size', ['npm', 'run', '--silent', 'layers']);
  },
  async package() {
    const tarball = await pack();
    const { files, kB, sourcesKB, problems } = weigh(
      packedFiles().map((file) => ({ ...file, sources: sourcesIn(file.path) })),
    );
    check(
      `the budget: ${files} files, ${kB} kB and ${sourcesKB} kB of sources`,
      problems.length === 0,
      problems.join('\n'),
    );
    for (const { part, bytes, budget } of await clientSizes())
      check(`the client's budget: ${part} takes ${bytes} bytes of ${budget}`, bytes <= budget);
    await command('publint', [bin('publint'), 'run', '--strict', tarball]);
    await command('are the types wrong?', [
      bin('attw'),
      '--format',
      'ascii',
      '--exclude-entrypoints',
      'client.js',
      '--',
      tarball,
    ]);
  },
  async consumers(...only) {
    await pack();
    const names = only.length > 0 ? only : consumers();
    const rest = names.values();
    // What installs them uses one core, and waits for the registry.
    const takeAll = async () => {
      for (const name of rest) await checkInstalled(name);
    };
    await Promise.all([takeAll(), takeAll()]);
  },
  async jest(...args) {
    await whenProvided();
    // Specs that start it at the same time would compile it at the same time.
    if (args.length === 0) await command('the showcase', [process.execPath, 'scripts/build-showcase.mjs']);
    await runJest(args, { live: true });
  },
  async nodes(...only) {
    await whenProvided();
    for (const line of only.length > 0 ? only : LINES) await runOnNode(line);
  },
};

/** Those that are programs of one core each run beside each other. */
const order = [['lint', 'types', 'layers'], ['package'], ['consumers'], ['jest'], ['nodes']];

/** Specs of what a Node may do otherwise: sockets, timers, streams, asynchronous contexts. */
const OF_NODE = ['test/nodes/context', 'test/nodes/beginnings'];
/**
 * Of what is between the oldest line and the newest, for the time that it takes: those that hold sockets in their own hands. What
 * computes only, as the text of streams and topics, is the same on all.
 */
const OF_MIDDLE = [
  'src/(client|connection|http|nest|node)/',
  'test/e2e/(http2|client|closing|drain|sigterm|broken|slow)',
  ...OF_NODE,
];
/**
 * And each engine's contract, with its driver, and what processes are to each other: on the newest Node only, for the time that it
 * takes. All of test/e2e runs there in the consumer with a runner.
 */
const OF_NEWEST = ['src', ...OF_NODE, 'test/nodes/nodes', 'test/engines/(sqlite|redis|postgres|nats)\\.spec'];

/** The consumer that runs all end-to-end specs on the packed build, of the newest Nest. */
const WITH_RUNNER = 'nest12-jest';

const installed = new Map();
let packing;
const [only, ...args] = process.argv.slice(2);
if (only !== undefined && !(only in steps))
  check(`there is no step "${only}", but ${Object.keys(steps).join(', ')}`, false);
for (const names of order) {
  const chosen = names.filter((name) => only === undefined || only === name);
  if (chosen.length === 0) continue;
  section(chosen.join(', '));
  await Promise.all(chosen.map((name) => steps[name](...args)));
}

if (missing.length + missingNodes.length > 0) {
  section('left out, because this machine lacks something');
  for (const {
    env,
    tests,
    debian = env.toLowerCase().replace('_', '-'),
    get = `apt-get install -y ${debian}`,
  } of missing)
    leaveOut(`${tests}*: ${get}`);
  for (const line of missingNodes) leaveOut(`all on Node ${line}: ${PROVIDE}`);
}
finish();

function leaveOut(text) {
  if (process.env.CI) check(text, false);
  else console.log(text);
}

/** The specs that this machine can run, those of `args` or all. */
function runJest(args, options) {
  const ignored = [...jestConfig.testPathIgnorePatterns, ...missing.map(({ tests }) => `/${tests}`)];
  return jest([...(args.length > 0 ? args : [WORKERS]), '--testPathIgnorePatterns', ...ignored], options);
}

/** What a Node may do otherwise, and the consumers, on the newest Node of a line. */
async function runOnNode(line) {
  const node = nodeOf(line);
  const isAtHand = node === undefined ? process.version.startsWith(`v${line}.`) : node.version === process.version;
  if (isAtHand) return console.log(`Node ${process.version} is the one at hand`);
  if (node === undefined) return void missingNodes.push(line);
  console.log(`Node ${node.version}`);
  const options = { node: node.program, env: { ...process.env, PATH: node.folder + delimiter + process.env.PATH } };
  const isNewest = line === LINES.at(-1);
  const specs = isNewest ? OF_NEWEST : OF_MIDDLE;
  await runJest([WORKERS, ...specs], { ...options, live: true });
  const isOfNode = (name) => !isSlow(name) || (isNewest && name === WITH_RUNNER);
  for (const name of consumers().filter(isOfNode)) await checkInstalled(name, options);
}

/** The checks of a consumer, which is installed once. */
async function checkInstalled(name, options) {
  if (!installed.has(name)) installed.set(name, await installConsumer(name, await pack()));
  if (installed.get(name)) await checkConsumer(name, options);
}

/** Builds the package and packs it as npm would publish it, once; the answer is the path of the tarball. */
function pack() {
  packing ??= (async () => {
    const { name, version } = JSON.parse(readFileSync('package.json', 'utf8'));
    const tarball = resolve('.cache', `${name}-${version}.tgz`);
    rmSync(tarball, { force: true });
    mkdirSync('.cache', { recursive: true });
    await command('build', ['npm', 'run', '--silent', 'build']);
    await command('npm pack', ['npm', 'pack', '--ignore-scripts', '--pack-destination', '.cache']);
    return tarball;
  })();
  return packing;
}

function bin(name) {
  return `node_modules/.bin/${name}`;
}

/** The path of the first of these programs that is there. */
function find(...programs) {
  const paths = process.env.PATH.split(delimiter);
  return programs.flatMap((program) => paths.map((path) => join(path, program))).find((path) => existsSync(path));
}

/** The folders of the programs of each version. */
function folders(path) {
  return existsSync(path) ? readdirSync(path).map((name) => join(path, name, 'bin')) : [];
}

/** Waits for what `.ci/run` is still making, and looks for what the tests need. */
async function whenProvided() {
  for (const deadline = Date.now() + 240_000; existsSync('.cache/providing') && Date.now() < deadline;)
    await delay(200);
  for (const each of machine) process.env[each.env] ??= each.find() ?? '';
  missing = machine.filter(({ env }) => !process.env[env]);
}

/** Where Node itself has no SQLite, it takes a driver that was compiled for it. */
function findSqlite() {
  if (process.getBuiltinModule('node:sqlite')) return 'node:sqlite';
  const driver = `better-sqlite3-12-${process.versions.modules}`;
  return existsSync(join('.cache', driver)) ? driver : undefined;
}
