// Clients that never read: do the others notice, and does memory grow?
//
// Each round measures a server twice, with everyone reading and with some who never read a byte. Those have a receive
// buffer of 4 KiB and segments of 1,460 bytes, as on a real network: with the loopback's own of 64 KiB the kernel takes
// megabytes for a client that does not read. Only those who read in both runs are counted in the latency.
import { runOne } from '../harness/run-one.mjs';

const BYTES = 1_024;

export const slowReaders = scenario({
  name: 'slow-readers',
  title: 'Slow readers',
  connections: 1_000,
  slow: 200,
  rate: 30,
  servers: ['ours-express', 'ours-fastify', 'nchan', 'better-sse', 'nest-fastify'],
});

export const slowReadersFast = scenario({
  name: 'slow-readers-fast',
  title: 'Slow readers, many events',
  connections: 10,
  slow: 2,
  rate: 2_000,
  // Not nchan: nginx goes through all that waits for a client at each event, and is then so far behind that it takes minutes.
  servers: ['ours-express', 'ours-fastify', 'hand-written'],
  maxRounds: 1,
});

function scenario({ name, title, connections, slow, rate, servers, maxRounds }) {
  const measureOnce = (server, isQuick, silent) =>
    runOne(server, undefined, async (bench) => {
      const path = '/events/0';
      if (silent > 0) await bench.open({ path, count: silent, reads: 0, buffer: 4_096, segment: 1_460 });
      // The rest of those who read do so in both runs, but for the number who are silent in one.
      if (silent < slow) await bench.open({ path, count: slow - silent, next: 1, measured: 0 });
      await bench.open({ path, count: connections - slow, next: 1 });
      const deliveries = (published) => published * (connections - silent);
      await bench.publish('paced', { rate, bytes: BYTES, seconds: isQuick ? 1 : 5 }, deliveries);
      const warm = await memoryOf(bench);
      const seen = await bench.publish('paced', { rate, bytes: BYTES, seconds: isQuick ? 3 : 15 }, deliveries);
      const end = await memoryOf(bench);
      return { ...seen, grownMiB: (end - warm) / 1_048_576 };
    });
  return {
    ...{ name, title, servers, maxRounds },
    about: `${connections} connections on one topic, events of 1 KB, ${rate} a second for 15 s after 5 s of warm-up (3 s after 1 s with \`--quick\`); then the same with ${slow} of them never reading. Memory is resident memory after a collection, from the end of the warm-up to the end of the run. Peers ran in the first round only.`,
    firstRoundOnly: ['nchan', 'hand-written', 'better-sse', 'nest-fastify'],
    columns: [
      { key: 'p50UsAll', heading: 'p50 µs, all read', digits: 0 },
      { key: 'p99UsAll', heading: 'p99 µs, all read', digits: 0 },
      { key: 'p50Us', heading: `p50 µs, ${slow} do not`, digits: 0 },
      { key: 'p99Us', heading: `p99 µs, ${slow} do not`, digits: 0 },
      { key: 'grownMiBAll', heading: 'grown MiB, all read', digits: 1 },
      { key: 'grownMiB', heading: `grown MiB, ${slow} do not`, digits: 1 },
    ],
    ratios: [{ key: 'p99Us', within: 'p99UsAll', heading: 'p99 ÷ p99 of all reading' }],
    async measure(server, { isQuick }) {
      const all = await measureOnce(server, isQuick, 0);
      const some = await measureOnce(server, isQuick, slow);
      const { p50Us: p50UsAll, p99Us: p99UsAll, grownMiB: grownMiBAll } = all.figures;
      return {
        figures: { ...some.figures, p50UsAll, p99UsAll, grownMiBAll },
        faults: { ...all.faults, ...some.faults },
      };
    },
  };
}

async function memoryOf({ name, server }) {
  if (name !== 'nchan') await server.call('memory', { settle: 0 });
  return server.residentBytes();
}
