// `npm run defences`: takes out the defences of scripts/defences/list.mjs one by one, each in a copy of this project,
// and shows that the test which it names fails without it and passes with it.
// `npm run defences -- ticket` does so for those whose name has this in it.
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runJest } from './defences/jest.mjs';
import { defences } from './defences/list.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const copy = resolve('.cache/defences');
const [wanted = ''] = process.argv.slice(2);
const chosen = defences.filter(({ name }) => name.includes(wanted));

makeCopy();
const intact = await passingTests(chosen);
let shown = 0;
for (const defence of chosen) {
  const startedAt = performance.now();
  const problem = await show(defence);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  if (problem === undefined) shown++;
  console.log(`${problem === undefined ? '✓' : '✗'} ${defence.name} (${seconds} s)${problem ? `: ${problem}` : ''}`);
}
console.log(`\n${chosen.length} defences, ${shown} shown, ${chosen.length - shown} not shown`);
process.exitCode = shown === chosen.length && shown > 0 ? 0 : 1;

/** What is there, but not what it was made of: a defence is taken out of the copy, never of the working tree. */
function makeCopy() {
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  for (const each of ['src', 'test', 'docs', 'jest.config.mjs', 'package.json', 'tsconfig.json']) {
    cpSync(each, join(copy, each), { recursive: true, filter: (path) => !path.includes('test/consumers') });
  }
  symlinkSync(resolve('node_modules'), join(copy, 'node_modules'), 'dir');
}

/** The names of all tests that pass while nothing is taken out, by spec: each spec is run once. */
async function passingTests(list) {
  const passing = new Map();
  for (const spec of new Set(list.map((defence) => defence.spec))) {
    const patterns = list.filter((defence) => defence.spec === spec).map(({ test }) => `(?:${test})`);
    passing.set(spec, await runJest(copy, spec, patterns.join('|')));
  }
  return passing;
}

/** `undefined` when the defence is shown to be needed, otherwise what is wrong. */
async function show({ spec, test, hangs = false, ...defence }) {
  const before = intact.get(spec).tests.filter(({ name }) => new RegExp(test, 'i').test(name));
  if (before.length === 0) return `there is no test /${test}/ in ${spec}`;
  const failing = before.find(({ passed }) => !passed);
  if (failing !== undefined) return `with the defence, "${failing.name}" fails too`;
  const changes = defence.changes ?? [defence];
  const originals = new Map();
  try {
    for (const { file, find, replace } of changes) {
      const path = join(copy, file);
      const text = readFileSync(path, 'utf8');
      if (!originals.has(path)) originals.set(path, text);
      if (text.split(find).length !== 2) return `${file} does not have this once: ${find}`;
      writeFileSync(
        path,
        text.replace(find, () => replace),
      );
    }
    const after = await runJest(copy, spec, test, hangs ? 20_000 : 90_000);
    if (after.timedOut) return hangs ? undefined : 'without it the tests do not end';
    if (after.didNotLoad) return 'without it the spec does not load';
    return after.tests.some(({ passed }) => !passed) ? undefined : 'without it the tests still pass';
  } finally {
    for (const [path, text] of originals) writeFileSync(path, text);
  }
}
