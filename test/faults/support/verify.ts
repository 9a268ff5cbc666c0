import { selects, type ClientReport, type LoadReport } from './load.js';

export interface Verdict {
  lost: number;
  repeatedOrMisordered: number;
  /** Topics named by resets behind which events were missing, all of them evicted. */
  holes: number;
  /** Events that resets stood for. */
  missing: number;
  /** Resets, as `reason` → count, one for each topic that they name. */
  resets: Record<string, number>;
  /** Topics named once more in one connection before their next event: they have lost more while the client was slow. */
  toldAgain: number;
  /** What a reset stood for was retained, or nothing was missing. */
  problems: string[];
}

/**
 * Holds what each client got against the log, event by event. A reset excuses missing events of the topics that it
 * names, up to the topic's next event, and only those that a log of `maxEvents` had evicted when the client read the
 * reset.
 */
export function verify(report: LoadReport, maxEvents: number): Verdict {
  const verdict: Verdict = {
    lost: 0,
    repeatedOrMisordered: 0,
    holes: 0,
    missing: 0,
    resets: {},
    toldAgain: 0,
    problems: [],
  };
  /** For each topic the numbers of its entries. */
  const events = new Map<string, number[]>();
  report.log.forEach((topic, n) => {
    if (topic === undefined) return;
    if (!events.has(topic)) events.set(topic, []);
    events.get(topic)!.push(n);
  });
  for (const [topic, n] of report.ends) events.get(topic)?.push(n);
  report.clients.forEach((client, index) => {
    verifyOne(client, `client ${index} (${client.selectors.join(' ')})`, report.log, events, maxEvents, verdict);
  });
  return verdict;
}

interface OpenHole {
  readonly published: number;
  readonly connection: number;
  missing: number;
}

function verifyOne(
  client: ClientReport,
  name: string,
  log: LoadReport['log'],
  events: ReadonlyMap<string, readonly number[]>,
  maxEvents: number,
  verdict: Verdict,
): void {
  const { problems } = verdict;
  problems.push(...client.problems.map((problem) => `${name}: ${problem}`));
  if (!client.isDone) problems.push(`${name}: has not come to its end`);
  const holes = new Map<string, OpenHole>();
  const close = (topic: string): void => {
    if (holes.get(topic)?.missing === 0) problems.push(`${name}: a reset named ${topic}, of which nothing was missing`);
    holes.delete(topic);
  };
  const miss = (n: number): void => {
    const topic = log[n]!;
    const hole = holes.get(topic);
    if (hole === undefined) {
      if (verdict.lost++ < 20) problems.push(`${name}: lost ${n} of ${topic}`);
      return;
    }
    if (hole.missing++ === 0) verdict.holes++;
    verdict.missing++;
    const ofTopic = events.get(topic)!;
    if (upTo(ofTopic, hole.published) - upTo(ofTopic, n) < maxEvents)
      problems.push(`${name}: ${n} of ${topic} was retained`);
  };
  let next = client.start + 1;
  for (const item of client.record) {
    if (item < 0) {
      const { reason, topics, published, connection } = client.resets[-1 - item]!;
      for (const topic of topics) {
        verdict.resets[reason] = (verdict.resets[reason] ?? 0) + 1;
        const open = holes.get(topic);
        if (open?.connection === connection) verdict.toldAgain++;
        holes.set(topic, { published, connection, missing: open?.missing ?? 0 });
      }
      continue;
    }
    if (item < next) {
      if (verdict.repeatedOrMisordered++ < 20) problems.push(`${name}: ${item} after ${next - 1}`);
      continue;
    }
    for (; next < item; next++) if (log[next] !== undefined && selects(client.selectors, log[next]!)) miss(next);
    next = item + 1;
    const topic = log[item];
    if (topic === undefined || !selects(client.selectors, topic))
      problems.push(`${name}: ${item} is not of its topics`);
    else close(topic);
  }
  for (; next < log.length; next++) if (log[next] !== undefined && selects(client.selectors, log[next]!)) miss(next);
  for (const topic of [...holes.keys()]) close(topic);
}

/** How many of these ascending numbers are at most `n`. */
function upTo(numbers: readonly number[], n: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle]! <= n) low = middle + 1;
    else high = middle;
  }
  return low;
}
