// Does anything stay behind of topics that were subscribed to and left, on a node that shares a log?
//
// Method. For each engine whose server is installed: the server, a node on Fastify, and clients, in processes of their own.
// A round opens a stream of a topic that nobody has read before, so that the node subscribes to it, waits for its first
// frame, and leaves. After 10,000 rounds of warm-up, and again after 100,000 more, the node rests until it has let go of
// the topics (they are kept for 10 s); the garbage collector runs; then it is measured: heap, how many of the module's
// objects exist (`v8.queryObjects`, Node 20.13 and later), open sockets, and what the server has of subscriptions (Redis)
// and connections (PostgreSQL).
//
// Exit code 1 if the heap has grown by more than 2 MiB, or anything else has grown at all.
// Options: names of engines, --rounds 100000. Run: node --import ./test/support/typescript.mjs bench/rounds.mjs
import { setTimeout as delay } from 'node:timers/promises';
import { ServerProcess } from '../test/support/server-process.ts';
import { ENGINES } from './support/engines.mjs';
import { mib, option, surroundings, writeReport } from './support/report.mjs';
import { start } from './support/rpc.mjs';

const WARM_UP = 10_000;
const REST_MS = 25_000;
const MAX_HEAP_GROWTH = 2 * 1_048_576;

const rounds = option('rounds', 100_000);
const names = process.argv.slice(2).filter((name) => name in ENGINES);
const where = surroundings();
const results = {};
for (const name of names.length > 0 ? names : Object.keys(ENGINES)) {
  const server = await ServerProcess.start(ENGINES[name].server);
  const [node, clients] = [1, 2].map(() => start(new URL('./support/rounds-node.mjs', import.meta.url)));
  try {
    const port = await node.call('listen', name, server.port);
    await clients.call('rounds', port, 0, WARM_UP);
    const before = await measure(node);
    const from = performance.now();
    await clients.call('rounds', port, WARM_UP, rounds);
    const seconds = (performance.now() - from) / 1_000;
    results[name] = { before, after: await measure(node), seconds };
  } finally {
    for (const each of [node, clients]) each.stop();
    await server[Symbol.asyncDispose]();
  }
}
report();

async function measure(node) {
  await delay(REST_MS);
  return node.call('measure');
}

function report() {
  const head = [
    'engine',
    'rounds a second',
    'heap before',
    'heap after',
    'objects, sockets, subscriptions before',
    'after',
  ];
  const problems = [];
  const cells = Object.entries(results).map(([name, { before, after, seconds }]) => {
    const [{ heapUsed, ...counts }, { heapUsed: heapAfter, ...countsAfter }] = [before, after];
    if (heapAfter > heapUsed + MAX_HEAP_GROWTH) problems.push(`${name}: the heap has grown`);
    for (const [what, count] of Object.entries(countsAfter)) {
      if (count > counts[what]) problems.push(`${name}: ${what} has grown from ${counts[what]} to ${count}`);
    }
    const figures = [mib(heapUsed), mib(heapAfter), JSON.stringify(counts), JSON.stringify(countsAfter)];
    return [name, String(Math.round(rounds / seconds)), ...figures];
  });
  const verdict = problems.length > 0 ? problems.join('\n') : 'Nothing has stayed behind.';
  writeReport({
    name: 'rounds',
    title: `${rounds.toLocaleString('en')} rounds of subscribe and unsubscribe`,
    where,
    parts: [[head, ...cells], verdict],
    data: { rounds, results },
  });
  process.exitCode = problems.length > 0 ? 1 : 0;
}
