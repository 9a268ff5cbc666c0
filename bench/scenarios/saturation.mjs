// As fast as it goes: how many events a second reach 500 clients, and how old are they then?
//
// The publisher offers as many events in one turn of the event loop as the heading says, waits for what `publish`
// returns, lets a turn pass, and stops while more than 32 KiB wait for any client: bench/servers/driver.mjs, the same for
// all servers in Node. nchan has that many requests on the way. The limit makes one `send()` for each event however many
// are offered, and waits when a client's buffer is full. So no server is ahead by keeping a queue, and none loses events.
import { runOne } from '../harness/run-one.mjs';

const CONNECTIONS = 500;
const PER_TURN = [1, 16, 128];

export const saturation = {
  name: 'saturation',
  title: 'Saturation',
  about: `${CONNECTIONS} connections on one topic, events of 100 bytes as fast as they are taken. They are offered 1, 16, and 128 at a time; at 1 there is nothing to put together in one write. Given are events delivered a second, the median age of an event on arrival, and the limit's rate divided by the server's own (below 1: faster than one \`send()\` for each event).`,
  servers: [
    ...['limit', 'ours-express', 'ours-fastify', 'nchan', 'framed', 'hand-written', 'fastify-sse', 'better-sse'],
    ...['nest-fastify', 'nest-express'],
  ],
  columns: PER_TURN.flatMap((count) => [
    { key: `perSecond${count}`, heading: `${count}: events/s`, digits: 0 },
    { key: `p50Us${count}`, heading: `${count}: p50 µs`, digits: 0 },
  ]),
  ratios: [
    ...PER_TURN.map((count) => ({
      key: `perSecond${count}`,
      to: 'limit',
      isInverse: true,
      heading: `${count}: limit ÷ own`,
    })),
    { key: 'p50Us16', to: 'nchan', heading: '16: p50 × nchan' },
  ],
  measure: (server, { isQuick }) =>
    runOne(server, undefined, async (bench) => {
      await bench.open({ path: '/events/0', count: CONNECTIONS, next: 1 });
      const deliveries = (published) => published * CONNECTIONS;
      await bench.publish('saturate', { perTurn: 1, seconds: isQuick ? 0.5 : 1 }, deliveries);
      const figures = { clientShare: 0 };
      for (const perTurn of PER_TURN) {
        const seen = await bench.publish('saturate', { perTurn, seconds: isQuick ? 1 : 2 }, deliveries);
        figures[`perSecond${perTurn}`] = (seen.received / seen.spanMs) * 1_000;
        figures[`p50Us${perTurn}`] = seen.p50Us;
        figures[`p99Us${perTurn}`] = seen.p99Us;
        figures[`clientShare${perTurn}`] = seen.clientShare;
        figures.clientShare = Math.max(figures.clientShare, seen.clientShare);
        figures[`serverShare${perTurn}`] = seen.serverShare;
      }
      return figures;
    }),
};
