// One client and a server with nothing else to do, on code that has hardly run and on code that V8 has optimised.

const SERVERS = [
  ...['ours-fastify', 'ours-express', 'other-fastify', 'other-express'],
  ...['hand-written', 'nest-fastify', 'nest-express'],
];
const every = (rate) => ({ key: `p50At${rate}`, heading: `p50 µs, ${rate} events a second`, digits: 0 });
const cpu = { key: 'cpuAt100', heading: 'CPU µs per event, 100 a second', digits: 0 };

export const lone = {
  name: 'lone',
  title: 'A lone client',
  about:
    'One connection, events of 100 bytes, one at a time, 100 a second and then 10. From before the publish to the client’s having read it. Nothing was published before.',
  servers: SERVERS,
  rounds: 9,
  figures: [every(100), every(10), cpu],
  prepare: (bench) => bench.open({ path: '/events/0', count: 1, next: 1 }),
  async window(bench) {
    const often = await publish(bench, 100, 1.5);
    const seldom = await publish(bench, 10, 2);
    return { p50At100: often.p50Us, p50At10: seldom.p50Us, cpuAt100: often.cpuPerPublishUs };
  },
};

export const loneWarm = {
  name: 'lone-warm',
  title: 'A lone client, after much work',
  about:
    'As above, 100 events a second, of servers that have delivered 2,000 a second for 5 s before, so that V8 has optimised what they run.',
  servers: SERVERS,
  rounds: 9,
  figures: [every(100), cpu],
  async prepare(bench) {
    await bench.open({ path: '/events/0', count: 1, next: 1 });
    await publish(bench, 2_000, 5);
  },
  async window(bench) {
    const often = await publish(bench, 100, 1.5);
    return { p50At100: often.p50Us, cpuAt100: often.cpuPerPublishUs };
  },
};

const publish = (bench, rate, seconds) => bench.publish('paced', { rate, seconds }, (published) => published);
