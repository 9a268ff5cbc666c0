// How fast streams are opened, and what one takes that is only open.
import { timed } from '../scenarios/connects.mjs';
import { measureIdle } from '../scenarios/idle.mjs';

const SERVERS = [
  ...['ours-fastify', 'ours-express', 'other-fastify', 'other-express'],
  ...['hand-written', 'nest-fastify', 'nest-express'],
];
const CONCURRENCY = 64;
const PLAIN = { path: '/plain', once: 1, concurrency: CONCURRENCY };
const STREAM = { path: '/events/0', concurrency: CONCURRENCY };

export const opening = {
  name: 'opening',
  title: 'Opening',
  about: `1,000 plain GETs that are answered \`ok\`, each on a connection of its own, and 1,000 streams opened, ${CONCURRENCY} on the way at a time, counted until the last has its head. Then they are closed, which is not counted. After a warm-up of 2,000 of each.`,
  servers: SERVERS,
  rounds: 10,
  figures: [
    {
      ...{ key: 'streamsPerSecond', heading: 'streams a second', digits: 0, isRate: true },
      ...{ within: 'plainPerSecond', withinHeading: '÷ plain GET of the same application' },
    },
    {
      ...{ key: 'streamCpuUs', heading: 'CPU µs per stream', digits: 0 },
      ...{ within: 'plainCpuUs', withinHeading: '÷ plain GET of the same application' },
    },
    { key: 'plainPerSecond', heading: 'plain GETs a second', digits: 0, isRate: true },
    { key: 'plainCpuUs', heading: 'CPU µs per plain GET', digits: 0 },
  ],
  async prepare(bench) {
    for (let times = 0; times < 2; times++) await openBoth(bench, 1_000);
  },
  window: (bench, { isQuick }) => openBoth(bench, isQuick ? 500 : 1_000),
};

export const idle = {
  name: 'idle',
  title: 'Idle connections',
  about:
    '10,000 connections on one topic (3,000 with `--quick`), nothing is published. Resident bytes after, less those before, after a collection, for each; “each further” is the slope from a fifth of the connections to all. Each window has a process of its own.',
  servers: SERVERS,
  rounds: 2,
  isFresh: true,
  figures: [
    { key: 'residentEachFurther', heading: 'resident bytes of each further connection', digits: 0 },
    { key: 'residentEach', heading: 'resident bytes of each connection', digits: 0 },
    { key: 'heapEach', heading: 'JS heap of each connection', digits: 0 },
  ],
  window: measureIdle,
};

async function openBoth(bench, count) {
  const [plainPerSecond, plainCpuUs] = await timed(bench, { ...PLAIN, count });
  const [streamsPerSecond, streamCpuUs] = await timed(bench, { ...STREAM, count });
  await bench.close();
  return { plainPerSecond, streamsPerSecond, plainCpuUs, streamCpuUs };
}
