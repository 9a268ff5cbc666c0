// The versions of Node that the package is tried on.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

/** The lines that people run. */
export const LINES = [20, 22, 24, 26];

/**
 * The newest Node of a line, where `scripts/provide.mjs` puts it; `undefined`: it is not there.
 *
 * @returns {{ folder: string, program: string, version: string } | undefined}
 */
export function nodeOf(line) {
  const folder = resolve(`.cache/node${line}/bin`);
  const program = `${folder}/node`;
  if (!existsSync(program)) return undefined;
  const version = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout.trim();
  return { folder, program, version };
}
