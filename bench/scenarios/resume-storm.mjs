// 5,000 clients come back at once, each 100 events behind, while events go on.
//
// "At once" is as fast as the server takes them: up to 400 wait for their heads at a time, below the 511 that Node's
// queue of new connections holds. Beyond it the kernel drops attempts, which are repeated after a second, and that second
// would be all that is seen. Those who resume are done when they have the newest of what they have missed; each must get
// every later event, once and in order, live ones included.
import { runOne } from '../harness/run-one.mjs';

const BEHIND = 100;
const LIVE_RATE = 10;
const CONCURRENCY = 400;
const WARM_UP = 500;

export const resumeStorm = {
  name: 'resume-storm',
  title: 'Resume storm',
  about: `5,000 clients (2,000 with \`--quick\`), ${CONCURRENCY} on the way at a time, on one topic: opening streams anew, the same while ${LIVE_RATE} events a second are published to all who are there, and resuming from ${BEHIND} events back while ${LIVE_RATE} a second are published. Until the last has its head, or its last missed event. After a warm-up of ${WARM_UP} that resume.`,
  servers: ['ours-express', 'ours-fastify', 'nchan'],
  columns: [
    { key: 'plainMs', heading: 'anew, ms', digits: 0 },
    { key: 'plainLiveMs', heading: 'anew, live, ms', digits: 0 },
    { key: 'resumeMs', heading: 'resumed, live, ms', digits: 0 },
    { key: 'reachP50Us', heading: 'one client, p50 µs', digits: 0 },
  ],
  ratios: [
    { key: 'resumeMs', within: 'plainMs', heading: 'resumed ÷ anew' },
    { key: 'resumeMs', within: 'plainLiveMs', heading: 'resumed ÷ anew, live' },
  ],
  measure: (server, { isQuick }) =>
    runOne(server, undefined, async (bench) => {
      const count = isQuick ? 2_000 : 5_000;
      const path = '/events/0';
      const { lastId } = await bench.server.call('paced', { rate: 10, seconds: 0.1 });
      await bench.server.call('burst', { size: BEHIND, everyMs: 500, seconds: 0.4 });
      const back = { path, id: lastId, concurrency: CONCURRENCY, next: 2, goal: 1 + BEHIND };
      await bench.open({ ...back, count: WARM_UP });
      await bench.close();

      const plain = await bench.open({ path, count, concurrency: CONCURRENCY });
      await bench.close();
      const plainLive = await whileLive(bench, () => bench.open({ path, count, concurrency: CONCURRENCY }));
      await bench.close();

      const { lastId: newestId, published } = await bench.server.call('paced', { rate: 10, seconds: 0.1 });
      const place = 1 + BEHIND + plainLive.published + published;
      await bench.server.call('burst', { size: BEHIND, everyMs: 500, seconds: 0.4 });
      const resumed = await whileLive(
        bench,
        async () => {
          await bench.open({ ...back, count, id: newestId, next: place + 1, goal: place + BEHIND });
          return bench.client.call('reach', { timeoutMs: 30_000 });
        },
        (live) => count * (BEHIND + live),
      );
      bench.note({ failed: resumed.wanted - resumed.reached });
      return {
        plainMs: plain.tookMs,
        plainLiveMs: plainLive.tookMs,
        resumeMs: resumed.tookMs,
        reachP50Us: resumed.reachP50Us,
      };
    }),
};

/** Publishes while something is done, and checks what was received. */
async function whileLive(bench, act, expectedOf = () => 0) {
  await bench.client.call('start');
  const live = bench.server.call('paced', { rate: LIVE_RATE, seconds: 4 });
  const answer = await act();
  const { published } = await live;
  bench.note(await bench.client.call('settle', { expected: expectedOf(published), timeoutMs: 20_000 }));
  return { ...answer, published };
}
