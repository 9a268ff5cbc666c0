import { readdirSync, statSync } from 'node:fs';

/** Whether a file is missing, or older than one of what it is made from: files, and folders with all that is in them. */
export function isStale(output, inputs) {
  return Math.max(...inputs.flatMap(withContents).map(modified)) >= modified(output);
}

/** Folders count too: their time changes when a file is removed. */
function withContents(path) {
  if (!statSync(path).isDirectory()) return [path];
  return [path, ...readdirSync(path, { recursive: true }).map((name) => `${path}/${name}`)];
}

function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
