// Turns an ES module into a function of what it imports.
import ts from 'typescript';

/**
 * The function, as a CommonJS module, and what its doors need to know. The lines stay what they are, one further down, so that a source map
 * of the module needs one line in front of it.
 *
 * @returns {{ code: string, imports: { from: string, isDefault: boolean }[], loads: string[], exports: string[] }}
 */
export function bodyOf(text) {
  const source = ts.createSourceFile('chunk.js', text, ts.ScriptTarget.Latest, true);
  /** What is imported, and whether as a default export. */
  const imports = new Map();
  const loads = new Set();
  /** What is exported, by name: the code that gives it. */
  const exports = new Map();
  const edits = [];
  const replace = (node, by) => edits.push({ start: node.getStart(), end: node.getEnd(), by });
  const addImport = (from, isDefault) => {
    if ((imports.get(from) ?? isDefault) !== isDefault)
      throw new Error(`${from}: import its default export, or names of it`);
    imports.set(from, isDefault);
  };

  for (const statement of source.statements) {
    if (ts.isImportDeclaration(statement)) {
      const from = statement.moduleSpecifier.text;
      const { name, namedBindings } = statement.importClause ?? {};
      // Imported to be loaded, which its doors do.
      if (!name && !namedBindings) {
        if (!imports.has(from)) addImport(from, false);
        replace(statement, '');
        continue;
      }
      if (name) addImport(from, true);
      if (namedBindings) addImport(from, false);
      const pattern = name ? `{ default: ${name.text} }` : patternOf(namedBindings);
      replace(statement, `const ${pattern} = $modules['${from}'];`);
    } else if (ts.isExportDeclaration(statement)) {
      const from = statement.moduleSpecifier?.text;
      if (from) addImport(from, false);
      for (const { name, propertyName = name } of statement.exportClause.elements) {
        exports.set(name.text, from ? `$modules['${from}'].${propertyName.text}` : propertyName.text);
      }
      replace(statement, '');
    }
  }
  const pairs = [...exports].map(([name, given]) => (name === given ? name : `${name}: ${given}`));
  const visit = (node) => {
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      if (ts.isStringLiteral(node.arguments[0])) loads.add(node.arguments[0].text);
      replace(node.expression, '$load');
    }
    ts.forEachChild(node, visit);
  };
  visit(source);

  for (const [start, end] of indentsOf(source)) edits.push({ start, end, by: '\t'.repeat((end - start) / 4) });

  const inner = edits
    .sort((a, b) => b.start - a.start)
    .reduce((code, { start, end, by }) => code.slice(0, start) + by + code.slice(end), text);
  const code = `module.exports = ($modules, $load) => { 'use strict';\n${inner.trimEnd()}\nreturn { ${pairs.join(', ')} };\n};\n`;
  return {
    code,
    imports: [...imports].map(([from, isDefault]) => ({ from, isDefault })),
    loads: [...loads],
    exports: [...exports.keys()],
  };
}

/** The compiler indents with four spaces, which are a tenth of the code; what looks like it within a template is text. */
function indentsOf(source) {
  const text = new Set();
  const visit = (node) => {
    if (ts.isTemplateLiteralToken(node)) {
      const [first, last] = [node.getStart(), node.getEnd()].map((at) => source.getLineAndCharacterOfPosition(at).line);
      for (let line = first + 1; line <= last; line += 1) text.add(line);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return source.getLineStarts().flatMap((start, line) => {
    const spaces = text.has(line) ? 0 : /^ */.exec(source.text.slice(start, start + 200))[0].length;
    return spaces < 4 ? [] : [[start, start + spaces - (spaces % 4)]];
  });
}

function patternOf(bindings) {
  if (ts.isNamespaceImport(bindings)) return bindings.name.text;
  const names = bindings.elements.map(({ name, propertyName }) =>
    propertyName ? `${propertyName.text}: ${name.text}` : name.text,
  );
  return `{ ${names.join(', ')} }`;
}
