// How costs grow: with connections, topics, retained events and patterns. A curve that bends has a reason worth knowing.
// Only this module, on Fastify; with connections, the C limit beside it, since the kernel's own curve bends too.
import { runOne } from '../harness/run-one.mjs';

const OURS = 'ours-fastify';
const CONNECTION_RATES = { 1: 200, 10: 200, 100: 100, 1_000: 20, 10_000: 2 };
/** How often the client looks for events that come one by one: see scenarios/topics.mjs. */
const NAP_US = 1_000;
const MAX_READ_TOPICS = 1_000;
const KEEP_ALL = { module: { history: { maxEvents: 'Infinity', maxBytes: 'Infinity', maxAgeMs: 'Infinity' } } };

const cpuPerPublish = { key: 'cpuPerPublishUs', heading: 'CPU µs per publish', digits: 2 };

export const growthConnections = {
  ...curve('connections', Object.keys(CONNECTION_RATES).map(Number)),
  about: `One topic, events of 100 bytes, paced: ${Object.entries(CONNECTION_RATES).map(([count, rate]) => `${rate}/s to ${count}`)}. What one publish costs by itself is in the first lines.`,
  columns: [
    { key: 'cpuPerDeliveryUs', heading: 'CPU µs per event', digits: 2 },
    { key: 'limitUs', heading: 'limit', digits: 2 },
    { key: 'p50Us', heading: 'p50 µs', digits: 0 },
    { key: 'p100Us', heading: 'longest µs', digits: 0 },
  ],
  ratios: [{ key: 'cpuPerDeliveryUs', within: 'limitUs', heading: '× limit' }],
  async measure(name, { isQuick }) {
    const count = Number(name);
    const rate = CONNECTION_RATES[count];
    const once = (server) =>
      runOne(server, undefined, async (bench) => {
        await bench.open({ path: '/events/0', count, next: 1 });
        const deliveries = (published) => published * count;
        await bench.publish('paced', { rate, seconds: 1 }, deliveries);
        return bench.publish('paced', { rate, seconds: isQuick ? 1 : 4 }, deliveries);
      });
    const limit = await once('limit');
    const own = await once(OURS);
    return {
      figures: { ...own.figures, limitUs: limit.figures.cpuPerDeliveryUs },
      faults: { ...own.faults, ...limit.faults },
    };
  },
};

export const growthTopics = {
  ...curve('topics', [1, 100, 10_000, 100_000]),
  about: `So many topics with an event in each; up to ${MAX_READ_TOPICS} of them have one connection each, and events go to any of those, one in each turn of the event loop, without a pause.`,
  columns: [cpuPerPublish],
  measure: (name, { isQuick }) =>
    runOne(OURS, undefined, async (bench) => {
      const read = Math.min(Number(name), MAX_READ_TOPICS);
      // Those that are read get no event before, so that each connection's first is its topic's first.
      await bench.server.call('fill', { first: read, topics: Number(name) - read });
      await bench.open({ path: '/events/%d', count: read, next: 1 });
      return publishOneByOne(bench, read, isQuick);
    }),
};

export const growthPatterns = {
  ...curve('patterns', [1, 100, 1_000, 10_000]),
  about: `So many connections, each with one pattern of its own (\`*/<n>\`), each of which matches one topic; events to any of those, one in each turn of the event loop, without a pause.`,
  columns: [cpuPerPublish],
  measure: (name, { isQuick }) =>
    runOne(OURS, undefined, async (bench) => {
      await bench.open({ path: '/pattern/%d', count: Number(name), next: 1 });
      return publishOneByOne(bench, Number(name), isQuick);
    }),
};

export const growthHistory = {
  ...curve('history', [10_000, 100_000, 400_000]),
  title: 'Growth with retained events',
  about:
    'So many events of 100 bytes, retained in one topic, without connections. Resident bytes and bytes on the heap, after a collection, for each.',
  columns: [
    { key: 'residentEach', heading: 'resident bytes each', digits: 0 },
    { key: 'heapEach', heading: 'JS heap each', digits: 0 },
    { key: 'buffersEach', heading: 'buffers each', digits: 0 },
  ],
  measure: (name) =>
    runOne(OURS, KEEP_ALL, async ({ server }) => {
      const count = Number(name);
      await server.call('fill', { each: 1_000 });
      const before = await server.call('memory');
      await server.call('fill', { each: count });
      const after = await server.call('memory');
      const each = (key) => (after[key] - before[key]) / count;
      return { residentEach: each('rss'), heapEach: each('heapUsed'), buffersEach: each('arrayBuffers') };
    }),
};

function curve(of, counts) {
  return {
    name: `growth-${of}`,
    title: `Growth with ${of}`,
    cases: counts.map((count) => ({ name: String(count), title: `${count.toLocaleString('en')} ${of}`, server: OURS })),
    ratios: [],
    maxRounds: 1,
  };
}

async function publishOneByOne(bench, topics, isQuick) {
  const deliveries = (published) => published;
  await bench.publish('saturate', { topics, seconds: 1 }, deliveries);
  return bench.publish('saturate', { topics, seconds: isQuick ? 1 : 2 }, deliveries, { napUs: NAP_US });
}
