// How fast are streams opened, compared with a plain GET of the same application?
import { runOne } from '../harness/run-one.mjs';

const CONCURRENCY = 64;
const WARM_UP = 500;

export const connects = {
  name: 'connects',
  title: 'Connections accepted',
  about: `5,000 streams opened and kept (2,000 with \`--quick\`), ${CONCURRENCY} on the way at a time, counted until the last has its head; before that as many plain GETs that are answered \`ok\`, each on a connection of its own, which the client then closes. Both after a warm-up of ${WARM_UP}.`,
  servers: ['limit', 'ours-express', 'ours-fastify', 'nchan', 'hand-written', 'nest-fastify', 'nest-express'],
  columns: [
    { key: 'plainPerSecond', heading: 'plain GETs/s', digits: 0 },
    { key: 'streamsPerSecond', heading: 'streams/s', digits: 0 },
    { key: 'plainCpuUs', heading: 'CPU µs per plain GET', digits: 0 },
    { key: 'streamCpuUs', heading: 'CPU µs per stream', digits: 0 },
  ],
  ratios: [
    { key: 'streamsPerSecond', within: 'plainPerSecond', heading: 'streams/s ÷ plain/s' },
    { key: 'streamCpuUs', within: 'plainCpuUs', heading: 'CPU ÷ plain' },
  ],
  measure: (server, { isQuick }) =>
    runOne(server, undefined, async (bench) => {
      const count = isQuick ? 2_000 : 5_000;
      const plain = { path: '/plain', once: 1, concurrency: CONCURRENCY };
      const stream = { path: '/events/0', concurrency: CONCURRENCY };
      await bench.open({ ...plain, count: WARM_UP });
      await bench.open({ ...stream, count: WARM_UP });
      await bench.close();
      const [plainPerSecond, plainCpuUs] = await timed(bench, { ...plain, count });
      const [streamsPerSecond, streamCpuUs] = await timed(bench, { ...stream, count });
      return { plainPerSecond, streamsPerSecond, plainCpuUs, streamCpuUs };
    }),
};

/** How many a second were opened, and the server's CPU time for each, in µs. */
export async function timed(bench, given) {
  const before = bench.server.cpuNs();
  const { opened, tookMs } = await bench.open(given);
  return [(opened / tookMs) * 1_000, (bench.server.cpuNs() - before) / 1e3 / opened];
}
