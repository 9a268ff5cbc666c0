// Builds both halves of the package: dist/esm with `nest build` (see nest-cli.json), dist/cjs with tsc.
// With --if-stale it does nothing while dist is newer than everything it is made from.
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

/** Written last, so its age is the age of the whole build. */
const marker = 'dist/cjs/package.json';

if (process.argv.includes('--if-stale') && newestInput() < modified(marker)) process.exit();

rmSync('dist', { recursive: true, force: true });
run('@nestjs/cli/bin/nest.js', 'build');
run('typescript/bin/tsc', '-p', 'tsconfig.build.cjs.json');
// Node and TypeScript read the .js and .d.ts files below dist/esm as ES modules because the package's own
// package.json says so; the other half needs one that says otherwise.
writeFileSync(marker, '{ "type": "commonjs", "sideEffects": false }\n');

function run(script, ...args) {
  const { status } = spawnSync(process.execPath, [`node_modules/${script}`, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

function newestInput() {
  // Folders count too: their time changes when a file is removed.
  const sources = readdirSync('src', { recursive: true }).map((name) => `src/${name}`);
  const settings = ['package.json', 'nest-cli.json', 'tsconfig.json', 'tsconfig.build.json', 'tsconfig.build.cjs.json'];
  return Math.max(...[...sources, 'src', ...settings].map(modified));
}

function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
