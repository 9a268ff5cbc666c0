import { createRandom } from '../random.mjs';
import { Clients } from './clients.js';
import { DEADLINE_MS, type SharedEngine } from './engines.js';
import { Faults } from './faults.js';
import { Lab, TOPICS } from './lab.js';
import { readLog } from './log.js';
import type { Node } from './node.js';
import { FIELDS, verifyExact, verifyPublished } from './verify.js';

const PATTERNS = ['**', 'a/*', 'b/*', '*/1'];
const CLIENTS = 24;
const EVENTS_PER_SECOND = 600;
/** What a busy machine may add to a deadline. */
const SLACK_MS = 1_500;

export interface FaultsOptions {
  readonly engine: SharedEngine;
  readonly nodes: number;
  readonly seed: number;
  readonly seconds: number;
}

export interface FaultsVerdict {
  readonly problems: readonly string[];
  readonly figures: Readonly<Record<string, number>> & { readonly deliveries: number };
}

/** Publishes on all nodes to clients that hop between them while things go wrong; at the end looks at all that came of it. */
export async function runFaults({ engine, nodes, seed, seconds }: FaultsOptions): Promise<FaultsVerdict> {
  const random = createRandom(seed + nodes);
  const startedAt = performance.now();
  const selections = Array.from({ length: CLIENTS }, (_, n) => {
    if (n < 8) return [random.pick(TOPICS)];
    if (n < 16) return random.sample(TOPICS, random.int(2, 6));
    return [PATTERNS[n % PATTERNS.length]!, ...random.sample(TOPICS, random.int(0, 2))];
  });
  await using lab = await Lab.start(engine, nodes);
  await using clients = await Clients.start(selections, seed);
  const load = ({ child, publisher }: Node): Promise<void> =>
    child.call('load', {
      publisher,
      seed: seed + 100 * publisher,
      topics: TOPICS,
      perSecond: EVENTS_PER_SECOND / nodes,
    });
  await clients.find(lab.ports);
  await clients.open();
  await Promise.all(lab.nodes.map(load));

  const faults = new Faults(lab, random, async (node) => {
    await clients.find(lab.ports);
    await load(node);
  });
  await faults.run(seconds);
  await Promise.all(lab.nodes.map(({ child }) => child.call('stop')));
  await clients.calm();
  await clients.open();

  const reader = await engine.open(lab.server.port);
  const late = await clients.caughtUp(await readLog(reader, TOPICS));
  const log = await readLog(reader, TOPICS);
  await reader.close();
  const reports = await clients.reports();
  await clients.leave(clients.all);
  await lab.closeNodes();

  const outcomes = lab.all.flatMap((node) => node.outcomes);
  const figures = {
    events: log.entries.length,
    deliveries: reports.reduce((sum, { record }) => sum + record.length / FIELDS, 0),
    ...faults.done,
    ...sumOf(reports.map((report) => report.figures)),
    resets: reports.reduce((sum, { resets }) => sum + resets.length, 0),
    ...sumOf(outcomes.map(({ code }) => ({ [code]: 1 }))),
    slowestMs: Math.round(Math.max(...outcomes.map(({ tookMs }) => tookMs))),
    seconds: Math.round((performance.now() - startedAt) / 1_000),
  };
  const ofClients = reports.flatMap((report, n) =>
    verifyExact(report, selections[n]!, log).map((problem) => `${clients.nameOf(n)}: ${problem}`),
  );
  const ofPublishers = verifyPublished(lab.all, log, DEADLINE_MS + SLACK_MS);
  return { problems: [...late, ...ofPublishers, ...ofClients, ...lab.problems], figures };
}

function sumOf(figures: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const each of figures) for (const [name, value] of Object.entries(each)) sums[name] = (sums[name] ?? 0) + value;
  return sums;
}
