// Writes SseModule into the `imports` of a module, as the file is written: its quotes, its line ends, its commas.
'use strict';
const { importedAs, namedImports, nodesOf } = require('./source.cjs');

/** The text of the file with what is wanted in it. Throws what keeps it from being certain. */
function editModule({ ts, source }, className, { imports, options }) {
  const metadata = metadataOf(ts, source, className);
  const declarations = source.statements.filter(ts.isImportDeclaration);
  // That of `Module`, if none comes after it.
  const last = declarations.findLast(({ moduleSpecifier }) => !moduleSpecifier.text.startsWith('.'));
  const quote = last.moduleSpecifier.getText()[0];
  const forRoot = `SseModule.forRoot(${options.replaceAll("'", quote)})`;
  const edits = [
    ...metadataEdits(ts, source, metadata, forRoot),
    ...importEdits(ts, source, imports, { declarations, last, quote }),
  ];
  const text = apply(source.text, edits);
  const { diagnostics } = ts.transpileModule(text, { fileName: source.fileName, reportDiagnostics: true });
  if (diagnostics.length > 0) throw new Error(`${source.fileName.slice(1)} is not understood`);
  return text;
}

function metadataEdits(ts, source, metadata, forRoot) {
  const file = source.fileName.slice(1);
  // What is spread, or has a name that is computed, may be `imports` too.
  const isPlain = ({ name }) => name && (ts.isIdentifier(name) || ts.isStringLiteral(name));
  if (!metadata.properties.every(isPlain)) throw new Error(`the @Module() of ${file} is put together elsewhere`);
  const imports = metadata.properties.find(({ name }) => name.text === 'imports');
  if (imports === undefined) return prepend(source, metadata, `imports: [${forRoot}]`);
  if (!imports.initializer || !ts.isArrayLiteralExpression(imports.initializer))
    throw new Error(`the imports of the @Module() of ${file} are not a list in brackets`);
  const { elements } = imports.initializer;
  return elements.length > 0 ? append(ts, source, elements, forRoot) : [{ at: elements.pos, text: forRoot }];
}

/** What `@Module()` is given. */
function metadataOf(ts, source, className) {
  const declaration = classOf(ts, source, className);
  const decorator = importedAs(ts, source, '@nestjs/common', 'Module');
  const calls = ((declaration && ts.getDecorators(declaration)) ?? [])
    .map(({ expression }) => expression)
    .filter((each) => ts.isCallExpression(each) && each.expression.getText() === decorator);
  const metadata = calls.length === 1 ? calls[0].arguments[0] : undefined;
  if (metadata && ts.isObjectLiteralExpression(metadata)) return metadata;
  throw new Error(`${source.fileName.slice(1)} shows no @Module({ … }) of the root module`);
}

/** The class of that name, or the one that is exported as the default. */
function classOf(ts, source, name) {
  const assigned = source.statements.find((each) => ts.isExportAssignment(each) && !each.isExportEquals);
  const sought = name === 'default' ? assigned?.expression.text : name;
  const isDefault = (each) => each.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword);
  return source.statements
    .filter(ts.isClassDeclaration)
    .find((each) => (sought === undefined ? isDefault(each) : each.name?.text === sought));
}

function importEdits(ts, source, wanted, { declarations, last, quote }) {
  const taken = new Set(
    nodesOf(ts, source)
      .filter(ts.isIdentifier)
      .map(({ text }) => text),
  );
  const semicolon = last.getText().endsWith(';') ? ';' : '';
  const edits = [];
  for (const { name, from } of wanted) {
    if (importedAs(ts, source, from, name) === name) continue;
    if (taken.has(name)) throw new Error(`${source.fileName.slice(1)} has a ${name} of its own`);
    const lists = declarations.filter(({ moduleSpecifier }) => moduleSpecifier.text === from).map(namedImports);
    const list = lists.find((each) => each?.length > 0);
    const line = `${eolOf(source)}import { ${name} } from ${quote}${from}${quote}${semicolon}`;
    edits.push(...(list ? append(ts, source, list, name) : [{ at: endOfComments(ts, source, last.end), text: line }]));
  }
  return edits;
}

/** One more at the end of a list, on a line of its own if the last one has that. */
function append(ts, source, list, item) {
  const indent = indentOf(source, list.at(-1));
  const end = list.hasTrailingComma ? list.end : list.at(-1).end;
  if (indent === undefined) return [{ at: end, text: list.hasTrailingComma ? ` ${item},` : `, ${item}` }];
  const line = eolOf(source) + indent + item;
  const after = endOfComments(ts, source, end);
  if (list.hasTrailingComma) return [{ at: after, text: `${line},` }];
  return [
    { at: end, text: ',' },
    { at: after, text: line },
  ];
}

/** One more at the beginning of an object. */
function prepend(source, object, item) {
  const [first] = object.properties;
  const at = object.properties.pos;
  if (first === undefined) return [{ at, text: ` ${item} ` }];
  const indent = indentOf(source, first);
  return [{ at, text: indent === undefined ? ` ${item},` : `${eolOf(source)}${indent}${item},` }];
}

/** What stands before a node on its line, if that is space only. */
function indentOf({ text }, node) {
  const start = node.getStart();
  const before = text.slice(text.lastIndexOf('\n', start - 1) + 1, start);
  return before.trim() === '' ? before : undefined;
}

/** The end of the comments that follow on the same line. */
function endOfComments(ts, { text }, at) {
  return ts.getTrailingCommentRanges(text, at)?.at(-1)?.end ?? at;
}

function eolOf({ text }) {
  return text.includes('\r\n') ? '\r\n' : '\n';
}

function apply(text, edits) {
  const sorted = edits.toSorted((a, b) => a.at - b.at);
  return sorted.reduceRight((result, { at, text }) => result.slice(0, at) + text + result.slice(at), text);
}

module.exports = { editModule };
