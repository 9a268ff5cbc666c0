// What a process has used, from /proc: so it is the same measure for programs in any language.
import { existsSync, readFileSync, readdirSync } from 'node:fs';

/**
 * CPU time of processes, all their threads together, in ns.
 *
 * From `schedstat`, which counts ns; `stat` (utime + stime) has the same time in ticks of 10 ms, too coarse for a run of
 * seconds. What has ended is not counted: servers here neither end threads nor processes while they are measured.
 */
export function cpuNs(pids) {
  let total = 0;
  for (const pid of pids) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      try {
        total += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
      } catch {
        // The thread has ended since it was listed.
      }
    }
  }
  return total;
}

/** Resident memory of processes, in bytes. */
export function residentBytes(pids) {
  return pids.reduce((sum, pid) => {
    const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return sum + Number(kilobytes) * 1_024;
  }, 0);
}

/** The children of a process. */
export function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter(Boolean).map(Number);
}

/** CPU time in ns of a process and its children, by process, for {@link grownNs}. */
export function familyNs(pid) {
  const isThere = (each) => existsSync(`/proc/${each}/task`);
  return new Map([pid, ...childrenOf(pid)].filter(isThere).map((each) => [each, cpuNs([each])]));
}

/** What was used between two looks at a family. Children that have come since are counted; those that have gone are not. */
export function grownNs(before, after) {
  return [...after].reduce((sum, [pid, ns]) => sum + ns - (before.get(pid) ?? 0), 0);
}
