import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Runs the tests of one spec whose names match, and gives those that ran. */
export async function runJest(cwd, spec, test, timeoutMs = 300_000) {
  const file = join(cwd, 'report.json');
  rmSync(file, { force: true });
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const jest = ['node_modules/jest/bin/jest.js', '--ci', '--json', `--outputFile=${file}`, '--forceExit', '-i'];
  const args = [...flags, ...jest, '--runTestsByPath', spec, '-t', test];
  const child = spawn(process.execPath, args, { cwd, stdio: 'ignore', env: { ...process.env, FUZZ_CASES: '60000' } });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  const results = read(file);
  const ran = results.flatMap(({ assertionResults }) => assertionResults).filter(({ status }) => status !== 'pending');
  return {
    timedOut,
    didNotLoad: ran.length === 0,
    tests: ran.map(({ fullName, status }) => ({ name: fullName, passed: status === 'passed' })),
  };
}

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).testResults;
  } catch {
    // It was stopped before it could write a report.
    return [];
  }
}
