import { describe, expect, test } from '@jest/globals';
import { compileFunction } from 'node:vm';

interface Body {
  readonly code: string;
  readonly imports: { from: string; isDefault: boolean }[];
  readonly loads: string[];
  readonly exports: string[];
}
type Modules = Record<string, Record<string, unknown>>;

const path: string = '../../scripts/build/body.mjs';
const { bodyOf } = (await import(path)) as { bodyOf: (text: string) => Body };

describe('the body of a module', () => {
  test('gives what the module exports, of what it imports', () => {
    const text = `import { a, b as c } from 'x';\nimport * as y from 'y';\nimport d from 'z';
      const all = [a, c, y.e, d];\nexport { all, all as default, a as first };`;

    const given = call(text, { x: { a: 1, b: 2 }, y: { e: 3 }, z: { default: 4 } });

    expect(given).toEqual({ all: [1, 2, 3, 4], default: [1, 2, 3, 4], first: 1 });
  });

  test('hands on what the module only exports again', () => {
    expect(call(`export { a as b } from 'x';`, { x: { a: 1 } })).toEqual({ b: 1 });
  });

  test('says what its doors have to import, once each', () => {
    const { imports, exports } = bodyOf(
      `import { a } from 'x';\nexport { b } from 'x';\nimport c from 'y';\nexport { a };`,
    );

    expect(imports).toEqual([
      { from: 'x', isDefault: false },
      { from: 'y', isDefault: true },
    ]);
    expect(exports).toEqual(['b', 'a']);
  });

  test('leaves to its doors how a package is loaded when it is needed', () => {
    const text = `const other = 'z';\nconst loaded = [import('x'), import(other)];\nexport { loaded };`;

    expect(bodyOf(text).loads).toEqual(['x']);
    expect(call(text, {}, (name) => `loaded ${name}`)).toEqual({ loaded: ['loaded x', 'loaded z'] });
  });

  test('is in strict mode, as the module was', () => {
    expect(call('const self = (function () { return this; })();\nexport { self };')).toEqual({ self: undefined });
  });

  test('has each line one further down, and indents with tabs what is no text', () => {
    const text =
      'function f() {\n    if (1) {\n        return `\n    text ${1\n        + 1}\n        text`;\n    }\n}\nexport { f };';

    expect(bodyOf(text).code.split('\n').slice(1, 9)).toEqual([
      'function f() {',
      '\tif (1) {',
      '\t\treturn `',
      '    text ${1',
      '\t\t+ 1}',
      '        text`;',
      '\t}',
      '}',
    ]);
  });

  test('is not made of a module that imports a default export beside names: in CommonJS these are two things', () => {
    expect(() => bodyOf(`import a, { b } from 'x';\nexport { a, b };`)).toThrow(
      'x: import its default export, or names',
    );
  });
});

function call(text: string, modules: Modules = {}, load: (name: string) => unknown = () => undefined): unknown {
  const module: { exports?: (modules: Modules, load: unknown) => unknown } = {};
  compileFunction(bodyOf(text).code, ['module'])(module);
  return module.exports!(modules, load);
}
