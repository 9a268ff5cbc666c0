// What a delivery costs: fan-out, bursts, a topic for each reader, and one topic more that all of them read.

const NODE_SERVERS = ['hand-written', 'nest-fastify', 'nest-express'];
const ALL = ['ours-fastify', 'ours-express', 'other-fastify', 'other-express', ...NODE_SERVERS];
/** As in bench/servers/driver.mjs. */
const SHARED = 999_999;
/** How often the client looks for events that come one by one: see scenarios/topics.mjs. */
const NAP_US = 1_000;
const cpuPerDelivery = { key: 'cpuPerDeliveryUs', heading: 'CPU µs per delivery', digits: 2 };

export const topics = {
  name: 'topics',
  title: '5,000 topics with a reader each',
  about:
    '5,000 events of 100 bytes a second, 50 every 10 ms, each to any of 5,000 topics with one connection each. The client looks for events every millisecond.',
  servers: ALL,
  rounds: 12,
  figures: [{ key: 'cpuPerPublishUs', heading: 'CPU µs per publish', digits: 2 }],
  async prepare(bench, { isQuick }) {
    await bench.open({ path: '/events/%d', count: topicsOf(isQuick), next: 1 });
    await publishToTopics(bench, isQuick, 2);
  },
  window: (bench, { isQuick }) => publishToTopics(bench, isQuick, 0.8),
};

export const pair = {
  name: 'pair',
  title: 'A topic of one’s own, and one that all read',
  about:
    '1,000 connections. Each reads its own topic and one that all read, which makes 1,000 selections of two topics. 5,000 events of 100 bytes a second to the topics of their own, 50 every 10 ms, and 5 a second to the one of all: half of the deliveries are of either kind. Then 20 a second to the one of all alone.',
  servers: ALL,
  rounds: 10,
  figures: [cpuPerDelivery, { ...cpuPerDelivery, key: 'sharedUs', heading: 'of the topic of all alone' }],
  async prepare(bench) {
    await bench.open({ path: '/pair/%d', count: 1_000, next: 1, shared: SHARED });
    await publishToPairs(bench, 2);
  },
  async window(bench) {
    const mixed = await publishToPairs(bench, 0.8);
    const pace = { rate: 0, sharedRate: 20, seconds: 0.5, topics: 1_000, tickMs: 10 };
    const shared = await bench.publish('pair', pace, (published) => published * 1_000);
    return { ...mixed, sharedUs: shared.cpuPerDeliveryUs };
  },
};

export const fanOut = {
  name: 'fan-out',
  title: 'Fan-out',
  about: '1,000 connections on one topic, events of 100 bytes, 20 a second.',
  servers: ['limit', ...ALL],
  rounds: 8,
  figures: [cpuPerDelivery],
  prepare: (bench) => openOne(bench, 1_000, () => fan(bench, 1.5)),
  window: (bench) => fan(bench, 1),
};

export const burst = {
  name: 'burst',
  title: 'Burst',
  about: '1,000 connections on one topic, 50 events of 100 bytes in one turn of the event loop, every 250 ms.',
  servers: ['limit', ...ALL],
  rounds: 8,
  figures: [{ ...cpuPerDelivery, digits: 3 }],
  prepare: (bench) => openOne(bench, 1_000, () => bursts(bench, 1)),
  window: (bench) => bursts(bench, 1),
};

export const saturation = {
  name: 'saturation',
  title: 'Saturation',
  about: '500 connections on one topic, one event of 100 bytes offered in a turn, as fast as they go.',
  servers: ['limit', ...ALL],
  rounds: 6,
  figures: [
    { key: 'perSecond', heading: 'events a second', digits: 0, isRate: true },
    { ...cpuPerDelivery, digits: 3 },
  ],
  prepare: (bench) => openOne(bench, 500, () => saturate(bench, 0.5)),
  window: (bench) => saturate(bench, 0.5),
};

const topicsOf = (isQuick) => (isQuick ? 1_000 : 5_000);

function publishToTopics(bench, isQuick, seconds) {
  const count = topicsOf(isQuick);
  const pace = { rate: count, tickMs: 10, topics: count, seconds };
  return bench.publish('paced', pace, (published) => published, { napUs: NAP_US });
}

function publishToPairs(bench, seconds) {
  const pace = { rate: 5_000, sharedRate: 5, seconds, topics: 1_000, tickMs: 10 };
  return bench.publish('pair', pace, (published, { shared }) => published + shared * 999, { napUs: NAP_US });
}

async function openOne(bench, count, warmUp) {
  await bench.open({ path: '/events/0', count, next: 1 });
  await warmUp();
}

const fan = (bench, seconds) => bench.publish('paced', { rate: 20, seconds }, (published) => published * 1_000);

const bursts = (bench, seconds) =>
  bench.publish('burst', { size: 50, everyMs: 250, seconds }, (published) => published * 1_000);

async function saturate(bench, seconds) {
  const seen = await bench.publish('saturate', { seconds }, (published) => published * 500);
  return { ...seen, perSecond: (seen.received / seen.spanMs) * 1_000 };
}
