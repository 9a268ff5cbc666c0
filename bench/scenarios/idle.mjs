// What does a connection cost that is only open?
import { setTimeout as delay } from 'node:timers/promises';
import { runOne } from '../harness/run-one.mjs';

/** Opened and closed before the first look, so that code is compiled and the heap is not quite new. */
const WARM_UP = 100;

export const idle = {
  name: 'idle',
  title: 'Idle connections',
  about: `10,000 connections on one topic (3,000 with \`--quick\`), nothing is published. Resident bytes after, less those before (after ${WARM_UP} connections had come and gone), for each. In Node after the garbage collector, until the figure stays; of nginx its worker. "Each further" is the slope from a fifth of the connections to all, which leaves out what is needed once.`,
  servers: [
    ...['ours-express', 'ours-fastify', 'nchan', 'framed', 'hand-written', 'fastify-sse', 'better-sse'],
    ...['nest-fastify', 'nest-express'],
  ],
  columns: [
    { key: 'residentEach', heading: 'resident bytes each', digits: 0 },
    { key: 'residentEachFurther', heading: 'each further', digits: 0 },
    { key: 'heapEach', heading: 'JS heap each', digits: 0 },
  ],
  ratios: [{ key: 'residentEach', to: 'nchan' }],
  measure: (server, settings) => runOne(server, undefined, (bench) => measureIdle(bench, settings)),
};

export async function measureIdle(bench, { isQuick }) {
  const count = isQuick ? 3_000 : 10_000;
  const first = count / 5;
  await bench.open({ path: '/events/0', count: WARM_UP });
  await bench.close();
  await delay(500);
  const before = await memoryOf(bench);
  await bench.open({ path: '/events/0', count: first });
  const early = await memoryOf(bench);
  await bench.open({ path: '/events/0', count: count - first });
  const after = await memoryOf(bench);
  const each = (key) => (after[key] - before[key]) / count;
  return {
    residentEach: each('rss'),
    residentEachFurther: (after.rss - early.rss) / (count - first),
    heapEach: each('heapUsed'),
  };
}

/** Of a server that is not in Node only what is resident. */
async function memoryOf({ name, server }) {
  if (name !== 'nchan') return server.call('memory');
  await delay(1_000);
  return { rss: server.residentBytes() };
}
