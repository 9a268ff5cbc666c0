// Who runs where: the server on core 0, everything else on core 1.
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

const hasTaskset = spawnSync('taskset', ['--version']).status === 0;

/** Whether server and load have a core of their own. When they do not, the figures say little. */
export const isPinned = hasTaskset && availableParallelism() >= 2;

/** Command and arguments that run something on a core. */
export function onCore(core, command, ...args) {
  return isPinned ? ['taskset', ['-c', String(core), command, ...args]] : [command, args];
}

/** Keeps this process, with all its threads, off the server's core. Its children are put in their places one by one. */
export function moveAside() {
  if (isPinned) spawnSync('taskset', ['-a', '-c', '-p', String(LOAD_CORE), String(process.pid)]);
}
