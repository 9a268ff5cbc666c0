// Builds the package: what `nest build` (see nest-cli.json) and tsc compile into .cache/build is bundled into dist.
// - dist/body has the code, once for both module formats, and its source maps
// - dist/esm and dist/cjs are the doors to it, the client and the types
// - dist/client.js is the client for a page without a bundler
//   --if-stale   does nothing when dist is newer than everything it is made from
import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleClient } from './build/client.mjs';
import { bundleCode } from './build/code.mjs';
import { bundleTypes } from './build/types.mjs';
import { isStale } from './stale.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const settings = ['package.json', 'nest-cli.json', 'tsconfig.json', 'tsconfig.build.json', 'tsconfig.build.types.json'];
/** Say of the .js and .d.ts files beside them what they are. The last one is written last: its age is the age of what is built. */
const markers = { body: 'commonjs', cjs: 'commonjs', esm: 'module' };

const { values } = parseArgs({ options: { 'if-stale': { type: 'boolean' } } });

if (
  !values['if-stale'] ||
  isStale('dist/esm/package.json', ['src', 'scripts/build.mjs', 'scripts/build', ...settings])
) {
  // Not to stdout: `npm pack --json` writes there.
  console.error('Building dist (about fifteen seconds) …');
  rmSync('.cache/build', { recursive: true, force: true });
  const compiled = await Promise.all([
    run('@nestjs/cli/bin/nest.js', 'build'),
    run('typescript/bin/tsc', '-p', 'tsconfig.build.types.json'),
  ]);
  if (compiled.includes(false)) process.exit(1);
  rmSync('dist', { recursive: true, force: true });
  await bundleCode('.cache/build/code', 'dist');
  await bundleClient('dist');
  await bundleTypes('.cache/build/types', ['dist/esm', 'dist/cjs']);
  for (const [folder, type] of Object.entries(markers)) {
    writeFileSync(`dist/${folder}/package.json`, `{ "type": "${type}", "sideEffects": false }\n`);
  }
}

/** Whether the program has succeeded. */
async function run(script, ...args) {
  const child = spawn(process.execPath, [`node_modules/${script}`, ...args], { stdio: ['ignore', 2, 2] });
  return (await new Promise((resolve) => child.once('close', resolve))) === 0;
}
