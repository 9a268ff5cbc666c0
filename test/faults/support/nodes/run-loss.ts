import { setTimeout as delay } from 'node:timers/promises';
import type { ServerProcess } from '../../../support/server-process.js';
import { type ClientReport, Clients } from './clients.js';
import type { SharedEngine } from './engines.js';
import { Lab, TOPICS } from './lab.js';
import { type Log, readLog } from './log.js';
import { receivedOf, verifyExact, verifyReset } from './verify.js';

const READERS = [['a/0'], ['a/1', 'b/0'], ['**'], ['a/*', 'b/3']];
/** Of each selection four clients stay, two leave before the loss, and two before what is lost was published. */
const GROUPS = ['stay', 'stay', 'stay', 'stay', 'leave', 'leave', 'leave early', 'leave early'];
const DEADLINE_MS = 15_000;

export interface LossOptions {
  readonly engine: SharedEngine;
  readonly seed: number;
  /** What makes the copy that is restored; without it everything is lost. */
  readonly save?: ((server: ServerProcess) => Promise<void>) | undefined;
  readonly lose: (server: ServerProcess) => Promise<void>;
}

/** Lets a server lose its log, or the end of it, while clients are connected and while they are away; tells what was wrong. */
export async function runLoss({ engine, seed, save, lose }: LossOptions): Promise<string[]> {
  await using lab = await Lab.start(engine, 2);
  const groups = READERS.flatMap(() => GROUPS);
  const selections = READERS.flatMap((reader) => GROUPS.map(() => reader));
  await using clients = await Clients.start(selections, seed);
  const those = (...names: string[]): number[] => clients.all.filter((n) => names.includes(groups[n]!));
  const publish = async (count: number): Promise<void> => {
    const topics = Array.from({ length: count }, (_, n) => TOPICS[n % TOPICS.length]!);
    await Promise.all(lab.nodes.map(({ child, publisher }) => child.call('publish', topics, publisher)));
  };
  const reader = await engine.open(lab.server.port);
  const problems: string[] = [];
  const caughtUp = async (which?: number[]): Promise<Log> => {
    const log = await persist(() => readLog(reader, TOPICS));
    problems.push(...(await clients.caughtUp(log, which)));
    return log;
  };

  await clients.calm();
  await clients.find(lab.ports);
  await clients.open();
  await clients.begun();
  await publish(30);
  await caughtUp();
  await clients.leave(those('leave early'));
  await save?.(lab.server);
  await publish(30);
  const first = await caughtUp(those('stay', 'leave'));
  await clients.leave(those('leave'));
  await lose(lab.server);
  await publish(50);
  const second = await caughtUp(those('stay'));
  await clients.open(those('leave', 'leave early'));
  await caughtUp();

  await reader.close();
  const reports = await clients.reports();
  await clients.leave(clients.all);
  await lab.closeNodes();
  for (const [n, report] of reports.entries()) {
    const selectors = selections[n]!;
    const isEarly = groups[n] === 'leave early';
    const isWhole = isEarly && save !== undefined;
    const found = isWhole
      ? verifyExact(report, selectors, second)
      : verifyReset(report, selectors, isEarly ? asSeenBy(report, first) : first, second);
    problems.push(...found.map((problem) => `${clients.nameOf(n)}, ${groups[n]}: ${problem}`));
  }
  return [...problems, ...lab.problems];
}

/** A log as it was when a client had its last event of it. */
function asSeenBy(report: ClientReport, log: Log): Log {
  const last = receivedOf(report).findLast(({ epoch }) => epoch === log.epoch)?.seq ?? 0;
  return { ...log, entries: log.entries.filter(({ seq }) => seq <= last) };
}

/** Calls until it succeeds. */
async function persist<T>(call: () => Promise<T>): Promise<T> {
  for (const deadline = performance.now() + DEADLINE_MS; ; await delay(20)) {
    try {
      return await call();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}
