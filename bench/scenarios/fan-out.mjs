// One topic, 1,000 connections, events of 100 bytes one at a time: what does one delivered event cost?
import { runOne } from '../harness/run-one.mjs';

const CONNECTIONS = 1_000;
const RATE = 20;

export const fanOut = {
  name: 'fan-out',
  title: 'Fan-out',
  about: `${CONNECTIONS} connections on one topic, events of 100 bytes, ${RATE} a second, after a warm-up. CPU time of the server for each event that a client got.`,
  servers: [
    ...['limit', 'ours-express', 'ours-fastify', 'nchan', 'framed', 'hand-written', 'fastify-sse', 'better-sse'],
    ...['nest-fastify', 'nest-express'],
  ],
  columns: [
    { key: 'cpuPerDeliveryUs', heading: 'CPU µs per event', digits: 2 },
    { key: 'p50Us', heading: 'p50 µs', digits: 0 },
    { key: 'p99Us', heading: 'p99 µs', digits: 0 },
  ],
  ratios: [
    { key: 'cpuPerDeliveryUs', to: 'limit' },
    { key: 'cpuPerDeliveryUs', to: 'nchan' },
  ],
  measure: (server, { isQuick }) =>
    runOne(server, undefined, async (bench) => {
      await bench.open({ path: '/events/0', count: CONNECTIONS, next: 1 });
      const deliveries = (published) => published * CONNECTIONS;
      await bench.publish('paced', { rate: RATE, seconds: isQuick ? 1 : 1.5 }, deliveries);
      return bench.publish('paced', { rate: RATE, seconds: isQuick ? 2 : 4 }, deliveries);
    }),
};
