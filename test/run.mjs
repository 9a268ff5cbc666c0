// `npm test`: every check there is, one after the other; none is left out because another failed.
// `npm test -- jest src/wire` runs one step alone and hands it the other arguments.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import jestConfig from '../jest.config.mjs';
import { check, command, finish, jest, section } from '../scripts/checks.mjs';
import { runConsumer } from './consumers/run.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

/** Programs that are not where programs are looked for: Debian has PostgreSQL's in a folder of each version. */
const elsewhere = [...folders('/usr/lib/postgresql'), '/usr/sbin', '/usr/local/sbin'];
process.env.PATH = [process.env.PATH, ...elsewhere].join(delimiter);

/** What some tests need of the machine, and read from `env`: without it they are left out, and in CI that fails. */
const machine = [
  { env: 'CHROMIUM', find: () => find('chromium', 'chromium-browser', 'google-chrome'), tests: 'test/browser/' },
  { env: 'REDIS_SERVER', find: () => find('redis-server'), tests: 'test/engines/redis' },
  { env: 'POSTGRES', find: () => find('postgres'), tests: 'test/engines/postgres', debian: 'postgresql' },
  { env: 'NATS_SERVER', find: () => find('nats-server'), tests: 'test/engines/nats' },
  { env: 'SQLITE', find: findSqlite, tests: 'test/engines/sqlite', get: 'node scripts/sqlite-drivers.mjs' },
];
let missing = [];

const steps = {
  async lint() {
    await command('ESLint', [bin('eslint'), '.']);
    await command('Prettier', [bin('prettier'), '--check', '.']);
  },
  async types() {
    await command('TypeScript', [bin('tsc'), '-p', 'tsconfig.json']);
  },
  async layers() {
    await command('imports keep to the one direction', ['npm', 'run', '--silent', 'layers']);
  },
  async package() {
    const tarball = await pack();
    await command('publint', [bin('publint'), 'run', '--strict', tarball]);
    await command('are the types wrong?', [bin('attw'), '--profile', 'node16', '--format', 'ascii', tarball]);
  },
  async consumers(...only) {
    const tarball = await pack();
    const names = readdirSync('test/consumers').filter((name) =>
      existsSync(`test/consumers/${name}/package-lock.json`),
    );
    for (const name of only.length > 0 ? only : names) await runConsumer(name, tarball);
  },
  async jest(...args) {
    await whenProvided();
    const ignored = [...jestConfig.testPathIgnorePatterns, ...missing.map(({ tests }) => `/${tests}`)];
    // Most specs wait for a clock or a socket: Jest's own choice, one worker less than there are cores, takes twice as long.
    const chosen = args.length > 0 ? args : ['--maxWorkers=100%'];
    await jest([...chosen, '--testPathIgnorePatterns', ...ignored], { live: true });
  },
};

let packing;
const [only, ...args] = process.argv.slice(2);
if (only !== undefined && !(only in steps))
  check(`there is no step "${only}", but ${Object.keys(steps).join(', ')}`, false);
for (const [name, step] of Object.entries(steps)) {
  if (only !== undefined && only !== name) continue;
  section(name);
  await step(...args);
}

if (missing.length > 0) {
  section('left out, because this machine lacks something');
  for (const {
    env,
    tests,
    debian = env.toLowerCase().replace('_', '-'),
    get = `apt-get install -y ${debian}`,
  } of missing) {
    const text = `${tests}*: ${get}`;
    if (process.env.CI) check(text, false);
    else console.log(text);
  }
}
finish();

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

/** Where Node itself has no SQLite, what counts is another Node that has, and a driver for this one. */
function findSqlite() {
  if (process.getBuiltinModule('node:sqlite')) return 'node:sqlite';
  const isModern = Number(process.versions.napi) >= 10;
  const driver = isModern ? 'better-sqlite3-13' : `better-sqlite3-12-${process.versions.modules}`;
  return existsSync('.cache/node22') && existsSync(join('.cache', driver)) ? driver : undefined;
}
