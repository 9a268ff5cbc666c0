// Where, when and with what it was measured.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { cpus, loadavg, release, totalmem } from 'node:os';

const require = createRequire(import.meta.url);
const PACKAGES = ['@nestjs/core', '@nestjs/platform-express', '@nestjs/platform-fastify', 'better-sse', '@fastify/sse'];

export function describeMachine() {
  return {
    date: new Date().toISOString(),
    os: `${process.platform} ${release()}`,
    cpus: cpus().length,
    cpu: cpus()[0]?.model.trim(),
    memoryBytes: totalmem(),
    load: loadavg()[0],
    commit: commit(),
    versions: {
      node: process.version,
      'nestjs-event-stream': versionOf(new URL('../../package.json', import.meta.url)),
      ...Object.fromEntries(PACKAGES.map((name) => [name, versionOf(manifestOf(name))])),
      nginx: spawnSync('nginx', ['-v'], { encoding: 'utf8' }).stderr?.trim().split('/')[1] ?? 'none',
      gcc: spawnSync('gcc', ['-dumpfullversion'], { encoding: 'utf8' }).stdout?.trim() ?? 'none',
    },
  };
}

/** The commit, and whether there are changes on top of it; nothing outside a repository. */
export function commit(clone = fileURLToPath(new URL('../..', import.meta.url))) {
  const git = (...args) => spawnSync('git', args, { encoding: 'utf8', cwd: clone });
  const { status, stdout } = git('rev-parse', '--short', 'HEAD');
  if (status !== 0) return undefined;
  return stdout.trim() + (git('status', '--porcelain', 'src').stdout === '' ? '' : ' with changes');
}

/** How many files each process may have open. */
export function maxOpenFiles() {
  const soft = process.report.getReport().userLimits?.open_files.soft ?? 'unlimited';
  return soft === 'unlimited' ? Infinity : Number(soft);
}

function versionOf(file) {
  return file === undefined ? 'none' : JSON.parse(readFileSync(file, 'utf8')).version;
}

/** Not by `require('name/package.json')`: some do not export it. */
function manifestOf(name) {
  const folder = require.resolve
    .paths(name)
    .map((path) => `${path}/${name}/package.json`)
    .find((path) => readable(path));
  return folder;
}

function readable(path) {
  try {
    return readFileSync(path).length > 0;
  } catch {
    return false;
  }
}
