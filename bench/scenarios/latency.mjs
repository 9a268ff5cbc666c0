// One client and a server that has nothing else to do: is latency paid for throughput?
import { runOne } from '../harness/run-one.mjs';

const RATE = 50;

export const latency = {
  name: 'latency',
  title: 'Single client',
  about: `One connection, events of 100 bytes, ${RATE} a second, one at a time. From before the publish to the client's having read it. nchan's includes the HTTP request that brings the event.`,
  servers: ['limit', 'ours-express', 'ours-fastify', 'nchan', 'hand-written', 'nest-fastify'],
  columns: [
    { key: 'p50Us', heading: 'p50 µs', digits: 1 },
    { key: 'p99Us', heading: 'p99 µs', digits: 1 },
    { key: 'cpuPerPublishUs', heading: 'CPU µs per event', digits: 1 },
  ],
  ratios: [{ key: 'p50Us', to: 'hand-written', heading: 'p50 × hand-written' }],
  measure: (server, { isQuick }) =>
    runOne(server, undefined, async (bench) => {
      await bench.open({ path: '/events/0', count: 1, next: 1 });
      const deliveries = (published) => published;
      await bench.publish('paced', { rate: 500, seconds: 1 }, deliveries);
      return bench.publish('paced', { rate: RATE, seconds: isQuick ? 2 : 4 }, deliveries);
    }),
};
