// What is read in a source file, with the project's own TypeScript.
'use strict';
const { isUtf8 } = require('node:buffer');

/** Throws where the bytes are no UTF-8, which would not be the same when they are written again; a BOM stays. */
function readText(tree, file) {
  const bytes = tree.read(file);
  if (!bytes) throw new Error(`${file.replace(/^\//, '')} is not there`);
  if (!isUtf8(bytes)) throw new Error(`${file.replace(/^\//, '')} is not UTF-8`);
  return bytes.toString();
}

function parse({ ts, tree }, file) {
  // With its parents: a node is asked where it begins.
  return ts.createSourceFile(file, readText(tree, file), ts.ScriptTarget.Latest, true);
}

/** The values that the file imports by name: the name there, the name here, and from where. */
function importsOf(ts, source) {
  return source.statements.filter(ts.isImportDeclaration).flatMap((declaration) => {
    const from = declaration.moduleSpecifier.text;
    const { name } = declaration.importClause ?? {};
    const named = (namedImports(declaration) ?? [])
      .filter((each) => !each.isTypeOnly)
      .map((each) => ({ name: (each.propertyName ?? each.name).text, local: each.name.text, from }));
    return name ? [{ name: 'default', local: name.text, from }, ...named] : named;
  });
}

/** The list in the braces of an import, unless it imports types only. */
function namedImports({ importClause }) {
  return importClause?.isTypeOnly ? undefined : importClause?.namedBindings?.elements;
}

/** What a name of a package is called in the file. */
function importedAs(ts, source, from, name) {
  return importsOf(ts, source).find((each) => each.from === from && each.name === name)?.local;
}

function nodesOf(ts, root) {
  const nodes = [];
  const add = (node) => {
    nodes.push(node);
    ts.forEachChild(node, add);
  };
  add(root);
  return nodes;
}

module.exports = { readText, parse, importsOf, importedAs, namedImports, nodesOf };
