import { ConflictException, Inject, Injectable } from '@nestjs/common';
import type { BeforeApplicationShutdown, OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import { SseError, describe } from '../errors.js';
import type { ResolvedOptions } from '../nest/resolve-options.js';
import { RESOLVED_OPTIONS } from '../nest/tokens.js';
import { Node } from '../node/node.js';
import { checkPattern } from '../topic/pattern.js';
import { checkKey, checkReason, resolveRun } from './options.js';
import type { ResolvedRunsOptions, RunOptions } from './options.js';
import type { RunProducer } from './production.js';
import type { RunRecord } from './run-record.js';
import { Run } from './run.js';
import type { StopOptions } from './run.js';
import { Runs } from './runs.js';
import { RUNS_OPTIONS } from './tokens.js';

export interface WatchOptions {
  /**
   * Whether a run is wanted, too, that has ended and is still kept.
   *
   * @default true
   */
  readonly ended?: boolean | undefined;
}

/** Starts work whose output outlives the request that has asked for it, and finds it again, from any node. */
@Injectable()
export class RunService implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown {
  readonly #runs: Runs;
  readonly #options: ResolvedRunsOptions;
  readonly #deadlineMs: number;
  #shutDown: Promise<void> | undefined;

  /** @internal */
  constructor(
    @Inject(Node) node: Node,
    @Inject(RESOLVED_OPTIONS) { drain }: ResolvedOptions,
    @Inject(RUNS_OPTIONS) options: ResolvedRunsOptions,
  ) {
    this.#options = options;
    this.#deadlineMs = drain.deadlineMs;
    this.#runs = new Runs(node, options);
  }

  /**
   * Starts a run under a key, unless one is running there on any node: then `onConflict` says what happens. Resolves as soon as the log has
   * it, without waiting for an event; the producer is called once, on this node, and goes on whoever leaves.
   *
   * @param key a topic name of at most 900 bytes. `authorize` is asked for it when somebody watches
   * @throws SseError `invalid-topic`, `invalid-options`, `engine-failed`, `engine-uncertain` or `closed`, as a rejection; a
   * `ConflictException` (409), whose `cause` is an SseError `run-conflict`, with `onConflict: 'reject'`
   */
  async start<T = unknown>(key: string, producer: RunProducer, options: RunOptions = {}): Promise<Run<T>> {
    checkKey(key);
    if (typeof producer !== 'function')
      throw new SseError('invalid-options', `start(): the producer must be a function; got ${describe(producer)}`);
    const resolved = resolveRun(this.#options, options);
    for (;;) {
      const { run, isNew } = await this.#runs.start(key, producer, resolved);
      if (isNew || resolved.onConflict === 'join') return new Run<T>(this.#runs, run);
      if (resolved.onConflict === 'reject') throw conflict(run);
      await this.#runs.stop(run, 'replaced');
      await this.#runs.awaited.of(run);
    }
  }

  /**
   * The run under a key that is running, or the last one that is still kept; `undefined` when there is none. To be returned from a route.
   *
   * @throws SseError `invalid-topic`, `engine-failed` or `closed`, as a rejection
   */
  async watch<T = unknown>(key: string, { ended = true }: WatchOptions = {}): Promise<Run<T> | undefined> {
    const run = await this.get<T>(key);
    return ended || run?.state === 'running' ? run : undefined;
  }

  /** The same of those that have ended, too. */
  async get<T = unknown>(key: string): Promise<Run<T> | undefined> {
    checkKey(key);
    const run = await this.#runs.find(key);
    return run && new Run<T>(this.#runs, run);
  }

  /**
   * The last run under each key that a pattern matches, as far as the nodes remember: those that are running, and those that ended last.
   *
   * @throws SseError `invalid-topic`, `engine-failed` or `closed`, as a rejection
   */
  async list(pattern = '**'): Promise<Run[]> {
    checkPattern(pattern);
    const runs = await this.#runs.list(pattern);
    return runs.map((run) => new Run(this.#runs, run));
  }

  /**
   * Stops the run under a key, wherever it is produced: its producer's signal is aborted, and it ends as `stopped`. Resolves to whether
   * there was one to stop. Asks nobody whether he may: that is for the caller to do.
   *
   * @throws SseError `invalid-topic`, `invalid-options`, `engine-failed`, `engine-uncertain` or `closed`, as a rejection
   */
  async stop(key: string, { ifRunId, reason }: StopOptions = {}): Promise<boolean> {
    const checked = checkReason(reason);
    const run = await this.get(key);
    if (run === undefined || (ifRunId !== undefined && run.id !== ifRunId)) return false;
    return run.stop({ reason: checked });
  }

  /** @internal */
  onApplicationBootstrap(): void {
    this.#runs.listen();
  }

  /** @internal The producers are told at once: streams are drained meanwhile. */
  onModuleDestroy(): void {
    this.#shutDown = this.#runs.shutDown(this.#deadlineMs);
  }

  /** @internal */
  async beforeApplicationShutdown(): Promise<void> {
    await this.#shutDown;
    this.#runs.close();
  }
}

function conflict({ key, id }: RunRecord): ConflictException {
  const message = `A run under ${describe(key)} is running already`;
  const cause = new SseError('run-conflict', `${message}: ${id}`);
  return new ConflictException(message, { cause });
}
