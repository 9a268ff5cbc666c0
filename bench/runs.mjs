// What does a delivery of a run cost, and one on another protocol's wire, against one of a topic?
//
// Method. One server, a plain Nest application on one core, with 1,000 readers of each of a topic, of a run, and of a run whose route
// speaks OpenAI's Chat Completions; their clients on the other core. The servers' streams all stay open. In each round every kind is given its
// events for a second, in turn, and the order moves on: so what else the machine does shows in all of them. CPU time is that of all
// threads of the server until 300 ms behind the last event. Figures are medians, ratios are medians of the rounds' ratios to the topic.
//
// Exit code 1 if an event was lost or repeated. Options: --rounds 9, --connections 1000, --rate 50. Run after `npm run build`: 1 minute.
import { isPinned, moveAside } from './harness/cores.mjs';
import { median } from './harness/statistics.mjs';
import { option, surroundings, writeReport } from './support/report.mjs';
import { start } from './support/rpc.mjs';

const KINDS = ['topic', 'run', 'foreign'];
const TITLES = { topic: 'a topic', run: 'a run', foreign: 'a run, `wire: openaiChat()`' };

const rounds = option('rounds', 9);
const connections = option('connections', 1_000);
const perSecond = option('rate', 50);

const where = surroundings();
moveAside();
const server = start(new URL('./support/runs-server.mjs', import.meta.url));
const clients = start(new URL('./support/runs-clients.mjs', import.meta.url));
const figures = [];
let wrong = 0;
try {
  const port = await server.call('port');
  for (const kind of KINDS) await clients.call('open', port, kind, connections);
  for (const kind of KINDS) await window(kind);
  for (let round = 0; round < rounds; round++) {
    const figure = {};
    for (let n = 0; n < KINDS.length; n++) {
      const kind = KINDS[(round + n) % KINDS.length];
      figure[kind] = await window(kind);
    }
    figures.push(figure);
    console.error(`${round + 1}/${rounds} ${KINDS.map((kind) => `${kind} ${figure[kind].toFixed(2)} µs`).join(', ')}`);
  }
} finally {
  server.stop();
  clients.stop();
}
report();

/** CPU time of the server for each delivery, in µs. */
async function window(kind) {
  const before = await clients.call('count', kind);
  const usedUs = await server.call('publish', kind, perSecond, perSecond);
  const deliveries = (await clients.call('count', kind)) - before;
  wrong += Math.abs(deliveries - perSecond * connections);
  return usedUs / deliveries;
}

function report() {
  const rows = KINDS.map((kind) => [
    TITLES[kind],
    `${median(figures.map((figure) => figure[kind])).toFixed(2)} µs`,
    median(figures.map((figure) => figure[kind] / figure.topic)).toFixed(2),
  ]);
  const verdict = wrong === 0 ? 'Every event has arrived once.' : `**WRONG**: ${wrong} events too few or too many.`;
  writeReport({
    name: 'runs',
    title: 'What a delivery of a run costs',
    where,
    parts: [
      `${connections} readers of each, ${perSecond} events a second, ${rounds} rounds${isPinned ? ', server on core 0' : ''}. ${verdict}`,
      [['readers of', 'CPU for each delivery', 'against a topic'], ...rows],
    ],
    data: { figures },
  });
  process.exitCode = wrong === 0 ? 0 : 1;
}
