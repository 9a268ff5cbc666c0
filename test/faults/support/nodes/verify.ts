import type { ClientReport } from './clients.js';
import { type Log, type Stored, placeOf } from './log.js';
import type { Outcome } from './node.js';

/** What is told of each kind of problem: the first ones say all there is to know. */
const MAX_TOLD = 5;
/** How many numbers a record has for each event. */
export const FIELDS = 5;
/** Why a client is told that what it has is not of the log any more. */
const CONTRADICTIONS: readonly string[] = ['epoch', 'ahead', 'diverged'];

/** An event that a client was given. */
export interface Received {
  readonly epoch: string;
  readonly seq: number;
  readonly at: number;
  readonly publisher: number;
  readonly n: number;
}

/** What one node was asked to publish, and what became of it. */
export interface Published {
  readonly publisher: number;
  readonly outcomes: readonly Outcome[];
}

/** Whether a selection has a topic: those of the tests are `family/number`. */
export function selects(selectors: readonly string[], topic: string): boolean {
  const [family, number] = topic.split('/');
  return selectors.some((each) => [topic, '**', `${family}/*`, `*/${number}`].includes(each));
}

export function receivedOf({ record, epochs }: ClientReport): Received[] {
  const received: Received[] = [];
  for (let i = 0; i < record.length; i += FIELDS) {
    const [epoch = 0, seq = 0, at = 0, publisher = 0, n = 0] = record.subarray(i, i + FIELDS);
    received.push({ epoch: epochs[epoch] ?? '', seq, at, publisher, n });
  }
  return received;
}

/** Holds what publishers were told against the log. */
export function verifyPublished(published: readonly Published[], log: Log, deadlineMs: number): string[] {
  const problems = new Problems();
  const times = new Map<string, number>();
  for (const { publisher, n } of log.entries) {
    const key = `${publisher}|${n}`;
    times.set(key, (times.get(key) ?? 0) + 1);
  }
  for (const [key, count] of times) if (count > 1) problems.add('stored more than once', key);
  for (const { publisher, outcomes } of published) {
    let last = 0;
    for (const { n, topic, code, id, tookMs } of [...outcomes].sort((a, b) => a.n - b.n)) {
      const key = `${publisher}|${n}`;
      if (tookMs > deadlineMs) problems.add('settled late', `${key} (${code}) after ${Math.round(tookMs)} ms`);
      if (code === 'stored') {
        const { seq } = placeOf(id);
        const entry = log.bySeq.get(seq);
        if (entry?.id !== id || entry.topic !== topic || `${entry.publisher}|${entry.n}` !== key)
          problems.add('acknowledged and not there', `${key} of ${topic} as ${id}; there is ${JSON.stringify(entry)}`);
        if (seq <= last)
          problems.add('stored in another order than that of the calls', `${key} as ${seq}, after ${last}`);
        last = seq;
      } else if (code === 'engine-failed') {
        if (times.has(key)) problems.add('failed and there', key);
      } else if (code !== 'engine-uncertain') problems.add('strange outcome', `${key}: ${code}`);
    }
  }
  return problems.all;
}

/** Holds what a client was given against the log: every event of its topics after its start, once and in order, no reset. */
export function verifyExact(client: ClientReport, selectors: readonly string[], log: Log): string[] {
  const problems = new Problems();
  for (const problem of client.problems) problems.add('on the wire', problem);
  // Who came while the engine was away is told so before the place that it begins at.
  const resets = client.resets.filter(({ reason, isFirst }) => !(isFirst && reason === 'unknown'));
  for (const reset of resets) problems.add('reset', JSON.stringify(reset));
  const start = placeOf(client.start);
  if (start.epoch !== log.epoch) problems.add('start', `${client.start} is not of the log's epoch ${log.epoch}`);
  const received = receivedOf(client);
  const lastSeq = received.at(-1)?.seq ?? 0;
  // What was stored after the client had reached its goal need not have come.
  const due = log.entries.filter(({ topic, seq }) => seq > start.seq && seq <= lastSeq && selects(selectors, topic));
  compare(received, due, log, problems);
  return problems.all;
}

/**
 * Holds what a client was given against two logs, the second of which took the place of the first: all of its topics in
 * the first after its start, one reset, and all of the second.
 */
export function verifyReset(client: ClientReport, selectors: readonly string[], first: Log, second: Log): string[] {
  const problems = new Problems();
  for (const problem of client.problems) problems.add('on the wire', problem);
  const received = receivedOf(client);
  const { resets } = client;
  if (resets.length !== 1) problems.add('resets, not one', JSON.stringify(resets));
  const [{ reason, after } = { reason: 'none', after: 0 }] = resets;
  if (!CONTRADICTIONS.includes(reason)) problems.add('strange reason', reason);
  const start = placeOf(client.start);
  const isDue = ({ topic }: Stored): boolean => selects(selectors, topic);
  const dueFirst = first.entries.filter((entry) => entry.seq > start.seq && isDue(entry));
  compare(received.slice(0, after), dueFirst, first, problems);
  compare(received.slice(after), second.entries.filter(isDue), second, problems);
  return problems.all;
}

/** Where what a client was given is not what was due to it. */
export function compare(received: readonly Received[], due: readonly Stored[], log: Log, problems: Problems): void {
  const there = new Set<number>();
  let last = 0;
  for (const event of received) {
    const { seq } = event;
    if (there.has(seq)) problems.add('repeated', `${seq} after ${last}`);
    else if (seq < last) problems.add('misordered', `${seq} after ${last}`);
    there.add(seq);
    last = seq;
    const entry = log.bySeq.get(seq);
    const isSame =
      entry?.at === event.at && entry.publisher === event.publisher && entry.n === event.n && log.epoch === event.epoch;
    if (!isSame) problems.add('not what the log has', `${JSON.stringify(event)}, not ${JSON.stringify(entry)}`);
  }
  const dueSeqs = new Set(due.map(({ seq }) => seq));
  for (const { seq, topic, id } of due) if (!there.has(seq)) problems.add('lost', `${seq} of ${topic} (${id})`);
  for (const seq of there) if (!dueSeqs.has(seq)) problems.add('not due', `${seq} of ${log.bySeq.get(seq)?.topic}`);
}

/** Problems by their kind: how many, and the first ones. */
export class Problems {
  readonly #kinds = new Map<string, string[]>();

  add(kind: string, problem: string): void {
    const known = this.#kinds.get(kind);
    if (known === undefined) this.#kinds.set(kind, [problem]);
    else known.push(problem);
  }

  get all(): string[] {
    return [...this.#kinds].map(
      ([kind, problems]) => `${problems.length} ${kind}: ${problems.slice(0, MAX_TOLD).join('; ')}`,
    );
  }
}
