import { beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import ts from 'typescript';

interface Built {
  readonly types: string;
  readonly default: string;
}
interface Conditions {
  /** For `require()` and `import` alike, in Node. */
  readonly 'module-sync': Built;
  readonly import: Built;
  /** For what cannot `require()` an ES module, such as Jest. */
  readonly require: Built;
}

const {
  name,
  types: packageTypes,
  exports,
  typesVersions,
} = JSON.parse(readFileSync('package.json', 'utf8')) as {
  name: string;
  types: string;
  exports: Record<string, Conditions>;
  typesVersions: { readonly '*': Record<string, string[]> };
};
const entryPoints = Object.keys(exports).filter((entry) => !/\.js(on)?$/.test(entry));

describe.each(entryPoints)('entry point %s', (entry) => {
  beforeAll(() => {
    execFileSync(process.execPath, ['scripts/build.mjs', '--if-stale'], { stdio: 'inherit' });
  }, 120_000);

  test('exports the names of the snapshot, so that every change of the API is a reviewed one', () => {
    expect({ values: valueNames(nameOf(entry), 'import'), types: typeNames(entry) }).toMatchSnapshot();
  });

  test('exports the same names from both builds', () => {
    const commonJs = resolve(exports[entry]!.require.default);

    expect(valueNames(commonJs, 'require')).toEqual(valueNames(nameOf(entry), 'import'));
  });

  test('is one copy for import and require() in Node: Nest knows an injected class by its identity', () => {
    const [own] = valueNames(nameOf(entry), 'import');
    const script = `console.log(require('${nameOf(entry)}').${own} === (await import('${nameOf(entry)}')).${own})`;

    expect(evaluate(script, 'commonjs')).toBe('true\n');
  });

  test('has types for `moduleResolution: node`, which does not look at exports', () => {
    const types = entry === '.' ? [packageTypes] : typesVersions['*'][entry.slice(2)];

    expect(types).toEqual([exports[entry]!.require.types]);
  });
});

/** In a process of its own: inside Jest the package's name leads to src. */
function valueNames(specifier: string, load: 'import' | 'require'): string[] {
  const script = `console.log(JSON.stringify(Object.keys(await ${load}(${JSON.stringify(specifier)}))))`;
  const names = JSON.parse(evaluate(script, load === 'import' ? 'module' : 'commonjs')) as string[];
  return names.filter((each) => each !== '__esModule').sort();
}

function evaluate(script: string, format: 'module' | 'commonjs'): string {
  const input = format === 'module' ? script : `(async () => ${script})()`;
  const args = [`--input-type=${format}`, '--no-warnings', '--eval', input];
  return execFileSync(process.execPath, args, { encoding: 'utf8' });
}

function nameOf(entry: string): string {
  return name + entry.slice(1);
}

/** What only types are: interfaces, type aliases. A class is in the other list. */
function typeNames(entry: string): string[] {
  const file = exports[entry]!.import.types;
  const program = ts.createProgram([file], { module: ts.ModuleKind.NodeNext, skipLibCheck: true });
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(file)!)!;
  const isValue = (symbol: ts.Symbol): boolean => {
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    return (target.flags & ts.SymbolFlags.Value) !== 0;
  };
  return checker
    .getExportsOfModule(module)
    .filter((symbol) => !isValue(symbol))
    .map((symbol) => symbol.name)
    .sort();
}
