// What does compression cost, and what does it save? Once for all who share a stream, or for each stream of its own.
//
// Variants: not compressed; `compression: true` of this module, which packs each write once for all who get it, with the
// write before as its dictionary; and the
// `compression` middleware (Express only), let in with `filter: () => true` and a `Cache-Control` without `no-transform`,
// which packs for each connection, at zlib's default level. Its `flush()` is a full one: it forgets what it has sent
// before. What a compressor for each connection could do that does not forget is given beside it, "dictionary": gzip at
// the default level with a sync flush after each event, of the data lines alone, computed and not served.
//
// Method. A plain Nest application on one core, its clients on the other, processes of their own on 127.0.0.1. In
// "shared", 500 connections read one topic, to which events of one size after the other are published at a fixed rate; in
// "own", 100 connections have an async generator each, which yields at a fixed rate. Three rounds; in each, every variant
// runs once, the order moves on, and so does that of the sizes. Figures are medians, ratios are medians of the ratios to
// "not compressed" on the same adapter in the same round.
//
// - CPU time is that of the server, all threads, from the first publish until nobody has got a byte for 150 ms; in "own"
//   that includes what the generators do, and their timers.
// - Bytes are those that the clients read from their sockets, chunk framing included, heads and TCP not.
// - Memory is the difference of the resident memory that 500 open connections make, after the garbage collector: idle,
//   and after all events of "shared" were sent.
//
// The events are JSON of changing values from a seeded generator, so that the clients know each of them. They keep what
// they read, and when the streams have ended each stream is unpacked and each event compared, on all connections, along
// with the checksum of the gzip file. 8 streams are also unpacked as they come: an event that is held back would never
// be seen there, and the run would not go on. Exit code 1 if one event is lost, misordered or damaged.
//
// Options: --rounds 3, --connections 500 (and a fifth in "own"), --rate 10 (events a second), --own-rate 20 (of each
// source), --seconds 1.5 (for each size), --quick (one short round; it leaves the recorded result alone). Run on a quiet
// machine, after `npm run build`: 5 minutes.
import { mkdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { constants, createGzip } from 'node:zlib';
import { isPinned, moveAside } from './harness/cores.mjs';
import { describeMachine } from './harness/machine.mjs';
import { median } from './harness/statistics.mjs';
import { textsOf } from './support/compression-events.mjs';
import { kib, option, surroundings, writeReport } from './support/report.mjs';
import { start } from './support/rpc.mjs';

const CASES = [
  { adapter: 'express', variant: 'plain' },
  { adapter: 'express', variant: 'ours' },
  { adapter: 'express', variant: 'middleware' },
  { adapter: 'fastify', variant: 'plain' },
  { adapter: 'fastify', variant: 'ours' },
];
const TITLES = { plain: 'not compressed', ours: '`compression: true`', middleware: 'middleware' };
const SHARED_BYTES = [100, 300, 1_000, 4_000, 16_000];
const OWN_BYTES = [100, 2_000];
const DICTIONARY =
  '"dictionary": what a compressor for each connection would send that remembers all it has sent, computed.';
const SAMPLED = 8;
const QUIET_MS = 150;
/** Who is later than this with the last event has not kept up. */
const LATE_MS = 500;

const isQuick = option('quick', false);
const rounds = option('rounds', isQuick ? 1 : 3);
const connections = option('connections', isQuick ? 100 : 500);
const ownConnections = Math.max(SAMPLED, Math.round(connections / 5));
const perSecond = option('rate', 10);
const ownPerSecond = option('own-rate', 20);
const seconds = option('seconds', isQuick ? 1 : 1.5);
const countAt = (rate) => Math.max(1, Math.round(rate * seconds));
/** What is sent before anything is measured, until the server's code is warm. */
const WARM_UP = { bytes: 1_000, count: 20, perSecond: 20 };

const where = surroundings();
const { commit, versions } = describeMachine();
moveAside();
const runs = [];
for (let round = 0; round < rounds; round++) {
  for (let i = 0; i < CASES.length; i++) {
    const each = CASES[(i + round) % CASES.length];
    const run = { round, ...each, ...(await inProcesses(each, (server, clients) => measure(server, clients, round))) };
    runs.push(run);
    const cells = Object.values(run.cells).map((cell) => `${cell.name} ${cell.cpuUs.toFixed(1)} µs`);
    console.error(`${round + 1}/${rounds} ${each.adapter} ${each.variant}: ${cells.join(', ')} ${wrongIn(run)}`);
  }
}
await report();

async function inProcesses({ adapter, variant }, work) {
  const server = start(new URL('./support/compression-server.mjs', import.meta.url), adapter, variant);
  const clients = start(new URL('./support/compression-clients.mjs', import.meta.url));
  try {
    return await work(server, clients);
  } finally {
    server.stop();
    clients.stop();
  }
}

async function measure(server, clients, round) {
  const port = await server.call('port');
  const cells = {};
  const checks = [];
  // What the first connections bring along is no matter of the others; and what many had would be used again by the next.
  checks.push(await own(server, clients, port, { ...WARM_UP, count: 2 }, SAMPLED));
  const shared = await sharing(server, clients, port, moved(SHARED_BYTES, round));
  Object.assign(cells, shared.cells);
  checks.push(shared.check, await own(server, clients, port, WARM_UP));
  for (const bytes of moved(OWN_BYTES, round)) {
    const load = { bytes, count: countAt(ownPerSecond), perSecond: ownPerSecond };
    const { cell, ...check } = await own(server, clients, port, load);
    cells[`own ${bytes}`] = { ...cell, name: `own ${bytes}` };
    checks.push(check);
  }
  const encodings = [...new Set(checks.map(({ encoding }) => encoding))].join();
  return { cells, memory: shared.memory, encodings, faults: sumOf(checks.map(({ faults }) => faults)) };
}

async function sharing(server, clients, port, sizes) {
  const plan = [WARM_UP, ...sizes.map((bytes) => ({ bytes, count: countAt(perSecond), perSecond }))];
  const requests = Array.from({ length: connections }, () => ({ path: '/feed', seed: 0 }));
  const before = await memoryOf(server);
  await clients.call('open', port, requests, plan, SAMPLED);
  let { bytes: bytesBefore } = await clients.call('settled', 0, QUIET_MS);
  const idle = await memoryOf(server);
  const cells = {};
  let published = 0;
  for (const [part, { bytes, count }] of plan.entries()) {
    const dueAt = await server.call('publish', plan, part);
    published += count;
    const { bytes: bytesAfter, lastAt } = await clients.call('settled', published, QUIET_MS);
    const delivered = count * connections;
    const cpuUs = (await server.call('usedUs')) / delivered;
    const cell = { cpuUs, wireBytes: (bytesAfter - bytesBefore) / delivered, isLate: lastAt - dueAt > LATE_MS };
    bytesBefore = bytesAfter;
    if (part > 0) cells[`shared ${bytes}`] = { name: String(bytes), ...cell };
  }
  const after = await memoryOf(server);
  await server.call('complete');
  const check = await clients.call('check');
  const memory = { idle: (idle - before) / connections, after: (after - before) / connections };
  return { cells, memory, check };
}

async function own(server, clients, port, load, open = ownConnections) {
  const { bytes, count, perSecond: rate } = load;
  const requests = Array.from({ length: open }, (_, i) => ({
    path: `/own/${i + 1}/${bytes}/${count}/${rate}`,
    seed: i + 1,
  }));
  await server.call('closeGates');
  await clients.call('open', port, requests, [load], SAMPLED);
  const { bytes: bytesBefore } = await clients.call('settled', 0, QUIET_MS);
  const startedAt = await server.call('begin');
  const { bytes: bytesAfter, lastAt } = await clients.call('settled', count, QUIET_MS + 1_000 / rate);
  const delivered = count * open;
  const cpuUs = (await server.call('usedUs')) / delivered;
  await server.call('finish');
  const isLate = lastAt - startedAt > (count * 1_000) / rate + LATE_MS;
  const cell = { cpuUs, wireBytes: (bytesAfter - bytesBefore) / delivered, isLate };
  return { cell, ...(await clients.call('check')) };
}

/** Resident memory, when it has come to rest. */
async function memoryOf(server) {
  await server.call('memory');
  await delay(QUIET_MS);
  return (await server.call('memory')).rss;
}

function moved(list, by) {
  return list.map((_, i) => list[(i + by) % list.length]);
}

function sumOf(all) {
  const sum = {};
  for (const faults of all) for (const [fault, times] of Object.entries(faults)) sum[fault] = (sum[fault] ?? 0) + times;
  return sum;
}

/** What was wrong with a run, as text, or nothing. */
function wrongIn({ variant, encodings, faults }) {
  const expected = variant === 'plain' ? 'none' : 'gzip';
  const wrong = encodings === expected ? { ...faults } : { ...faults, encodings };
  return Object.keys(wrong).length === 0 ? '' : `WRONG ${JSON.stringify(wrong)}`;
}

/** Figures and their ratios to "not compressed": of the rounds the medians. */
function figureOf(adapter, variant, of) {
  const own = runs.filter((run) => run.adapter === adapter && run.variant === variant);
  const ratios = own.map((run) => {
    const plain = runs.find((each) => each.round === run.round && each.adapter === adapter && each.variant === 'plain');
    return of(run) / of(plain);
  });
  return { value: median(own.map(of)), ratio: median(ratios) };
}

/** What a compressor that does not forget would make of an event, in bytes. */
async function withDictionary(bytes) {
  const gzip = createGzip();
  let packed = 0;
  gzip.on('data', (some) => (packed += some.length));
  const texts = textsOf(0, [{ bytes, count: 40 }]);
  for (const text of texts) {
    gzip.write(`data: ${text}\n\n`);
    await new Promise((resolve) => gzip.flush(constants.Z_SYNC_FLUSH, resolve));
  }
  return packed / texts.length;
}

async function report() {
  const wrong = runs.filter((run) => wrongIn(run) !== '');
  const verdict =
    wrong.length === 0
      ? 'Every event was right, on every connection.'
      : wrong
          .map((run) => `${run.adapter}, ${TITLES[run.variant]}, round ${run.round + 1}: ${wrongIn(run)}`)
          .join('; ');
  const late = runs.flatMap(({ adapter, variant, cells }) =>
    Object.entries(cells).flatMap(([name, { isLate }]) => (isLate ? `${name} (${adapter}, ${TITLES[variant]})` : [])),
  );
  const lateness =
    late.length === 0
      ? 'All kept up with the rate.'
      : `Behind the rate by more than ${LATE_MS} ms, so that events went out together: ${[...new Set(late)].join('; ')}.`;
  const pinned = isPinned ? 'server and load on a core each' : '**server and load on the same cores**';
  if (isQuick) mkdirSync(new URL('../.cache/bench/', import.meta.url), { recursive: true });
  writeReport({
    name: isQuick ? '../../.cache/bench/compression' : 'compression',
    title: 'Compression',
    where,
    parts: [
      `Commit ${commit} · @nestjs/core ${versions['@nestjs/core']} · ${pinned}`,
      `${connections} connections on one topic with ${perSecond} events a second, ${ownConnections} with a source of their own that has ${ownPerSecond}; ` +
        `${seconds} s of each size, to clients that accept gzip. Medians of ${rounds} rounds in turn; ÷ is the ratio to "not compressed" in the same round.`,
      `**${verdict}** ${lateness}`,
      '## One topic for all: CPU µs per delivered event',
      cpuTable('shared', SHARED_BYTES),
      '## One topic for all: bytes on the wire per event',
      DICTIONARY,
      await bytesTable('shared', SHARED_BYTES),
      '## A source for each: CPU µs per delivered event',
      cpuTable('own', OWN_BYTES),
      '## A source for each: bytes on the wire per event',
      await bytesTable('own', OWN_BYTES),
      '## Resident memory per connection',
      memoryTable(),
    ],
    data: { rounds, connections, ownConnections, perSecond, ownPerSecond, seconds, runs },
  });
  process.exitCode = wrong.length === 0 ? 0 : 1;
}

function cpuTable(scenario, sizes) {
  const us = (value) => value.toFixed(1);
  const cpuUs = (bytes) => (run) => run.cells[`${scenario} ${bytes}`].cpuUs;
  return [heading('event bytes'), ...sizes.flatMap((bytes) => rows(bytes.toLocaleString('en'), cpuUs(bytes), us))];
}

async function bytesTable(scenario, sizes) {
  const whole = (value) => Math.round(value).toLocaleString('en');
  const table = [[...heading('event bytes'), 'dictionary', '÷']];
  for (const bytes of sizes) {
    const wireBytes = (run) => run.cells[`${scenario} ${bytes}`].wireBytes;
    const least = await withDictionary(bytes);
    for (const row of rows(bytes.toLocaleString('en'), wireBytes, whole)) {
      table.push([...row, whole(least), (least / figureOf('express', 'plain', wireBytes).value).toFixed(2)]);
    }
  }
  return table;
}

function memoryTable() {
  const idle = rows('idle', ({ memory }) => memory.idle, kib);
  const after = rows('after all events', ({ memory }) => memory.after, kib);
  return [heading('when'), ...idle, ...after];
}

function heading(first) {
  return [first, 'adapter', 'not compressed', '`compression: true`', '÷', 'middleware', '÷'];
}

/** One row for each adapter. */
function rows(name, of, text) {
  return ['express', 'fastify'].map((adapter) => {
    const cells = ['plain', 'ours', 'middleware'].flatMap((variant) => {
      const { value, ratio } = figureOf(adapter, variant, of);
      const cell = Number.isNaN(value) ? '–' : text(value);
      if (variant === 'plain') return [cell];
      return [cell, Number.isNaN(ratio) ? '–' : ratio.toFixed(2)];
    });
    return [name, adapter, ...cells];
  });
}
