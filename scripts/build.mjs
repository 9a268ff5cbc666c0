// Builds both halves of the package: dist/esm with `nest build` (see nest-cli.json), dist/cjs with tsc.
//   --if-stale   leaves alone a half that is newer than everything it is made from
//   --only esm   this half alone: the examples need no other, and it is half the time
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isStale } from './stale.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const settings = ['package.json', 'nest-cli.json', 'tsconfig.json', 'tsconfig.build.json', 'tsconfig.build.cjs.json'];
const halves = {
  esm: { type: 'module', build: ['@nestjs/cli/bin/nest.js', 'build'] },
  cjs: { type: 'commonjs', build: ['typescript/bin/tsc', '-p', 'tsconfig.build.cjs.json'] },
};

const { values } = parseArgs({ options: { 'if-stale': { type: 'boolean' }, only: { type: 'string' } } });

for (const [half, { type, build }] of Object.entries(halves)) {
  if (values.only !== undefined && values.only !== half) continue;
  // Says of the .js and .d.ts files beside it what they are. Written last, so its age is the age of the half.
  const marker = `dist/${half}/package.json`;
  if (values['if-stale'] && !isStale(marker, ['src', ...settings])) continue;
  // Not to stdout: `npm pack --json` writes there.
  console.error(`Building dist/${half} (about ten seconds) …`);
  rmSync(`dist/${half}`, { recursive: true, force: true });
  run(...build);
  writeFileSync(marker, `{ "type": "${type}", "sideEffects": false }\n`);
}

function run(script, ...args) {
  const { status } = spawnSync(process.execPath, [`node_modules/${script}`, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
