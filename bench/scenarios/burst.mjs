// 50 events at once to 1,000 connections: a server that writes once per connection has one fiftieth of the writes.
import { runOne } from '../harness/run-one.mjs';

const CONNECTIONS = 1_000;

export const burst = {
  name: 'burst',
  title: 'Burst',
  about: `${CONNECTIONS} connections on one topic, 50 events of 100 bytes in one turn of the event loop, every 500 ms. The limit makes one \`send()\` for the whole burst. nchan is sent its 50 requests in one write.`,
  servers: [
    ...['limit', 'ours-express', 'ours-fastify', 'nchan', 'framed', 'hand-written', 'fastify-sse', 'better-sse'],
    ...['nest-fastify', 'nest-express'],
  ],
  columns: [
    { key: 'cpuPerDeliveryUs', heading: 'CPU µs per event', digits: 3 },
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
      await bench.publish('burst', { size: 50, everyMs: 500, seconds: 1 }, deliveries);
      return bench.publish('burst', { size: 50, everyMs: 500, seconds: isQuick ? 2 : 4 }, deliveries);
    }),
};
