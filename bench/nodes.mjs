// What does an event cost each node, and the server of the engine, when there are more nodes?
//
// Method. For each engine clusters of 1, 2 and 4 nodes, each with a server of the engine of its own, a process that publishes and has
// no HTTP, and a load client. Each node has 1,000 readers: each reads a topic of its own number, which has one reader on each node, and a
// topic that all read. All clusters stay up, and get their windows in turn, with the order moved on from round to round:
//
// - `shared`: 10 events a second to the topic that all read: 1,000 deliveries on each node
// - `own`: 500 events a second, one at a time, to any of the topics with one reader on each node
// - `busy`: the same with 5,000 a second, 50 every 10 ms
// - `elsewhere`: 500 events, each awaited, to topics that nobody reads
// - `rest`: nothing, for 5 s: what nodes tell each other
//
// CPU time is that of all threads of a process, from /proc, of the engine's server with its children. Nodes run on one core; the server, the
// publisher and the client on the other. So throughput says nothing here, and is not given. Figures are medians of the rounds.
//
// Exit code 1 if an event was lost, repeated or out of order. Options: names of engines, --rounds 6.
// Run: node --import ./test/support/typescript.mjs bench/nodes.mjs
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ServerProcess } from '../test/support/server-process.ts';
import { buildPrograms, program } from './harness/build.mjs';
import { LOAD_CORE, SERVER_CORE, moveAside } from './harness/cores.mjs';
import { startLineProcess } from './harness/line-process.mjs';
import { commit } from './harness/machine.mjs';
import { Bench } from './harness/run-one.mjs';
import { median } from './harness/statistics.mjs';
import { cpuNs, familyNs, grownNs } from './harness/usage.mjs';
import { SHARED } from './servers/driver.mjs';
import { ENGINES } from './support/engines.mjs';
import { option, surroundings, writeReport } from './support/report.mjs';

const COUNTS = [1, 2, 4];
const READERS = 1_000;
const REST_MS = 5_000;
/** How often the client looks for events that come one by one: see scenarios/topics.mjs. */
const NAPS = { napUs: 1_000 };
const ELSEWHERE = { topics: 500, each: 1, first: 200_000 };
const script = fileURLToPath(new URL('./support/nodes-node.mjs', import.meta.url));

const ofShared = (published) => published * READERS;
const ofOwn = (published) => published;
/** What is published, how many deliveries on each node are expected of it, and how it is called in the tables. */
const WINDOWS = {
  shared: [
    'an event that 1,000 readers of each node get',
    (bench) =>
      bench.publish(
        'pair',
        { rate: 0, sharedRate: 10, seconds: 2, topics: READERS, tickMs: 10 },
        times(bench, ofShared),
      ),
  ],
  own: [
    'an event that one reader of each node gets, 500 a second',
    (bench) => bench.publish('paced', { rate: 500, seconds: 2, topics: READERS }, times(bench, ofOwn), NAPS),
  ],
  busy: [
    'the same, 5,000 a second',
    (bench) =>
      bench.publish('paced', { rate: 5_000, seconds: 1, topics: READERS, tickMs: 10 }, times(bench, ofOwn), NAPS),
  ],
  elsewhere: ['an event that nobody reads', (bench) => bench.publish('fill', ELSEWHERE, () => 0)],
};

const rounds = option('rounds', 6);
const names = process.argv.slice(2).filter((name) => name in ENGINES);
const where = { ...surroundings(), commit: commit() };
buildPrograms();
moveAside();
const results = {};
for (const name of names.length > 0 ? names : ['redis', 'postgres']) results[name] = await measure(name);
report();

async function measure(name) {
  const clusters = [];
  const taken = [];
  try {
    for (const count of COUNTS) clusters.push(await startCluster(name, count));
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < clusters.length; i++) {
        const cluster = clusters[(i + round) % clusters.length];
        const figures = await windows(cluster);
        taken.push({ count: cluster.count, round, figures, faults: cluster.bench.faults });
        console.error(`${name} ${round + 1}/${rounds} ${cluster.count}: ${JSON.stringify(figures)}`);
      }
    }
  } finally {
    for (const cluster of clusters) await cluster.stop();
  }
  return taken;
}

async function startCluster(name, count) {
  const server = await ServerProcess.start(ENGINES[name].server);
  const run = (core, role) => startLineProcess(core, process.execPath, script, name, String(server.port), role);
  const publisher = await run(LOAD_CORE, 'publishes');
  const nodes = [];
  for (let n = 0; n < count; n++) nodes.push(await run(SERVER_CORE, 'streams'));
  const client = await startLineProcess(LOAD_CORE, program('load'));
  const pids = nodes.map(({ pid }) => pid);
  const bench = new Bench(name, { call: publisher.call, cpuNs: () => cpuNs(pids), nodes: count }, client);
  for (const { ready } of nodes) {
    await bench.open({ port: ready.port, path: '/pair/%d', count: READERS, next: 1, shared: SHARED });
  }
  for (const [, publish] of Object.values(WINDOWS)) await publish(bench);
  return {
    ...{ count, bench, server, publisher },
    async stop() {
      for (const each of [client, publisher, ...nodes]) await each.stop();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Of each event in each window, in µs: CPU time of one node, of the engine's server, of the publisher; in `rest` of each second. */
async function windows({ count, bench, server, publisher }) {
  const figures = {};
  for (const [window, [, publish]] of Object.entries(WINDOWS)) {
    figures[window] = await charged(() => publish(bench));
  }
  figures.rest = await charged(async () => {
    const before = bench.server.cpuNs();
    await delay(REST_MS);
    return { cpuMs: (bench.server.cpuNs() - before) / 1e6, published: REST_MS / 1_000 };
  });
  return figures;

  async function charged(work) {
    const before = { server: familyNs(server.pid), publisher: cpuNs([publisher.pid]) };
    const { cpuMs, published } = await work();
    const each = (ns) => Math.round(ns / published / 10) / 100;
    return {
      node: each((cpuMs * 1e6) / count),
      server: each(grownNs(before.server, familyNs(server.pid))),
      publisher: each(cpuNs([publisher.pid]) - before.publisher),
    };
  }
}

function times({ server }, deliveriesOf) {
  return (...published) => deliveriesOf(...published) * server.nodes;
}

function report() {
  const parts = [
    `${READERS} readers on each node, ${rounds} rounds; how it is measured stands at the top of \`bench/nodes.mjs\`. CPU time in µs for each event, at rest for each second; the ratios are medians of the rounds' ratios to one node.`,
  ];
  let isWrong = false;
  for (const [name, taken] of Object.entries(results)) {
    const wrong = taken.filter(({ faults }) => Object.keys(faults).length > 0);
    isWrong ||= wrong.length > 0;
    const verdict =
      wrong.length === 0
        ? 'No event was lost, repeated or out of order.'
        : `**WRONG**: ${JSON.stringify(wrong[0].faults)}`;
    parts.push(`## ${name}`, tableOf(taken), verdict);
  }
  writeReport({ name: 'nodes', title: 'More nodes', where, parts, data: { rounds, results } });
  process.exitCode = isWrong ? 1 : 0;
}

function tableOf(taken) {
  const head = ['', 'nodes', 'each node', '÷ one node', 'the engine’s server', '÷ one node', 'the publisher'];
  const titles = {
    ...Object.fromEntries(Object.entries(WINDOWS).map(([key, [title]]) => [key, title])),
    rest: 'a second of rest',
  };
  const rows = Object.entries(titles).flatMap(([window, title]) =>
    COUNTS.map((count) => {
      const valuesOf = (nodes, who) =>
        taken.filter((each) => each.count === nodes).map(({ figures }) => figures[window][who]);
      const of = (who) => median(valuesOf(count, who));
      const ratio = (who) => {
        const ofRounds = median(valuesOf(count, who).map((value, round) => value / valuesOf(1, who)[round]));
        return Number.isFinite(ofRounds) ? ofRounds.toFixed(2) : '–';
      };
      const us = (who) => of(who).toLocaleString('en', { maximumFractionDigits: of(who) < 100 ? 1 : 0 });
      return [title, String(count), us('node'), ratio('node'), us('server'), ratio('server'), us('publisher')];
    }),
  );
  return [head, ...rows];
}
