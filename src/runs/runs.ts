import { randomBytes } from 'node:crypto';
import { SseError, describe } from '../errors.js';
import type { OwnTopic } from '../hub/own-topic.js';
import type { Node } from '../node/node.js';
import { doneWithin } from '../node/within.js';
import { concerns } from '../topic/pattern.js';
import type { Position } from '../topic/position.js';
import { AwaitedEnds } from './awaited-ends.js';
import { Leases } from './leases.js';
import type { LeasesOwner } from './leases.js';
import type { ResolvedRun, ResolvedRunsOptions } from './options.js';
import { Producing } from './producing.js';
import type { RunProducer } from './production.js';
import { RunEnds } from './run-ends.js';
import { factsOf } from './run-record.js';
import type { RunRecord } from './run-record.js';
import { RunTable } from './run-table.js';
import type { RunMessage, RunTableListener } from './run-table.js';
import { Timers } from './timers.js';
import { Watchers } from './watchers.js';

/** How much the nodes keep of what they tell each other of runs. Of what is running they tell again. */
const RETENTION = { maxEvents: 100_000, maxBytes: 67_108_864, maxAgeMs: 86_400_000 };
/** After so many messages, or so many ms, what is running is told again. The least that is retained of a topic is 1,000 (NATS). */
const KEEP_AFTER = 300;
const KEEP_MS = 600_000;
const KEPT_AT_ONCE = 200;
/** The end of a run that was lost is written by whoever has noticed; by anybody, when it is not there after so many ms. */
const ORPHAN_MS = 2_000;
const TIDY_MS = 30_000;
/** So long the engine has to store the ends of runs when the application closes. */
const LAST_ENDS_MS = 2_000;

/** The runs of a process, and what it knows of those of others. */
export class Runs {
  readonly node: Node;
  readonly watchers: Watchers;
  readonly ends: RunEnds;
  readonly leases: Leases;
  readonly awaited = new AwaitedEnds();
  readonly #options: ResolvedRunsOptions;
  readonly #table: RunTable;
  readonly #channel: OwnTopic<RunMessage>;
  readonly #own = new Map<string, Producing>();
  readonly #timers = new Timers();
  #sessions = 0;
  #session: string;
  #sinceKept = 0;
  /** How old the message is that is being taken in, if it was there before this process. */
  #ageMs = 0;
  #isClosing = false;

  constructor(node: Node, options: ResolvedRunsOptions) {
    this.node = node;
    this.#options = options;
    this.#session = this.#newSession();
    this.#table = new RunTable(this.#listener());
    this.leases = new Leases(this.#leasesOwner(), options.leaseMs);
    this.ends = new RunEnds(node.log, (message) => this.send(message));
    this.watchers = new Watchers({ watched: (run, forMs) => this.#toldWatched(run, forMs) });
    this.#channel = node.log.channel<RunMessage>({
      name: '/runs',
      retention: RETENTION,
      onMessage: (message, position, isRetained) => this.#take(message, position, isRetained),
      onLost: () => this.#restarted(),
    });
  }

  /** Begins to hear of the other nodes. */
  listen(): void {
    void this.#channel.load();
    this.#timers.every(TIDY_MS, () => this.#table.forgetOld(Date.now()));
    this.#timers.every(KEEP_MS, () => void this.#keep());
  }

  /**
   * Starts a run, unless one is running. Resolves with the one that is, and whether that is this one.
   *
   * @throws SseError `closed`, `engine-failed` or `engine-uncertain`, as a rejection
   */
  async start(key: string, producer: RunProducer, options: ResolvedRun): Promise<{ run: RunRecord; isNew: boolean }> {
    if (this.#isClosing) throw new SseError('closed', 'The application is shutting down: no run can be started');
    await this.#channel.ready();
    const before = this.#table.current(key);
    if (before !== undefined && before.end === undefined && !before.isLost) await this.leases.settle(before.session);
    const id = randomBytes(12).toString('base64url');
    const run = await this.#claim(id, key, options);
    if (run.id !== id) return { run, isNew: false };
    const own = new Producing(this, run, options);
    this.#own.set(id, own);
    this.leases.attend();
    if (this.#isClosing) own.interrupt('shutdown');
    own.start(producer);
    return { run, isNew: true };
  }

  /** The last run under a key that is not forgotten. Rejects with the engine's error. */
  async find(key: string): Promise<RunRecord | undefined> {
    await this.#refresh();
    const run = this.#table.current(key);
    if (run !== undefined) return run;
    const last = await this.ends.last(key);
    return last && this.#table.remember(last);
  }

  /** The last run under each key that a pattern matches. Rejects with the engine's error. */
  async list(pattern: string): Promise<RunRecord[]> {
    await this.#refresh();
    return [...this.#table.list()].filter(({ key }) => concerns(key, [pattern]));
  }

  /** Has a run stopped, wherever it is produced. Rejects with the engine's error. */
  async stop(run: RunRecord, reason: string): Promise<void> {
    await this.send({ op: 'stop', run: run.id, reason });
    // Its own are stopped when this resolves.
    await this.#channel.refresh();
  }

  /**
   * Ends the runs of this process: their producers are told, and those that take longer are cut off. Resolves when all ends are stored, or
   * the engine has had its time for that: the other nodes then write them.
   */
  async shutDown(deadlineMs: number): Promise<void> {
    this.#isClosing = true;
    const all = [...this.#own.values()];
    for (const own of all) own.tellToEnd();
    const timer = setTimeout(() => all.forEach((own) => own.interrupt('shutdown')), deadlineMs);
    await doneWithin(deadlineMs + LAST_ENDS_MS, () => Promise.all(all.map(({ over }) => over)));
    clearTimeout(timer);
  }

  /** This node as a producer, until it has been counted as gone. */
  get session(): string {
    return this.#session;
  }

  close(): void {
    this.#isClosing = true;
    this.#timers.clear();
    this.watchers.close();
    this.leases.close();
    this.#channel.close();
    this.awaited.close();
  }

  /** Rejects with the engine's error. */
  send(message: RunMessage): Promise<Position> {
    return this.#channel.send(message);
  }

  /** Nothing of a run is produced here any more. */
  over(run: RunRecord): void {
    this.#own.delete(run.id);
  }

  /** The run that is running under a key once this start has been told. */
  async #claim(id: string, key: string, options: ResolvedRun): Promise<RunRecord> {
    const { retainMs, maxBytes, unwatchedMs } = options;
    const facts = { id, key, retainMs, maxBytes, unwatchedMs, leaseMs: this.#options.leaseMs };
    this.#table.claim(id);
    try {
      for (;;) {
        const { session } = this;
        const sentAtMs = performance.now();
        await this.send({ op: 'start', session, ...facts }).catch((error: unknown) => this.#becameOf(id, error));
        await this.#channel.refresh().catch((error: unknown) => this.#becameOf(id, error));
        const run = this.#table.claimed(id);
        if (run?.id === id) this.leases.renewed(sentAtMs);
        if (run !== undefined) return run;
        // Its session counts as gone: this process stood still.
        if (session === this.session)
          throw new SseError('engine-failed', `The log has lost the start of ${describe(key)}`);
      }
    } finally {
      this.#table.unclaim(id);
    }
  }

  /** After an error: whether it was stored nevertheless, as far as can be found out now. */
  async #becameOf(id: string, error: unknown): Promise<void> {
    if (SseError.is(error) && error.code === 'engine-uncertain') {
      // What was sent before is stored once this is, or never.
      await this.leases.say().catch(ignore);
      await this.#channel.refresh().catch(ignore);
    }
    if (this.#table.claimed(id) === undefined) throw error;
  }

  async #refresh(): Promise<void> {
    await this.#channel.ready();
    await this.#channel.refresh();
  }

  #take(message: RunMessage, position: Position, isRetained: boolean): void {
    this.#ageMs = isRetained ? Date.now() - position.at : 0;
    this.#table.take(message, position);
    if (++this.#sinceKept >= KEEP_AFTER) void this.#keep();
  }

  #listener(): RunTableListener {
    return {
      started: (run) => this.#started(run),
      stopWanted: (run, reason) => this.#own.get(run.id)?.stop(reason),
      lost: (run, by) => this.#lost(run, by),
      displaced: (run) => this.#own.has(run.id) && this.#lost(run, this.session),
      ended: (run) => this.#ended(run),
      watched: (run, session, forMs) => this.#own.get(run.id)?.watched(session, forMs),
      heard: (session, leaseMs) => this.leases.heard(session, leaseMs, this.#ageMs),
      doubted: (session) => this.leases.doubted(session),
      reaped: (session) => this.#reaped(session),
    };
  }

  #leasesOwner(): LeasesOwner {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- for the getters
    const runs = this;
    return {
      get session() {
        return runs.session;
      },
      get sessions() {
        return runs.#table.sessions;
      },
      isProducing: (session) => this.#table.isProducing(session),
      send: (message) => this.send(message),
      refresh: () => this.#channel.refresh(),
    };
  }

  #started(run: RunRecord): void {
    this.leases.attend();
    const isOrphan = run.session === this.session && !this.#own.has(run.id) && !this.#table.isClaimed(run.id);
    // It was stored after all, when whoever wanted to start it had given up.
    if (isOrphan) void this.#interrupt(run);
  }

  #lost(run: RunRecord, by: string): void {
    this.#own.get(run.id)?.interrupt('lease');
    if (by === this.session) return void this.#interrupt(run);
    const write = (): unknown => run.end === undefined && this.#interrupt(run);
    this.#timers.in(ORPHAN_MS * (1 + Math.random()), write);
  }

  #ended(run: RunRecord): void {
    this.#own.get(run.id)?.interrupt('ended elsewhere');
    this.watchers.forget(run.id);
    if (!this.#table.isProducing(run.session)) this.leases.forget(run.session);
    this.awaited.ended(run.id);
  }

  #reaped(session: string): void {
    this.leases.forget(session);
    if (session === this.session) this.#session = this.#newSession();
  }

  /** The log is another one: what is produced here goes on, and is told again. What nobody tells of has lost who produced it. */
  #restarted(): void {
    this.#table.clear();
    void this.node.log.persist(() => this.#keepAll());
    const endAdrift = (): void => [...this.#table.adrift()].forEach((run) => void this.#interrupt(run));
    this.#timers.in(this.#options.leaseMs + ORPHAN_MS * (1 + Math.random()), endAdrift);
  }

  /** Ends a run that is produced by nobody any more. */
  async #interrupt(run: RunRecord): Promise<void> {
    await this.ends.write(run, { state: 'interrupted' }, () => false);
  }

  #toldWatched(run: RunRecord, forMs: number): void {
    const own = this.#own.get(run.id);
    if (own !== undefined) return own.look();
    // It is said again, and that nobody watches any more shows by that it is not.
    this.send({ op: 'watch', run: run.id, session: this.session, forMs }).catch(ignore);
  }

  #keep(): Promise<void> {
    return this.#keepAll().catch(ignore);
  }

  /** Rejects with the engine's error. */
  async #keepAll(): Promise<void> {
    this.#sinceKept = 0;
    const kept = [...this.#own.values()].map(({ run }) => factsOf(run));
    for (let from = 0; from < kept.length; from += KEPT_AT_ONCE) {
      const runs = kept.slice(from, from + KEPT_AT_ONCE);
      await this.send({ op: 'keep', runs, leaseMs: this.#options.leaseMs });
    }
  }

  #newSession(): string {
    return `${this.node.id}.${++this.#sessions}`;
  }
}

function ignore(): void {
  // The engine is away: what matters is said again.
}
