import { beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import ts from 'typescript';

interface Conditions {
  readonly import: { readonly types: string };
}

const { name, exports } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  name: string;
  exports: Record<string, Conditions>;
};
const entryPoints = Object.keys(exports).filter((entry) => entry !== './package.json');

describe.each(entryPoints)('entry point %s', (entry) => {
  beforeAll(() => {
    execFileSync(process.execPath, ['scripts/build.mjs', '--if-stale'], { stdio: 'inherit' });
  }, 120_000);

  test('exports the names of the snapshot, so that every change of the API is a reviewed one', () => {
    expect({ values: valueNames(entry, 'import'), types: typeNames(entry) }).toMatchSnapshot();
  });

  test('exports the same names to require() as to import', () => {
    expect(valueNames(entry, 'require')).toEqual(valueNames(entry, 'import'));
  });
});

/** In a process of its own: inside Jest the package's name leads to src. */
function valueNames(entry: string, load: 'import' | 'require'): string[] {
  const specifier = JSON.stringify(name + entry.slice(1));
  const script = `console.log(JSON.stringify(Object.keys(await ${load}(${specifier}))))`;
  const input = load === 'import' ? script : `(async () => ${script})()`;
  const args = [`--input-type=${load === 'import' ? 'module' : 'commonjs'}`, '--no-warnings', '--eval', input];
  const names = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as string[];
  return names.filter((each) => each !== '__esModule').sort();
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
