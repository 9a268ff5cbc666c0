// Much, but a given amount: how old is an event when 300,000 a second are to be delivered?
import { runOne } from '../harness/run-one.mjs';

const CONNECTIONS = 500;
const RATE = 600;

export const offered = {
  name: 'offered',
  title: 'Offered rate',
  about: `${CONNECTIONS} connections on one topic, events of 100 bytes, ${RATE} a second whether the server keeps up or not: ${CONNECTIONS * RATE} deliveries a second, more than one \`send()\` for each allows. A server that cannot keep up publishes late (in Node) or is sent its events late (nchan), so look at what is delivered a second first; the age is counted from the publishing.`,
  servers: ['limit', 'ours-express', 'ours-fastify', 'nchan', 'hand-written', 'nest-fastify'],
  columns: [
    { key: 'perSecond', heading: 'events/s', digits: 0 },
    { key: 'p50Us', heading: 'p50 µs', digits: 0 },
    { key: 'p99Us', heading: 'p99 µs', digits: 0 },
    { key: 'serverShare', heading: 'share of its core', digits: 2 },
  ],
  ratios: [{ key: 'p50Us', to: 'nchan', heading: 'p50 × nchan' }],
  measure: (server, { isQuick }) =>
    runOne(server, undefined, async (bench) => {
      await bench.open({ path: '/events/0', count: CONNECTIONS, next: 1 });
      const deliveries = (published) => published * CONNECTIONS;
      await bench.publish('paced', { rate: 100, seconds: 1 }, deliveries);
      const seen = await bench.publish('paced', { rate: RATE, seconds: isQuick ? 1 : 3 }, deliveries);
      return { ...seen, perSecond: (seen.received / seen.spanMs) * 1_000 };
    }),
};
