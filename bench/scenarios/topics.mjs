// Many topics with one reader each: what does a publish cost that has one delivery?
import { runOne } from '../harness/run-one.mjs';

const TOPICS = 5_000;
/** 50 in a tick, and a client that looks every ms: what a publish costs is to be seen, not what waking someone does. */
const NAP_US = 1_000;
const PACE = { rate: 5_000, tickMs: 10, topics: TOPICS };

export const topics = {
  name: 'topics',
  title: 'Many topics',
  about: `${TOPICS} topics with one connection each, ${PACE.rate} events of 100 bytes a second, 50 every 10 ms, each to any of them. CPU time of the server for each publish. The client looks for events every millisecond.`,
  servers: [
    ...['limit', 'ours-express', 'ours-fastify', 'nchan', 'framed', 'hand-written', 'fastify-sse', 'better-sse'],
    ...['nest-fastify', 'nest-express'],
  ],
  columns: [{ key: 'cpuPerPublishUs', heading: 'CPU µs per publish', digits: 2 }],
  ratios: [
    { key: 'cpuPerPublishUs', to: 'limit' },
    { key: 'cpuPerPublishUs', to: 'hand-written' },
  ],
  measure: (server, { isQuick }) =>
    runOne(server, undefined, async (bench) => {
      await bench.open({ path: '/events/%d', count: TOPICS, next: 1 });
      const deliveries = (published) => published;
      await bench.publish('paced', { ...PACE, seconds: 1 }, deliveries);
      return bench.publish('paced', { ...PACE, seconds: isQuick ? 2 : 3 }, deliveries, { napUs: NAP_US });
    }),
};
