// Installs the packed package into a project of its own, as a user would, and runs that project's checks there.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WORKERS, command, jest } from '../../scripts/checks.mjs';

/** Specs that a consumer with Jest runs beside its own: every HTTP case, against the package as published. */
const borrowed = ['test/e2e', 'test/support'];

/** The names of the projects. */
export function consumers() {
  return readdirSync('test/consumers').filter((name) => existsSync(`test/consumers/${name}/package-lock.json`));
}

/** Whether a project takes long, and has little to do with Node: those with a runner or a CLI of their own. */
export function isSlow(name) {
  return hasCli(name) || jestConfigOf(name) !== undefined;
}

/** Installs the tarball into a project, with what the project needs. Answers whether it could be. */
export async function installConsumer(name, tarball) {
  const home = homeOf(name);
  mkdirSync(home, { recursive: true });
  cpSync(join('test/consumers', name), home, { recursive: true });
  if (!(await install(name, home, tarball))) return false;
  if (jestConfigOf(name)) borrowSpecs(home);
  if (hasCli(name)) cpSync('test/consumers/nest-add.mjs', join(home, 'nest-add.mjs'));
  return true;
}

/** Runs the checks of a project that has been installed. */
export async function checkConsumer(name, { node, env } = {}) {
  const cwd = homeOf(name);
  const jestConfig = jestConfigOf(name);
  await command(`${name}: npm run check`, ['npm', 'run', '--silent', 'check'], { cwd, env });
  if (jestConfig) await jest([WORKERS], { cwd, node, env, esm: jestConfig.endsWith('.mjs') });
}

function homeOf(name) {
  return join('.cache/consumers', name);
}

/** Whether a project has Nest's CLI add the package: in 40 s, with what is of no Node in particular. */
function hasCli(name) {
  return name.endsWith('-cli');
}

function jestConfigOf(name) {
  const files = ['jest.config.mjs', 'jest.config.cjs'];
  return files.find((file) => existsSync(join('test/consumers', name, file)));
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
