// Finds the root module of an application and writes SseModule into its `imports`, with the project's own TypeScript.
// Where it cannot be certain it throws, and says why.
'use strict';
const { dirname, posix } = require('node:path');
const { name: PACKAGE } = require('../package.json');
const { editModule } = require('./edit-module.cjs');
const { importedAs, importsOf, nodesOf, parse } = require('./source.cjs');

/** The file of the root module, and its text when that is to change. Throws what keeps it from being certain. */
function importIntoRootModule(tree, sourceRoot, wanted) {
  const ts = loadTypeScript();
  const project = { ts, tree };
  const { source, name } = findRootModule(project, posix.join('/', sourceRoot));
  const existing = findExisting(project, sourceRoot, source);
  if (existing) {
    const missing = wanted.imports.find(({ name, from }) => importedAs(ts, existing, from, name) === undefined);
    if (missing) throw new Error(`${nameOf(existing)} has SseModule already, without ${missing.name}`);
    return { file: nameOf(existing) };
  }
  return { file: nameOf(source), text: editModule({ ts, source }, name, wanted) };
}

/** That of the project, or of its CLI: the package of TypeScript 7 has no compiler that can be called. */
function loadTypeScript() {
  const cli = () => dirname(require.resolve('@nestjs/cli/package.json', { paths: [process.cwd()] }));
  for (const home of [process.cwd, cli]) {
    try {
      const ts = require(require.resolve('typescript', { paths: [home()] }));
      if (ts.createSourceFile) return ts;
    } catch {
      // It is not installed there.
    }
  }
  throw new Error('the project has no TypeScript that could read it');
}

/** The file that has the class which `NestFactory.create` is given, and the name of the class there. */
function findRootModule(project, sourceRoot) {
  const { ts, tree } = project;
  const main = mainFiles(project, sourceRoot).find((file) => tree.exists(file));
  if (main === undefined) throw new Error(`${posix.join(sourceRoot, 'main.ts').slice(1)} is not there`);
  const source = parse(project, main);
  const factory = importedAs(ts, source, '@nestjs/core', 'NestFactory');
  const roots = new Set();
  for (const node of nodesOf(ts, source)) {
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) continue;
    const { expression, name } = node.expression;
    if (ts.isIdentifier(expression) && expression.text === factory && name.text.startsWith('create'))
      roots.add(node.arguments[0] && ts.isIdentifier(node.arguments[0]) ? node.arguments[0].text : undefined);
  }
  const [root] = roots;
  if (roots.size !== 1 || root === undefined) throw new Error(`${main.slice(1)} does not show the one root module`);

  const imported = importsOf(ts, source).find(({ local }) => local === root);
  if (imported === undefined) return { source, name: root };
  const file = resolve(project, imported.from, main);
  return { source: parse(project, file), name: imported.name };
}

function mainFiles({ ts, tree }, sourceRoot) {
  const text = tree.exists('/nest-cli.json') ? tree.read('/nest-cli.json').toString() : '{}';
  const { config = {} } = ts.parseConfigFileTextToJson('nest-cli.json', text);
  const projects = [...Object.values(config.projects ?? {}), config];
  const { entryFile = 'main' } =
    projects.find((each) => posix.join('/', each.sourceRoot ?? 'src') === sourceRoot) ?? {};
  // With `rootDir: "."` the entry file, which is one of dist, begins with the source root.
  return [
    [sourceRoot, entryFile],
    ['/', entryFile],
    [sourceRoot, 'main'],
  ].map((path) => `${posix.join(...path)}.ts`);
}

/** Where an import leads, by the rules of the project's tsconfig.json. */
function resolve({ ts, tree }, specifier, from) {
  const host = {
    fileExists: (path) => tree.exists(path),
    readFile: (path) => tree.read(path)?.toString(),
    readDirectory: () => [],
    useCaseSensitiveFileNames: true,
  };
  const path = ts.findConfigFile(posix.dirname(from), host.fileExists) ?? '/tsconfig.json';
  const { config } = ts.readConfigFile(path, host.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, files: [], include: [] }, host, posix.dirname(path));
  const file = ts.resolveModuleName(specifier, from, options, host).resolvedModule?.resolvedFileName;
  if (file === undefined || !/(?<!\.d)\.[cm]?tsx?$/.test(file) || file.includes('/node_modules/'))
    throw new Error(`"${specifier}" of ${from.slice(1)} leads to no source file`);
  return file;
}

/** The file of the application that has `SseModule.forRoot` or `forRootAsync` already. */
function findExisting(project, sourceRoot, rootModule) {
  const { ts, tree } = project;
  const files = new Set([rootModule.fileName]);
  tree.getDir(posix.join('/', sourceRoot)).visit((path) => {
    if (/(?<![.-](spec|test|d))\.[cm]?tsx?$/.test(path)) files.add(path);
  });
  for (const file of files) {
    if (!tree.read(file).includes(PACKAGE)) continue;
    const source = parse(project, file);
    const local = importedAs(ts, source, PACKAGE, 'SseModule');
    const isUse = (node) =>
      ts.isPropertyAccessExpression(node) &&
      node.name.text.startsWith('forRoot') &&
      ts.isIdentifier(node.expression) &&
      node.expression.text === local;
    if (local !== undefined && nodesOf(ts, source).some(isUse)) return source;
  }
  return undefined;
}

/** The path of a file as people write it: in a tree all begin with a slash. */
function nameOf({ fileName }) {
  return fileName.slice(1);
}

module.exports = { importIntoRootModule };
