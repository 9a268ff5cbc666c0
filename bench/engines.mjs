// What does the way over an engine cost? Two questions, for each engine whose server is installed.
//
// Latency. A server of the engine, a node that publishes, a node that streams over HTTP, and the client: processes of their
// own on one machine. 500 events of 200 bytes a second, 100 topics, for 8 s after 2 s of warm-up; each carries the time of
// its publishing by the monotonic clock that all processes share. In the same run, in turn and three rounds each, the bare
// engine: what is published by its own driver, as cheaply as it goes, to a subscriber (Redis PUBLISH to SUBSCRIBE,
// PostgreSQL pg_notify to LISTEN, JetStream publish to a subscription of the republished subject). The ratio is that of
// the medians of one round, and of those the median.
//
// Audit. The heads of 10,000 topics as the hub asks for them, against 10,000 heads read bare, in one pipeline (Redis GET,
// PostgreSQL `= any($1)`, of JetStream nothing that is cheaper is known): CPU time of this process, medians of 9 in turn.
//
// Options: names of engines. Run on a quiet machine: node --import ./test/support/typescript.mjs bench/engines.mjs
import { cpuUsage } from 'node:process';
import { ServerProcess } from '../test/support/server-process.ts';
import { BARE, ENGINES, openEngine } from './support/engines.mjs';
import { quantile, surroundings, writeReport } from './support/report.mjs';
import { start } from './support/rpc.mjs';

const TOPICS = Array.from({ length: 100 }, (_, n) => `topic/${n}`);
const LOAD = { perSecond: 500, warmUpMs: 2_000, forMs: 8_000, bytes: 200 };
const ROUNDS = 3;
const AUDITS = 9;

const names = process.argv.slice(2).filter((name) => name in ENGINES);
const where = surroundings();
const results = {};
for (const name of names.length > 0 ? names : Object.keys(ENGINES)) {
  const server = await ServerProcess.start(ENGINES[name].server);
  try {
    results[name] = { latency: await latencies(name, server.port), audit: await audits(name, server.port) };
    console.log(name, JSON.stringify(results[name]));
  } finally {
    await server[Symbol.asyncDispose]();
  }
}
report();

async function latencies(name, port) {
  const rounds = { bare: [], ours: [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const kind of round % 2 === 0 ? ['bare', 'ours'] : ['ours', 'bare']) {
      rounds[kind].push(await (kind === 'bare' ? bare(name, port) : ours(name, port)));
    }
  }
  const ratios = rounds.ours.map(({ p50 }, n) => p50 / rounds.bare[n].p50);
  return { bare: median(rounds.bare), ours: median(rounds.ours), ratio: medianOf(ratios), ratios };
}

async function bare(name, port) {
  const subscriber = start(new URL('./support/engine-node.mjs', import.meta.url));
  const publisher = start(new URL('./support/engine-node.mjs', import.meta.url));
  try {
    await subscriber.call('subscribeBare', name, port, TOPICS);
    await publisher.call('publishBare', name, port, TOPICS, LOAD);
    return summary(await subscriber.call('latencies'));
  } finally {
    subscriber.stop();
    publisher.stop();
  }
}

async function ours(name, port) {
  const nodes = ['listen', 'publish', 'read'].map(() => start(new URL('./support/engine-node.mjs', import.meta.url)));
  const [streaming, publishing, client] = nodes;
  try {
    const url = await streaming.call('listen', name, port);
    await client.call('read', url, TOPICS);
    const { rejected } = await publishing.call('publish', name, port, TOPICS, LOAD);
    const { wrong, ...seen } = await client.call('latencies');
    if (rejected > 0 || wrong > 0) throw new Error(`${name}: ${rejected} rejected, ${wrong} lost or misordered`);
    return summary(seen);
  } finally {
    for (const node of nodes) node.stop();
  }
}

async function audits(name, port) {
  const topics = Array.from({ length: 10_000 }, (_, n) => `audit/${n}`);
  const engine = await openEngine(name, port);
  const bareHeads = await BARE[name].heads?.(port, topics);
  const cpu = { ours: [], bare: [] };
  try {
    const retention = { maxEvents: 10, maxBytes: 1e6, maxAgeMs: 600_000 };
    const data = new Uint8Array(200);
    for (let from = 0; from < topics.length; from += 500) {
      const some = topics.slice(from, from + 500);
      await Promise.all(some.map((topic) => engine.append({ topic, data, retention })));
    }
    for (let n = 0; n < AUDITS; n++) {
      if (bareHeads !== undefined) cpu.bare.push(await cpuOf(bareHeads.read));
      cpu.ours.push(await cpuOf(() => engine.heads(topics)));
    }
  } finally {
    await engine.close();
    await bareHeads?.close();
  }
  const [ours, bareMs] = [medianOf(cpu.ours), medianOf(cpu.bare)];
  return { oursCpuMs: ours, bareCpuMs: bareMs, ratio: ours / bareMs };
}

async function cpuOf(work) {
  const before = cpuUsage();
  await work();
  const { user, system } = cpuUsage(before);
  return (user + system) / 1_000;
}

function summary({ times }) {
  const sorted = Float64Array.from(times).sort();
  return { count: sorted.length, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
}

function median(rounds) {
  return { p50: medianOf(rounds.map(({ p50 }) => p50)), p99: medianOf(rounds.map(({ p99 }) => p99)) };
}

function medianOf(values) {
  return values.length === 0
    ? undefined
    : quantile(
        [...values].sort((a, b) => a - b),
        0.5,
      );
}

function report() {
  const us = (value) => (value === undefined ? '–' : `${Math.round(value).toLocaleString('en')}`);
  const cells = Object.entries(results).map(([name, { latency, audit }]) => [
    name,
    ...[latency.bare.p50, latency.bare.p99, latency.ours.p50, latency.ours.p99].map(us),
    latency.ratio.toFixed(2),
    audit.oursCpuMs.toFixed(1),
    audit.bareCpuMs === undefined ? '–' : audit.bareCpuMs.toFixed(1),
    audit.bareCpuMs === undefined ? '–' : audit.ratio.toFixed(2),
  ]);
  const head = ['engine', 'bare p50 µs', 'p99', 'publish → client on another node p50 µs', 'p99', '÷ bare'];
  head.push('heads of 10,000 topics, CPU ms', 'bare', '÷ bare');
  writeReport({
    name: 'engines',
    title: 'The way over an engine',
    where,
    parts: [[head, ...cells]],
    data: { results },
  });
}
