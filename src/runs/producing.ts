import { apart } from '../engine/apart.js';
import type { RunEnd } from '../topic/run-end.js';
import type { Node } from '../node/node.js';
import { Attendance } from './attendance.js';
import type { Leases } from './leases.js';
import type { ResolvedRun } from './options.js';
import { Production } from './production.js';
import type { ProductionOwner, RunProducer } from './production.js';
import type { RunEnds } from './run-ends.js';
import type { RunRecord } from './run-record.js';
import { RunWriter } from './run-writer.js';
import type { Watchers } from './watchers.js';

/** Since a run without a limit may take as long as it wants, its first event is kept for so long, in ms: 30 days. */
const LONGEST_MS = 2_592_000_000;

/** What producing needs of its process. */
export interface ProducingHost {
  readonly node: Pick<Node, 'log' | 'report'>;
  readonly watchers: Pick<Watchers, 'count'>;
  readonly ends: RunEnds;
  readonly leases: Leases;
  readonly session: string;
  /** Nothing of a run is produced any more. */
  over(run: RunRecord): void;
}

/** A run of this process, from its start to the moment in which its end is stored. */
export class Producing implements ProductionOwner {
  readonly run: RunRecord;
  /** Resolves when its end is stored, or somebody else's is. */
  readonly over: Promise<void>;
  readonly #host: ProducingHost;
  readonly #production: Production;
  readonly #attendance: Attendance | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  #isOver!: () => void;

  constructor(host: ProducingHost, run: RunRecord, { maxDurationMs, retainMs }: ResolvedRun) {
    this.#host = host;
    this.run = run;
    this.over = new Promise((resolve) => (this.#isOver = resolve));
    const keepMs = (maxDurationMs === false ? LONGEST_MS : maxDurationMs) + retainMs;
    this.#production = new Production(new RunWriter(host.node.log, run, keepMs, () => host.leases.say()), this);
    if (run.unwatchedMs !== undefined) {
      const isWatched = (): boolean => host.watchers.count(run.id) > 0;
      this.#attendance = new Attendance(run.unwatchedMs, isWatched, () => this.stop('unwatched'));
    }
    if (maxDurationMs !== false) {
      const expire = (): void => this.#production.abort({ state: 'expired' });
      this.#timer = apart(() => setTimeout(expire, maxDurationMs).unref());
    }
  }

  /** Calls the producer, unless the run has come to its end already. */
  start(producer: RunProducer): void {
    const { id: runId, key, isLost, stopReason } = this.run;
    if (isLost) this.interrupt('lease');
    if (stopReason !== undefined) this.stop(stopReason);
    this.look();
    void this.#production.start(producer, { key, runId });
  }

  stop(reason: string): void {
    this.#production.abort({ state: 'stopped', reason });
  }

  interrupt(reason: string): void {
    this.#production.abort({ state: 'interrupted', reason });
  }

  /** The application is shutting down. */
  tellToEnd(): void {
    this.#production.tellToEnd({ state: 'interrupted', reason: 'shutdown' });
  }

  /** Somebody watches on another node. */
  watched(session: string, forMs: number): void {
    if (session !== this.#host.session) this.#attendance?.heard(session, forMs);
  }

  /** Somebody has begun to watch here, or left. */
  look(): void {
    this.#attendance?.look();
  }

  failed(error: unknown): void {
    this.#host.node.report(error, { topic: this.run.key });
  }

  ended(end: RunEnd): void {
    this.#attendance?.close();
    clearTimeout(this.#timer);
    void this.#write(end);
  }

  async #write(end: RunEnd): Promise<void> {
    const { run } = this;
    // Whoever has noticed that it was lost writes its end.
    if (!run.isLost && run.end === undefined)
      await this.#host.ends.write(run, end, () => this.#host.leases.isSafe && !run.isLost);
    this.#host.over(run);
    this.#isOver();
  }
}
