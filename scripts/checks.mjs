// Runs the programs that decide a check, and counts what passed and what failed.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What Jest is given. Most specs wait for a clock or a socket, and use a third of a core: Jest's own choice, one worker on two cores, takes
 * twice as long. Three took 12 to 19 % less than two over 16 files. In a whole run with three, on a machine at half its speed, two fault specs failed
 * that pass alone; with two that was not tried.
 */
export const WORKERS = '--maxWorkers=100%';

const minutes = 60_000;
const count = { passed: 0, failed: 0 };
const running = new Set();
let reports = 0;

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const child of running) stop(child);
    process.exit(1);
  });
}

export function section(title) {
  console.log(`\n── ${title}`);
}

/** Counts one check. What there is to say about it is printed when it failed. */
export function check(name, ok, details = '') {
  count[ok ? 'passed' : 'failed'] += 1;
  if (!ok && details.trim()) console.log(details.trimEnd());
  console.log(`${ok ? '✓' : '✗'} ${name}`);
  return ok;
}

/** Counts one check that passes when the program exits with 0. */
export async function command(name, [program, ...args], options) {
  const started = performance.now();
  const { ok, output } = await run(program, args, options);
  return check(`${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`, ok, output);
}

/** What the tests themselves do that Node warns of: ES modules in Jest, `node:sqlite` on Node 22, the `EventSource` of undici. */
const EXPECTED_WARNINGS = ['ExperimentalWarning', 'UNDICI-ES'].map((name) => `--disable-warning=${name}`);

/**
 * Counts every test of a Jest run, every suite that did not load, a process that was kept alive by a leak, and the lack of warnings.
 * `node` is the one to run it with.
 */
export async function jest(args, { cwd = '.', esm = true, live = false, node = process.execPath, env } = {}) {
  // One of its own: two may run beside each other.
  const report = join(process.cwd(), `.cache/jest-${++reports}.json`);
  mkdirSync('.cache', { recursive: true });
  rmSync(report, { force: true });
  const flags = [...(esm ? ['--experimental-vm-modules'] : []), ...EXPECTED_WARNINGS];
  const { ok, output } = await run(
    node,
    [...flags, 'node_modules/jest/bin/jest.js', '--ci', '--json', `--outputFile=${report}`, ...args],
    { cwd, live, env, timeoutMs: 30 * minutes, stopAt: /Jest did not exit/ },
  );
  const result = readReport(report);
  count.passed += result.numPassedTests;
  count.failed += result.numFailedTests + result.numRuntimeErrorTestSuites;
  const leaked = /Jest did not exit|failed to exit gracefully/.test(output);
  if (leaked) check('every handle is closed when the tests end', false);
  const warnings = output.match(/^\(node:\d+\).*Warning.*(\n.+)?/gm) ?? [];
  check('Node warns of nothing', warnings.length === 0, warnings.join('\n'));
  if (!ok && !leaked && result.success !== false) check('Jest exits with 0', false);
  if (!ok && !live) console.log(output);
  console.log(`${ok && !leaked ? '✓' : '✗'} ${result.numPassedTests} of ${result.numTotalTests} tests passed`);
}

/** The last line, and the exit code that goes with it. */
export function finish() {
  console.log(`\n${count.passed} passed, ${count.failed} failed`);
  process.exitCode = count.failed > 0 ? 1 : 0;
}

function run(program, args, { cwd = '.', timeoutMs = 5 * minutes, live = false, env = process.env, stopAt } = {}) {
  return new Promise((resolve) => {
    // A group of its own, so that whatever the program started is stopped with it.
    const child = spawn(program, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    let output = '';
    const timer = setTimeout(() => {
      const why = `\nstopped after ${timeoutMs / minutes} minutes\n`;
      output += why;
      if (live) process.stdout.write(why);
      stop(child);
    }, timeoutMs);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
        if (live) process.stdout.write(text);
        if (stopAt?.test(text)) stop(child);
      });
    }
    child.on('error', (error) => (output += error.message));
    child.on('close', (code) => {
      clearTimeout(timer);
      running.delete(child);
      resolve({ ok: code === 0, output });
    });
  });
}

function stop(child) {
  if (child?.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime.
  }
}

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // Jest did not come far enough to write one.
    return { numPassedTests: 0, numFailedTests: 0, numRuntimeErrorTestSuites: 0, numTotalTests: 0 };
  }
}
