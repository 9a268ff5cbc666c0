// What a publish costs that nobody reads, and what is kept of it.

const BUILDS = ['ours-fastify', 'other-fastify'];
const TOPICS = 5_000;
/** The topics are full before the first window: then a publish takes away as much as it adds. */
const KEPT = 20;

export const unread = {
  name: 'unread',
  title: 'A publish that nobody reads',
  about: `Events of 100 bytes, each awaited, 100 in a turn of the event loop, without a pause: 100,000 to one topic, and then 50,000 to any of ${TOPICS}. Each topic keeps ${KEPT} events and has them before it begins. The loop by hand finds nobody to write to; it is given as a measure of the machine.`,
  servers: [...BUILDS, 'hand-written'],
  rounds: 8,
  options: { history: { maxEvents: KEPT } },
  figures: [
    { key: 'oneUs', heading: 'CPU µs per publish, one topic', digits: 2 },
    { key: 'manyUs', heading: `CPU µs per publish, ${TOPICS} topics`, digits: 2 },
    { key: 'oneWallUs', heading: 'µs per publish, one topic', digits: 2 },
    { key: 'manyWallUs', heading: `µs per publish, ${TOPICS} topics`, digits: 2 },
  ],
  async prepare(bench) {
    await bench.server.call('fill', { topics: TOPICS, each: KEPT });
    await hot(bench, 1, 200_000);
    await hot(bench, TOPICS, 100_000);
  },
  async window(bench) {
    const [oneUs, oneWallUs] = await hot(bench, 1, 100_000);
    const [manyUs, manyWallUs] = await hot(bench, TOPICS, 50_000);
    return { oneUs, manyUs, oneWallUs, manyWallUs };
  },
};

export const retained = {
  name: 'retained',
  title: 'A retained event of 100 bytes',
  about:
    '200,000 events of 100 bytes, retained in 1,000 topics, without connections. Bytes after, less those before, after a collection, for each; “of the first” after 50,000 of them. Each window has a process of its own.',
  servers: BUILDS,
  rounds: 3,
  isFresh: true,
  options: { history: { maxEvents: 'Infinity', maxBytes: 'Infinity', maxAgeMs: 'Infinity' } },
  figures: [
    { key: 'residentEach', heading: 'resident bytes', digits: 0 },
    { key: 'residentEachEarly', heading: 'resident bytes, of the first', digits: 0 },
    { key: 'heapEach', heading: 'JS heap', digits: 0 },
    { key: 'buffersEach', heading: 'buffers', digits: 0 },
  ],
  async window({ server }) {
    const fill = async (each) => {
      await server.call('fill', { topics: 1_000, each });
      return server.call('memory');
    };
    const before = await fill(1);
    const early = await fill(50);
    const after = await fill(150);
    const each = (key) => (after[key] - before[key]) / 200_000;
    return {
      residentEach: each('rss'),
      residentEachEarly: (early.rss - before.rss) / 50_000,
      heapEach: each('heapUsed'),
      buffersEach: each('arrayBuffers'),
    };
  },
};

/** CPU time of the server for each publish, and time that passed, in µs. */
async function hot(bench, topics, count) {
  const before = bench.server.cpuNs();
  const done = await bench.server.call('hot', { topics, count });
  return [(bench.server.cpuNs() - before) / 1e3 / count, (done.tookMs * 1e3) / count];
}
