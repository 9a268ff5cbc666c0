// `npm run layers`: what the compiler knows of the classes in src, and no linter asks.
// - a class has at most 20 public members: more are two classes
// - a name is that of a class in one folder only: there an error, a log or a heap snapshot leads to one place
// - a file of 260 lines is told of: 300 are the limit, and the next feature should find room
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const MAX_PUBLIC_MEMBERS = 20;
const FULL_LINES = 260;

/**
 * What is let through for now: what is none any more, or has become smaller, is refused, so that these lists only shrink.
 */
const EXCEPTIONS = {
  /** How many public members a class has. */
  publicMembers: {},
  /** The folders that have a class of this name. */
  classNames: {},
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { errors, warnings } = checkShape('src', EXCEPTIONS);
  for (const text of warnings) console.log(`warn ${text}`);
  for (const text of errors) console.log(`error ${text}`);
  console.log(`${errors.length === 0 ? '✔' : 'x'} ${errors.length} errors, ${warnings.length} warnings of shape`);
  process.exitCode = errors.length > 0 ? 1 : 0;
}

/** @returns {{ errors: string[], warnings: string[] }} */
export function checkShape(folder, { publicMembers, classNames }) {
  const files = readdirSync(folder, { recursive: true })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
    .sort()
    .map((name) => ({
      path: `${folder}/${name}`,
      room: name.split('/')[0],
      text: readFileSync(join(folder, name), 'utf8'),
    }));
  const classes = files.flatMap(classesIn);
  return {
    errors: [...checkMembers(classes, publicMembers), ...checkNames(classes, classNames)],
    warnings: files.flatMap(({ path, text }) => {
      const lines = text.split('\n').length - 1;
      return lines < FULL_LINES ? [] : [`nearly-full: ${path} has ${lines} lines`];
    }),
  };
}

function checkMembers(classes, exceptions) {
  const large = classes.filter(({ members }) => members > MAX_PUBLIC_MEMBERS);
  const found = large
    .filter(({ name, members }) => exceptions[name] !== members)
    .map(({ name, path, members }) => {
      const known = exceptions[name];
      const bound = known === undefined ? `${MAX_PUBLIC_MEMBERS} are the most` : `the exception says ${known}`;
      return `public-members: ${path}: ${name} has ${members} public members, and ${bound}`;
    });
  return [...found, ...unused('public-members', exceptions, (name) => large.some((each) => each.name === name))];
}

function checkNames(classes, exceptions) {
  const folders = new Map();
  for (const { name, room } of classes) folders.set(name, new Set(folders.get(name)).add(room));
  const shared = new Map([...folders].filter(([, of]) => of.size > 1).map(([name, of]) => [name, [...of].join(', ')]));
  const found = [...shared]
    .filter(([name, of]) => exceptions[name] !== of)
    .map(([name, of]) => `one-name-one-class: ${name} is a class in ${of}`);
  return [...found, ...unused('one-name-one-class', exceptions, (name) => shared.has(name))];
}

function unused(rule, exceptions, isUsed) {
  return Object.keys(exceptions)
    .filter((name) => !isUsed(name))
    .map((name) => `${rule}: the exception of ${name} is not needed any more`);
}

/** The classes that a file declares, also within functions, each with the folder of src that it is in. */
function classesIn({ path, room, text }) {
  const found = [];
  const visit = (node) => {
    if (ts.isClassLike(node) && node.name)
      found.push({ name: node.name.text, path, room, members: publicMembersOf(node) });
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
  return found;
}

/** What can be reached from outside: fields, methods and accessors by their names, and the parameters of the constructor that are fields. */
function publicMembersOf(node) {
  const names = new Set();
  for (const member of node.members) {
    if (ts.isConstructorDeclaration(member)) {
      for (const parameter of member.parameters) {
        if (ts.isParameterPropertyDeclaration(parameter, member) && isPublic(parameter))
          names.add(parameter.name.getText());
      }
    } else if (member.name && isPublic(member)) names.add(member.name.getText());
  }
  return names.size;
}

function isPublic(member) {
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  return !ts.isPrivateIdentifier(member.name) && (ts.getCombinedModifierFlags(member) & hidden) === 0;
}
