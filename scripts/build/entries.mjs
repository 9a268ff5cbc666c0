// What both bundles begin with, and how they are divided.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The entry points of package.json but the client's, by the path of their files without the extension: `index`, `redis/index`. */
export function entriesIn(folder, extension) {
  return pathsOf(folder, extension, (name) => !isOfClient(name));
}

/** Those of the client, which has nothing to do with the rest: `client/index`, `client/react/index`. */
export function clientEntries(folder, extension) {
  return pathsOf(folder, extension, isOfClient);
}

const isOfClient = (name) => name.startsWith('client/');

function pathsOf(folder, extension, isWanted) {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8'));
  const names = Object.values(exports).flatMap(
    ({ import: built }) => built?.default.match(/^\.\/dist\/esm\/(.+)\.js$/)?.[1] ?? [],
  );
  return Object.fromEntries(names.filter(isWanted).map((name) => [name, join(folder, `${name}${extension}`)]));
}

/** Packages, and what Node has: everything but the files of this project. */
export const isExternal = (id) => /^[^./]/.test(id);

/** One chunk for all that several entry points need, so that each class is there once, whichever of them is imported. */
export function shared(id, { getModuleInfo }) {
  const entries = new Set();
  const seen = new Set();
  const follow = (each) => {
    if (seen.has(each)) return;
    seen.add(each);
    const { isEntry, importers } = getModuleInfo(each);
    if (isEntry) entries.add(each);
    importers.forEach(follow);
  };
  follow(id);
  return entries.size > 1 ? 'shared' : undefined;
}
