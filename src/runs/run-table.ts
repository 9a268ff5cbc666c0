import { formatPosition } from '../topic/position.js';
import type { Position } from '../topic/position.js';
import type { RunEnd } from '../topic/run-end.js';
import type { RunFacts, RunRecord } from './run-record.js';

/** What the nodes tell each other of runs. The engine's clock says when; a session is one life of a node as a producer. */
export type RunMessage =
  /** Wants to produce a run. Whether it does is for the order of the log to say. */
  | ({ readonly op: 'start'; readonly leaseMs: number } & RunFacts)
  /** A session lives. */
  | { readonly op: 'beat'; readonly session: string; readonly leaseMs: number }
  /** Nothing was heard of a session: it should say something. */
  | { readonly op: 'doubt'; readonly session: string }
  /** A session counts as gone, if its lease is over by now. `by` ends its runs. */
  | { readonly op: 'reap'; readonly session: string; readonly by: string }
  | { readonly op: 'stop'; readonly run: string; readonly reason: string }
  /** A run has ended: its own topic said so, at `seq`, before. */
  | { readonly op: 'end'; readonly run: string; readonly end: RunEnd; readonly seq: number }
  /** Somebody on a node watches a run, or nobody any more. Holds for so long unless it is said again. */
  | { readonly op: 'watch'; readonly run: string; readonly session: string; readonly forMs: number }
  /** What is running, told again before the log forgets it. */
  | { readonly op: 'keep'; readonly runs: readonly Kept[]; readonly leaseMs: number };

type Kept = RunFacts & Pick<RunRecord, 'place' | 'startedAtMs'>;

/** Who hears of what the messages mean, while they are taken in. Nothing here may throw. */
export interface RunTableListener {
  /** A run has come to be. */
  started(run: RunRecord): void;
  stopWanted(run: RunRecord, reason: string): void;
  /** Who produced it has lost it; `by` is to write its end. */
  lost(run: RunRecord, by: string): void;
  /** It never was the one under its key. */
  displaced(run: RunRecord): void;
  ended(run: RunRecord): void;
  watched(run: RunRecord, session: string, forMs: number): void;
  /** Something was said by a session. */
  heard(session: string, leaseMs: number, atMs: number): void;
  doubted(session: string): void;
  /** A session counts as gone. */
  reaped(session: string): void;
}

/** Of so many sessions that count as gone a node remembers that. */
const MAX_GONE = 10_000;
/** Of so many runs that have ended a node remembers how; of older ones the log tells. */
const MAX_ENDED = 10_000;

/**
 * Which runs there are, as the log has it. Every node takes in the same messages in the same order, and so comes to the same answers: who
 * produces a run, whether he has lost it, and how it has ended.
 */
export class RunTable {
  readonly #listener: RunTableListener;
  readonly #runs = new Map<string, RunRecord>();
  /** The last run under each key. */
  readonly #current = new Map<string, RunRecord>();
  /** What each session produces: neither ended nor lost. */
  readonly #producing = new Map<string, Set<RunRecord>>();
  /** Until when each session's runs are its own, on the engine's clock. */
  readonly #leases = new Map<string, number>();
  readonly #gone = new Set<string>();
  readonly #ended = new Map<string, RunRecord>();
  /** The ids of all that have ended, known or not: what is told of them later was sent before. */
  readonly #over = new Set<string>();
  /** Runs of a log that was lost of which this one has not told yet. */
  readonly #adrift = new Map<string, RunRecord>();
  /** What has become of starts that somebody waits for: the run that is running under the key. */
  readonly #claims = new Map<string, RunRecord | undefined>();

  constructor(listener: RunTableListener) {
    this.#listener = listener;
  }

  /** The last run under a key; `undefined` when nothing is known of one. */
  current(key: string): RunRecord | undefined {
    return this.#current.get(key);
  }

  get(id: string): RunRecord | undefined {
    return this.#runs.get(id);
  }

  /** The last run under each key. */
  list(): Iterable<RunRecord> {
    return this.#current.values();
  }

  /** Those who produce runs. */
  get sessions(): Iterable<string> {
    return this.#producing.keys();
  }

  isProducing(session: string): boolean {
    return this.#producing.has(session);
  }

  /** Says that a start is about to be told whose fate is to be kept. */
  claim(id: string): void {
    this.#claims.set(id, undefined);
  }

  /** What has become of it: the run that is running under its key, which may be itself. `undefined`: it was not told, as far as is known. */
  claimed(id: string): RunRecord | undefined {
    return this.#claims.get(id);
  }

  isClaimed(id: string): boolean {
    return this.#claims.has(id);
  }

  unclaim(id: string): void {
    this.#claims.delete(id);
  }

  /** Takes in a message. */
  take(message: RunMessage, position: Position): void {
    switch (message.op) {
      case 'start':
        return this.#start(message, position);
      case 'beat':
        return this.#gone.has(message.session) ? undefined : this.#renew(message.session, message.leaseMs, position.at);
      case 'keep':
        for (const kept of message.runs) this.#keep(kept, message.leaseMs, position.at);
        return;
      case 'doubt':
        return this.#listener.doubted(message.session);
      case 'reap':
        return this.#reap(message.session, message.by, position.at);
      case 'stop':
        return this.#stop(message.run, message.reason);
      case 'end':
        return this.#end(message.run, { ...message.end, seq: message.seq, atMs: position.at });
      case 'watch': {
        const run = this.#known(message.run);
        if (run !== undefined) this.#listener.watched(run, message.session, message.forMs);
      }
    }
  }

  /** Takes in a run that has ended of which a mark in the log tells. */
  remember(run: RunRecord): RunRecord {
    const known = this.#runs.get(run.id);
    if (known !== undefined) return known;
    this.#runs.set(run.id, run);
    this.#noteEnded(run);
    if (!this.#current.has(run.key)) this.#current.set(run.key, run);
    return run;
  }

  /** Forgets those that ended before a time on the engine's clock and were not to be kept for longer. */
  forgetOld(nowMs: number): void {
    for (const run of this.#ended.values()) {
      const { atMs } = run.end as NonNullable<RunRecord['end']>;
      if (atMs + run.retainMs < nowMs) this.#forget(run);
    }
  }

  /** The log is another one, and only what that tells counts. A run that had no end goes on as soon as it is told again. */
  clear(): void {
    for (const run of this.#runs.values()) if (run.end === undefined) this.#adrift.set(run.id, run);
    for (const each of [this.#runs, this.#current, this.#producing, this.#leases, this.#ended, this.#gone, this.#over])
      each.clear();
  }

  /** Those that the log which is now has not told of. */
  adrift(): Iterable<RunRecord> {
    return this.#adrift.values();
  }

  #start({ op: _, leaseMs, ...facts }: Extract<RunMessage, { op: 'start' }>, position: Position): void {
    const { id, key, session } = facts;
    if (this.#gone.has(session) || this.#runs.has(id)) return;
    const before = this.#current.get(key);
    if (before !== undefined && this.#isRunning(before, position.at)) return this.#settle(id, before);
    this.#renew(session, leaseMs, position.at);
    const run = this.#add({ ...facts, place: formatPosition(position), startedAtMs: position.at });
    this.#settle(id, run);
    if (before !== undefined && before.end === undefined) this.#lose(before, session);
    this.#listener.started(run);
  }

  #keep({ ...facts }: Kept, leaseMs: number, atMs: number): void {
    const { id, key, session } = facts;
    if (this.#gone.has(session) || this.#over.has(id)) return;
    this.#renew(session, leaseMs, atMs);
    if (this.#runs.has(id)) return;
    const before = this.#current.get(key);
    if (before?.end !== undefined && before.startedAtMs >= facts.startedAtMs) return;
    const isAdrift = this.#adrift.has(id);
    this.#listener.started(this.#add(facts));
    if (before === undefined || before.end !== undefined || before.isLost) return;
    // While the log was another one, its place was free.
    if (isAdrift) return this.#lose(before, session);
    // What the log has begins behind the start of the one, so that the other seemed to have its place.
    this.#runs.delete(before.id);
    before.isLost = true;
    this.#noLonger(before);
    this.#listener.displaced(before);
  }

  #add(facts: Kept): RunRecord {
    const adrift = this.#adrift.get(facts.id);
    const run = adrift ?? { ...facts, stopReason: undefined, isLost: false, end: undefined };
    this.#moor(run);
    this.#current.delete(run.key);
    this.#current.set(run.key, run);
    if (!run.isLost) this.#producing.set(run.session, (this.#producing.get(run.session) ?? new Set()).add(run));
    return run;
  }

  #moor(run: RunRecord): void {
    this.#adrift.delete(run.id);
    this.#runs.set(run.id, run);
  }

  #known(id: string): RunRecord | undefined {
    return this.#runs.get(id) ?? this.#adrift.get(id);
  }

  #renew(session: string, leaseMs: number, atMs: number): void {
    this.#leases.set(session, Math.max(atMs + leaseMs, this.#leases.get(session) ?? 0));
    this.#listener.heard(session, leaseMs, atMs);
  }

  #reap(session: string, by: string, atMs: number): void {
    // Of whom the log tells nothing any more nobody can say that.
    if (this.#gone.has(session) || atMs <= (this.#leases.get(session) ?? Infinity)) return;
    this.#leases.delete(session);
    this.#gone.add(session);
    const [oldest] = this.#gone;
    if (this.#gone.size > MAX_GONE) this.#gone.delete(oldest as string);
    for (const run of this.#producing.get(session) ?? []) this.#lose(run, by);
    this.#listener.reaped(session);
  }

  #stop(id: string, reason: string): void {
    const run = this.#known(id);
    if (run === undefined || run.end !== undefined || run.stopReason !== undefined) return;
    run.stopReason = reason;
    this.#listener.stopWanted(run, reason);
  }

  #end(id: string, end: NonNullable<RunRecord['end']>): void {
    this.#noteOver(id);
    const run = this.#known(id);
    if (run === undefined || run.end !== undefined) return;
    this.#moor(run);
    if (!this.#current.has(run.key)) this.#current.set(run.key, run);
    run.end = end;
    this.#noLonger(run);
    this.#noteEnded(run);
    this.#listener.ended(run);
  }

  #noteOver(id: string): void {
    this.#over.add(id);
    const [oldest] = this.#over;
    if (this.#over.size > MAX_ENDED) this.#over.delete(oldest as string);
  }

  #noteEnded(run: RunRecord): void {
    this.#ended.set(run.id, run);
    const [oldest] = this.#ended.values();
    if (this.#ended.size > MAX_ENDED) this.#forget(oldest as RunRecord);
  }

  #forget(run: RunRecord): void {
    this.#ended.delete(run.id);
    this.#runs.delete(run.id);
    if (this.#current.get(run.key) === run) this.#current.delete(run.key);
  }

  #lose(run: RunRecord, by: string): void {
    if (run.isLost) return;
    run.isLost = true;
    this.#noLonger(run);
    this.#listener.lost(run, by);
  }

  #noLonger(run: RunRecord): void {
    const producing = this.#producing.get(run.session);
    producing?.delete(run);
    if (producing?.size === 0) this.#producing.delete(run.session);
  }

  #isRunning(run: RunRecord, atMs: number): boolean {
    return run.end === undefined && !run.isLost && atMs <= (this.#leases.get(run.session) ?? 0);
  }

  #settle(id: string, run: RunRecord): void {
    if (this.#claims.has(id)) this.#claims.set(id, run);
  }
}
