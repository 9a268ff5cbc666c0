// What is in the package, and what it may weigh.
import { Buffer } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * The most that users install. The TypeScript in the source maps counts by itself: it grows with the code and is read by debuggers only.
 */
const BUDGET = { files: 220, kB: 2_100, sourcesKB: 1_450 };

/** The files that npm would publish, with their bytes. */
export function packedFiles() {
  const answer = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8' });
  const [{ files }] = JSON.parse(answer);
  return files.map(({ path, size }) => ({ path, size }));
}

/** How much of a file is TypeScript that a source map holds. */
export function sourcesIn(path) {
  if (!path.endsWith('.js.map')) return 0;
  return Buffer.byteLength(JSON.stringify(JSON.parse(readFileSync(path, 'utf8')).sourcesContent));
}

/**
 * What the package weighs, and where that is more than the budget.
 *
 * @param {{ path: string, size: number, sources: number }[]} files
 */
export function weigh(files, budget = BUDGET) {
  const sum = (of) => files.reduce((total, file) => total + of(file), 0);
  const weight = {
    files: files.length,
    kB: Math.ceil(sum(({ size, sources }) => size - sources) / 1_000),
    sourcesKB: Math.ceil(sum(({ sources }) => sources) / 1_000),
  };
  const largest = [...files].sort((a, b) => b.size - a.size).slice(0, 5);
  const problems = Object.keys(budget)
    .filter((each) => weight[each] > budget[each])
    .map((each) => `${NAMES[each]}: ${weight[each]}, and the budget is ${budget[each]}`);
  if (problems.length > 0) problems.push(`The largest are ${largest.map(({ path }) => path).join(', ')}.`);
  return { ...weight, problems };
}

const NAMES = {
  files: 'Files in the package',
  kB: 'kB in the package, without the TypeScript in its source maps',
  sourcesKB: 'kB of TypeScript in the source maps',
};
