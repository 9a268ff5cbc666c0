import { expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { NODE_22, loadDrivers } from '../support/sqlite.js';

const isNeeded = !loadDrivers().some(({ name }) => name === 'node:sqlite') && existsSync(NODE_22);

/** What Jest says of a run with `--json`, as far as it is of interest. */
interface Report {
  readonly numPassedTests: number;
  readonly numRuntimeErrorTestSuites: number;
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

(isNeeded ? it : it.skip)(
  'passes its tests with node:sqlite, on a Node that has it',
  async () => {
    const { testResults, numPassedTests, numRuntimeErrorTestSuites } = await runJest();

    const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
    const messages = testResults.map(({ message }) => message).filter(Boolean);
    expect({ messages, numRuntimeErrorTestSuites }).toEqual({ messages: [], numRuntimeErrorTestSuites: 0 });
    expect(tests.filter(({ status }) => status === 'failed')).toEqual([]);
    expect(numPassedTests).toBeGreaterThan(100);
    expect(tests.filter(({ fullName }) => fullName.includes('node:sqlite')).length).toBeGreaterThan(100);
  },
  55_000,
);

function runJest(): Promise<Report> {
  const args = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--json', '--runInBand'];
  const specs = ['sqlite.spec.ts', 'sqlite-file.spec.ts', 'sqlite-faults.spec.ts'];
  return new Promise((resolve, reject) => {
    execFile(
      NODE_22,
      [...args, ...specs.map((spec) => `test/engines/${spec}`)],
      { timeout: 50_000, maxBuffer: 2 ** 26 },
      (error, stdout, stderr) => {
        // A failed test ends it with an exit code too: then there is a report all the same.
        if (stdout.startsWith('{')) resolve(JSON.parse(stdout) as Report);
        else reject(new Error(`Jest gave no report: ${error?.message ?? ''}\n${stderr}`));
      },
    );
  });
}
