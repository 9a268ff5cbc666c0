// Installs the packed package into a project of its own, as a user would, and runs that project's checks there.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command, jest } from '../../scripts/checks.mjs';

/** Specs that a consumer with Jest runs beside its own: every HTTP case, against the package as published. */
const borrowed = ['test/e2e', 'test/support'];

export async function runConsumer(name, tarball) {
  const source = join('test/consumers', name);
  const home = join('.cache/consumers', name);
  const jestConfig = ['jest.config.mjs', 'jest.config.cjs'].find((file) => existsSync(join(source, file)));

  mkdirSync(home, { recursive: true });
  cpSync(source, home, { recursive: true });
  if (!(await install(name, home, tarball))) return;
  if (jestConfig) borrowSpecs(home);
  await command(`${name}: npm run check`, ['npm', 'run', '--silent', 'check'], { cwd: home });
  if (jestConfig) await jest(['--maxWorkers=100%'], { cwd: home, esm: jestConfig.endsWith('.mjs') });
}

/** `npm ci` only when the lock has changed since the last time; the tarball every time. */
async function install(name, home, tarball) {
  const stamp = join(home, 'node_modules/.installed-lock');
  const lock = createHash('sha256')
    .update(readFileSync(join(home, 'package-lock.json')))
    .digest('hex');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
    if (!(await command(`${name}: npm ci`, ['npm', 'ci'], { cwd: home }))) return false;
    writeFileSync(stamp, lock);
  }
  rmSync(join(home, 'node_modules/nestjs-event-stream'), { recursive: true, force: true });
  const flags = ['--no-save', '--no-audit', '--prefer-offline'];
  return command(`${name}: npm install the tarball`, ['npm', 'install', ...flags, tarball], { cwd: home });
}

function borrowSpecs(home) {
  cpSync('test/consumers/shared', home, { recursive: true });
  rmSync(join(home, 'test'), { recursive: true, force: true });
  for (const folder of borrowed) if (existsSync(folder)) cpSync(folder, join(home, folder), { recursive: true });
}
