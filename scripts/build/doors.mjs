// The doors of a body, one for each module format.

/** Packages that are loaded when they are needed are named here once more, so that bundlers see them. */
export function esmDoor(path, { imports, loads, exports }) {
  const froms = imports.map(({ from }) => from);
  return [
    ...froms.map((from, at) => `import * as m${at} from '${from}';`),
    `import body from '${path}';`,
    '',
    `const modules = {${froms.map((from, at) => ` '${from}': m${at},`).join('')} };`,
    `const loads = {${loads.map((from) => ` '${from}': () => import('${from}'),`).join('')} };`,
    `const load = (name) => (loads[name] ? loads[name]() : import(name));`,
    `export const { ${exports.join(', ')} } = body(modules, load);`,
    '',
  ].join('\n');
}

/** `require()` in place of `import()` too, because Jest has no `import()` in CommonJS; what it gives is what `import()` would. */
export function cjsDoor(path, { imports, loads, exports }) {
  const modules = imports.map(({ from, isDefault }) =>
    isDefault ? ` '${from}': { default: require('${from}') },` : ` '${from}': require('${from}'),`,
  );
  return [
    `'use strict';`,
    `Object.defineProperty(exports, '__esModule', { value: true });`,
    `const body = require('${path}');`,
    '',
    `const modules = {${modules.join('')} };`,
    `const loads = {${loads.map((from) => ` '${from}': () => require('${from}'),`).join('')} };`,
    `const load = async (name) => asNamespace(loads[name] ? loads[name]() : require(name));`,
    `const asNamespace = (module) => (module.__esModule ? module : Object.assign({}, module, { default: module }));`,
    `const built = body(modules, load);`,
    ...exports.map((name) => `exports.${name} = built.${name};`),
    '',
  ].join('\n');
}
