// How many events a second does one process store, and how long does a lone one take? For each engine whose server is installed.
//
// Method. The server, and for each kind a process that stays up: this build (`ours`), another one (`--against <its dist folder>`), and the
// bare driver, storing as plainly as it does (Redis: pipelined XADD; PostgreSQL: a prepared INSERT for each event; NATS: JetStream publish).
// 100 topics, events of 200 bytes. In each round every kind has its windows in turn, and the order changes: one with 256 appends under
// way, each followed by another, and one in which each append waits for the one before it. CPU time is that of all threads, of the process
// (by itself) and of the server (from /proc). Figures are medians, ratios are medians of the rounds' ratios.
//
// Options: names of engines, --against, --rounds 15, --window 400 (ms), --in-flight 256.
// Run after `npm run build`: node --import ./test/support/typescript.mjs bench/appends.mjs
import { pathToFileURL } from 'node:url';
import { ServerProcess } from '../test/support/server-process.ts';
import { median } from './harness/statistics.mjs';
import { childrenOf, cpuNs } from './harness/usage.mjs';
import { ENGINES } from './support/engines.mjs';
import { option, surroundings, writeReport } from './support/report.mjs';
import { start } from './support/rpc.mjs';

const rounds = option('rounds', 15);
const windowMs = option('window', 400);
const inFlight = option('in-flight', 256);
const against = option('against', '');
const names = process.argv.slice(2).filter((name) => name in ENGINES);

const BUILDS = { ours: new URL('../dist/', import.meta.url).href, bare: '' };
if (against !== '') BUILDS.against = pathToFileURL(`${against}/`).href;
const KINDS = Object.keys(BUILDS);
const FIGURES = ['perSecond', 'cpu', 'serverCpu', 'bothCpu', 'p50'];

const where = surroundings();
const results = {};
for (const name of names.length > 0 ? names : Object.keys(ENGINES)) results[name] = await measure(name);
report();

async function measure(name) {
  const server = await ServerProcess.start(ENGINES[name].server);
  const nodes = new Map(KINDS.map((kind) => [kind, start(new URL('./support/appends-node.mjs', import.meta.url))]));
  const figures = [];
  try {
    for (const [kind, node] of nodes) {
      await node.call('open', name, server.port, BUILDS[kind]);
      for (const count of [inFlight, 1, inFlight]) await node.call('run', count, windowMs);
    }
    for (let round = 0; round < rounds; round++) {
      const figure = {};
      for (const kind of orderOf(round)) {
        figure[kind] = await windows(nodes.get(kind), server.pid);
      }
      figures.push(figure);
      console.error(`${name} ${round + 1}/${rounds} ${KINDS.map((kind) => lineOf(kind, figure[kind])).join(', ')}`);
    }
  } finally {
    for (const node of nodes.values()) node.stop();
    await server[Symbol.asyncDispose]();
  }
  return Object.fromEntries(KINDS.map((kind) => [kind, summary(kind, figures)]));
}

/** So that each has each of the others before it now and then. */
function orderOf(round) {
  const order = KINDS.map((_, n) => KINDS[(round + n) % KINDS.length]);
  return round % 2 === 0 ? order : order.reverse();
}

async function windows(node, serverPid) {
  const before = cpuOf(serverPid);
  const many = await node.call('run', inFlight, windowMs);
  const after = cpuOf(serverPid);
  const lone = await node.call('run', 1, windowMs);
  const cpu = many.cpuUs / many.count;
  const used = [...before].reduce((sum, [pid, ns]) => sum + (after.get(pid) ?? ns) - ns, 0);
  const serverCpu = used / 1_000 / many.count;
  return { perSecond: (many.count * 1_000) / many.ms, cpu, serverCpu, bothCpu: cpu + serverCpu, p50: lone.p50Us };
}

/** By process: those that the server has for a while only, as PostgreSQL does, are left out. */
function cpuOf(serverPid) {
  const used = new Map();
  for (const pid of [serverPid, ...childrenOf(serverPid)]) {
    try {
      used.set(pid, cpuNs([pid]));
    } catch {
      // It has ended since it was listed.
    }
  }
  return used;
}

function summary(kind, figures) {
  const of = (get) => Object.fromEntries(FIGURES.map((figure) => [figure, median(figures.map(get(figure)))]));
  const ratiosTo = (other) => of((figure) => (round) => round[kind][figure] / round[other][figure]);
  const others = KINDS.filter((other) => other !== kind);
  return {
    ...of((figure) => (round) => round[kind][figure]),
    ratios: Object.fromEntries(others.map((other) => [other, ratiosTo(other)])),
  };
}

function lineOf(kind, { perSecond, p50 }) {
  return `${kind} ${Math.round(perSecond)}/s ${Math.round(p50)} µs`;
}

function report() {
  const others = KINDS.filter((kind) => kind !== 'ours');
  const head = [
    'engine',
    '',
    `appends/s, ${inFlight} under way`,
    'CPU µs of the process',
    'of the server',
    'lone p50 µs',
  ];
  const rows = Object.entries(results).flatMap(([name, kinds]) => [
    ...KINDS.map((kind) => [name, kind, ...cells(kinds[kind], whole)]),
    ...others.map((other) => [
      name,
      `ours ÷ ${other}`,
      ...cells(kinds.ours.ratios[other], (value) => value.toFixed(2)),
    ]),
  ]);
  const parts = [`${rounds} rounds, windows of ${windowMs} ms, events of 200 bytes, 100 topics.`, [head, ...rows]];
  writeReport({ name: 'appends', title: 'Appends', where, parts, data: { results } });
}

function cells({ perSecond, cpu, serverCpu, p50 }, text) {
  return [perSecond, cpu, serverCpu, p50].map(text);
}

function whole(value) {
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en');
}
