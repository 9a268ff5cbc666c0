// What is no topic: each connection has a source of its own, an Observable, and encodes every event for itself.
import { runOne } from '../harness/run-one.mjs';

const CONNECTIONS = 1_000;
const RATE = 20;
const SIZE = 50;

export const sources = {
  name: 'sources',
  title: 'Sources',
  about: `${CONNECTIONS} connections with an Observable each, of events of 100 bytes, ${RATE} a second, one at a time, and then ${SIZE} in one turn of the event loop. CPU time of the server for each event that a client got. Limit and loop are those of fan-out: nothing can be shared here.`,
  servers: ['limit', 'ours-express', 'ours-fastify', 'hand-written', 'nest-fastify', 'nest-express'],
  columns: [
    { key: 'cpuPerDeliveryUs', heading: 'CPU µs per event', digits: 2 },
    { key: 'p50Us', heading: 'p50 µs', digits: 0 },
    { key: 'cpuPerDeliveryUsInBursts', heading: `${SIZE} at once: CPU µs per event`, digits: 2 },
  ],
  ratios: [
    { key: 'cpuPerDeliveryUs', to: 'hand-written' },
    { key: 'cpuPerDeliveryUsInBursts', to: 'hand-written', heading: `${SIZE} at once: × hand-written` },
  ],
  measure: (server, { isQuick }) =>
    runOne(server, undefined, async (bench) => {
      const path = server.startsWith('ours') ? '/source/0' : '/events/0';
      await bench.open({ path, count: CONNECTIONS, next: 1 });
      const deliveries = (published) => published * CONNECTIONS;
      await bench.publish('paced', { rate: RATE, seconds: isQuick ? 1 : 1.5 }, deliveries);
      const lone = await bench.publish('paced', { rate: RATE, seconds: isQuick ? 2 : 4 }, deliveries);
      const burst = { size: SIZE, everyMs: 500, seconds: isQuick ? 1 : 2 };
      await bench.publish('burst', burst, deliveries);
      const many = await bench.publish('burst', burst, deliveries);
      return { ...lone, cpuPerDeliveryUsInBursts: many.cpuPerDeliveryUs };
    }),
};
