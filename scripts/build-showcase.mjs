// Compiles the showcase, and the package that it imports, when they are older than what they are made from. It says what it does,
// because the first time takes a while.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isStale } from './stale.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

/** Written last: its age is the age of what is built. */
const marker = '.cache/examples/built';

run('scripts/build.mjs', '--if-stale');
if (isStale(marker, ['examples', 'dist/esm/package.json', 'tsconfig.examples.json', 'nest-cli.json'])) {
  console.log('Compiling the examples …');
  run('node_modules/@nestjs/cli/bin/nest.js', 'build', 'showcase');
  writeFileSync(marker, '');
}

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
