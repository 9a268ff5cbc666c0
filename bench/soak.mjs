// Does anything stay behind when streams come and go for a long time?
//
// Method. One Nest application, on 127.0.0.1; server and clients are processes of their own. About 75 new streams a
// second, some 80 open at a time: cut (at once, early, late), by several topics and patterns, pulled from a generator, slow
// until they are ended for it, expired before and during the stream, revoked and reinstated, completed, resumed, with
// tickets (used and unused), over a limit, without a principal. Before and after, everyone leaves; the process rests until
// what is kept for those who may come back is let go of (10 s for selections, 8 s for idle topics here); the garbage
// collector runs; then it is measured: heap, array buffers, active resources of Node, open connections, and how many of the
// module's internal objects exist (`v8.queryObjects`, Node 20.13 and later). A first minute (a third of shorter runs) of
// the same churn comes before the first measurement, so that code is compiled and caches are full.
//
// Exit code 1 if the heap has grown by more than 5 % and 2 MiB, or anything else has grown at all.
// Options: --minutes 20, --fastify.
import { setTimeout as delay } from 'node:timers/promises';
import { mib, option, surroundings, writeReport } from './support/report.mjs';
import { start } from './support/rpc.mjs';

const REST_MS = 30_000;
const MAX_HEAP_GROWTH = 2 * 1_048_576;

const adapter = option('fastify', false) ? 'fastify' : 'express';
const minutes = option('minutes', 20);
const where = surroundings();

const server = start(new URL('./support/soak-server.mjs', import.meta.url), adapter);
const clients = start(new URL('./support/soak-clients.mjs', import.meta.url));
try {
  const port = await server.call('port');
  await churn(port, Math.min(1, minutes / 3));
  const before = await measure();
  const during = await churn(port, minutes);
  const after = await measure();
  const { warnings, ...seen } = await server.call('counts');
  const problems = [...compare(before, after), ...warnings];
  report({ before, during, after, problems, warnings, seen, asked: await clients.call('counts') });
  process.exitCode = problems.length > 0 ? 1 : 0;
} finally {
  server.stop();
  clients.stop();
}

async function churn(port, forMinutes) {
  const until = performance.now() + forMinutes * 60_000;
  await server.call('startPublishing');
  const running = clients.call('start', port);
  while (performance.now() < until) {
    await delay(500);
    const jobs = await clients.call('jobs');
    for (const job of jobs.filter((_, index) => index % 2 === 0)) await server.call('complete', job);
  }
  const during = await server.call('measure');
  await clients.call('stop');
  await running;
  await server.call('stopPublishing');
  return during;
}

async function measure() {
  await delay(REST_MS);
  return server.call('measure');
}

function compare(before, after) {
  const problems = [];
  const grew = after.heapUsed - before.heapUsed;
  if (grew > MAX_HEAP_GROWTH && grew > 0.05 * before.heapUsed) problems.push(`the heap has grown by ${mib(grew)}`);
  if (after.arrayBuffers - before.arrayBuffers > MAX_HEAP_GROWTH) problems.push('array buffers have grown');
  if (after.connections > 0) problems.push(`${after.connections} connections are still open`);
  for (const table of ['handles', 'internals']) {
    for (const [name, count] of Object.entries(after[table] ?? {})) {
      const was = before[table][name] ?? 0;
      if (count > was) problems.push(`${name}: ${was} before, ${count} after`);
    }
  }
  return problems;
}

function report({ before, during, after, problems, warnings, seen, asked }) {
  const list = (table) =>
    Object.entries(table)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || 'none';
  const row = (name, of) => [name, of(before), of(during), of(after)];
  writeReport({
    name: adapter === 'fastify' ? 'soak-fastify' : 'soak',
    title: `Soak, ${minutes} minutes, ${adapter}`,
    where,
    parts: [
      `${seen.opened} streams were opened, those of the warm-up included. ` +
        `**Heap after ÷ before: ${(after.heapUsed / before.heapUsed).toFixed(3)}. ${problems.length === 0 ? 'Nothing has stayed behind.' : `Not as it was: ${problems.join('; ')}.`}**`,
      [
        ['', 'before', 'at the end of the churn', 'after'],
        row('heap', ({ heapUsed }) => mib(heapUsed)),
        row('array buffers', ({ arrayBuffers }) => mib(arrayBuffers)),
        row('resident memory (not judged)', ({ rss }) => mib(rss)),
        row('open connections', ({ connections }) => connections),
        row('active resources', ({ handles }) => list(handles)),
        row('internal objects', ({ internals }) => list(internals ?? {})),
      ],
      [
        ['what happened', ''],
        ['closed', list(seen.closed)],
        ['refused, with when to come back', list(seen.refused)],
        ['resets', list(seen.resets)],
        ['found slow', seen.slow],
        ['statuses', list(asked.statuses)],
        ['clients', list(asked.opened)],
        ['warnings and unhandled rejections', warnings.length],
      ],
    ],
    data: { adapter, minutes, before, during, after, problems, warnings, seen, asked },
  });
}
