// A child that is told things in lines and answers each with a line of JSON. Its first line says that it is ready.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { onCore } from './cores.mjs';

const running = new Set();

// Whatever happens, nothing of this stays behind.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

/** Starts a program that is killed with this one. */
export function startProcess(core, command, ...args) {
  const child = spawn(...onCore(core, command, ...args), { stdio: ['pipe', 'pipe', 'inherit'] });
  running.add(child);
  const ended = new Promise((resolve) => {
    child.on('exit', () => {
      running.delete(child);
      resolve();
    });
    child.on('error', resolve);
  });
  child.stdin.on('error', () => undefined);
  return { child, ended };
}

/** Starts a program and answers once it is ready. */
export async function startLineProcess(core, command, ...args) {
  const { child, ended } = startProcess(core, command, ...args);
  const waiting = [];
  let hasEnded = false;
  const answer = () =>
    new Promise((resolve, reject) => {
      if (hasEnded) fail({ reject });
      else waiting.push({ resolve, reject });
    });
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('{')) waiting.shift()?.resolve(JSON.parse(line));
    else console.error(line);
  });
  const fail = ({ reject }) => reject(new Error(`${command} ${args.join(' ')} has ended with ${child.exitCode}`));
  void ended.then(() => {
    hasEnded = true;
    waiting.forEach(fail);
  });
  const ready = await answer();
  return {
    ready,
    pid: child.pid,
    /** Sends `word key=value …`. */
    call(word, given = {}) {
      const pairs = Object.entries(given).map(([key, value]) => ` ${key}=${Number(value) || value}`);
      child.stdin.write(`${word}${pairs.join('')}\n`);
      return answer();
    },
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
