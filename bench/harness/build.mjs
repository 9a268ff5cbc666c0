// Compiles the programs in C, when they are older than their sources, into a folder that git ignores.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const bench = fileURLToPath(new URL('..', import.meta.url));
const folder = fileURLToPath(new URL('../../.cache/bench/', import.meta.url));

const PROGRAMS = {
  load: ['load/main.c', 'load/clients.c', 'load/stream.c'],
  publish: ['load/publish.c'],
  limit: ['limit/limit.c'],
};

/** Where a program is. */
export const program = (name) => `${folder}${name}`;

export function buildPrograms() {
  mkdirSync(folder, { recursive: true });
  const newest = Math.max(...['load', 'limit'].flatMap((part) => readdirSync(`${bench}${part}`).map(timeOf(part))));
  for (const [name, sources] of Object.entries(PROGRAMS)) {
    if ((statSync(program(name), { throwIfNoEntry: false })?.mtimeMs ?? 0) > newest) continue;
    const { status, error } = spawnSync('gcc', ['-O2', '-Wall', '-Wextra', '-o', program(name), ...sources], {
      cwd: bench,
      stdio: 'inherit',
    });
    if (error?.code === 'ENOENT') fail('The load client is written in C: install gcc (Debian: apt-get install gcc).');
    if (status !== 0) fail(`${sources[0]} could not be compiled.`);
  }
}

/** Builds the package, unless `dist` is newer than what it is made from. */
export function buildPackage() {
  const script = fileURLToPath(new URL('../../scripts/build.mjs', import.meta.url));
  if (spawnSync(process.execPath, [script, '--if-stale'], { stdio: 'inherit' }).status !== 0) {
    fail('The package could not be built.');
  }
}

/**
 * Copies what is built in another clone to where it finds the packages of this one, so that both run on the same Nest, and
 * a build that is made there meanwhile changes nothing. Answers its entry.
 */
export function takeBuildOf(clone) {
  if (!existsSync(`${clone}/dist/esm/index.js`)) fail(`There is no build in ${clone}: npm run build`);
  const copy = `${folder}other`;
  rmSync(copy, { recursive: true, force: true });
  for (const part of ['dist', 'package.json']) cpSync(`${clone}/${part}`, `${copy}/${part}`, { recursive: true });
  return `${copy}/dist/esm/index.js`;
}

function timeOf(part) {
  return (name) => statSync(`${bench}${part}/${name}`).mtimeMs;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
