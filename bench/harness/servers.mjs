// The servers that are measured, by name. Each is a fresh process for each run.
import { fileURLToPath } from 'node:url';
import { program } from './build.mjs';
import { SERVER_CORE } from './cores.mjs';
import { startLineProcess } from './line-process.mjs';
import { findNchan, startNchan } from './nchan.mjs';
import { cpuNs, residentBytes } from './usage.mjs';

const script = (name) => fileURLToPath(new URL(`../servers/${name}.mjs`, import.meta.url));
const inNode =
  (name, ...args) =>
  (options) =>
    single(process.execPath, '--expose-gc', script(name), ...args, ...(options ? [JSON.stringify(options)] : []));
const ofBuild = (adapter, entry) => ({
  title: `the other build, ${adapter}`,
  start: (options = {}) =>
    single(process.execPath, '--expose-gc', script('ours'), adapter.toLowerCase(), JSON.stringify(options), entry),
});

/** @type {Record<string, { title: string, start: (options?: object) => Promise<object> }>} */
export const SERVERS = {
  limit: { title: 'C: one `send()` per connection and event (limit)', start: () => single(program('limit')) },
  'ours-express': { title: '**nestjs-event-stream, Express**', start: inNode('ours', 'express') },
  'ours-fastify': { title: '**nestjs-event-stream, Fastify**', start: inNode('ours', 'fastify') },
  nchan: { title: 'nchan (nginx, one worker)', start: () => startNchan() },
  framed: { title: 'bare node:http, one framed Buffer to `socket.write`', start: inNode('hand-written', 'framed') },
  'hand-written': { title: 'node:http by hand, `res.write(string)`', start: inNode('hand-written') },
  'fastify-sse': { title: '@fastify/sse', start: inNode('fastify-sse') },
  'better-sse': { title: 'better-sse', start: inNode('better-sse') },
  'nest-fastify': { title: 'Nest `@Sse()`, Fastify', start: inNode('nest-sse', 'fastify') },
  'nest-express': { title: 'Nest `@Sse()`, Express', start: inNode('nest-sse', 'express') },
};

/** Adds another build of this module, by its entry, as `other-express` and `other-fastify`. */
export function addBuild(entry) {
  SERVERS['other-express'] = ofBuild('Express', entry);
  SERVERS['other-fastify'] = ofBuild('Fastify', entry);
}

/** Names of servers that this machine cannot run, with the reason. */
export function missingServers() {
  return findNchan() === undefined ? { nchan: 'nginx with the nchan module is not installed' } : {};
}

async function single(command, ...args) {
  const { ready, pid, call, stop } = await startLineProcess(SERVER_CORE, command, ...args);
  return {
    port: ready.port,
    pid,
    call,
    stop,
    cpuNs: () => cpuNs([pid]),
    residentBytes: () => residentBytes([pid]),
  };
}
