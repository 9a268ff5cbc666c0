import type { LogEntry } from '../../../src/engine/engine.js';
import { Node } from '../../../src/node/node.js';
import { resolveRun, resolveRunsOptions } from '../../../src/runs/options.js';
import type { RunOptions } from '../../../src/runs/options.js';
import type { RunContext } from '../../../src/runs/production.js';
import { endOf } from '../../../src/runs/run-ends.js';
import type { RunRecord } from '../../../src/runs/run-record.js';
import { Run } from '../../../src/runs/run.js';
import { Runs } from '../../../src/runs/runs.js';
import { runTopic } from '../../../src/topic/own-name.js';
import { unpackEvent } from '../../../src/wire/payload.js';
import { FailingEngine } from './failing-engine.js';
import type { Random } from './random.mjs';
import { SharedLog } from './shaky-engine.js';

const OPTIONS = {
  history: { maxEvents: 100, maxBytes: 1e6, maxAgeMs: 60_000 },
  topics: [],
  limits: { connections: Infinity, connectionsPerPrincipal: Infinity, connectionsPerAddress: Infinity },
  drain: { windowMs: 0, deadlineMs: 100 },
  authenticate: undefined,
  authorize: 'public' as const,
  topicsPerConnection: 10,
  patternsPerConnection: 2,
  isHeard: false,
};

/** What somebody has seen of a run. */
export interface Seen {
  readonly run: RunRecord;
  readonly node: WorldNode;
  readonly data: unknown[];
  readonly resets: unknown[];
  /** How it has ended for him: the code of the error, or `complete`. */
  end: string | undefined;
}

/** What a producer knows. */
export interface Produced {
  calls: number;
  /** So many events are stored for certain: it was asked for the next. */
  stored: number;
  signal: AbortSignal | undefined;
  /** Whether it has given all it had. */
  isDone: boolean;
}

/** A node of a world, without HTTP. */
export class WorldNode {
  readonly engine: FailingEngine;
  readonly node: Node;
  readonly runs: Runs;
  readonly errors: unknown[] = [];

  constructor(log: SharedLog, random: Random, leaseMs: number) {
    this.engine = new FailingEngine(log, random);
    const reporter = { report: (error: unknown) => void this.errors.push(error), log: () => undefined };
    this.node = new Node({ ...OPTIONS, engine: this.engine }, reporter);
    // Shorter than users may have it.
    this.runs = new Runs(this.node, { ...resolveRunsOptions(), leaseMs });
    this.runs.listen();
  }

  /** Watches a run as a stream of this node does. */
  watch(run: RunRecord): Seen {
    const seen: Seen = { run, node: this, data: [], resets: [], end: undefined };
    new Run(this.runs, run).asObservable().subscribe({
      next: ({ type, data }) => (type === 'stream.reset' ? seen.resets : seen.data).push(data),
      error: (error: { code: string }) => (seen.end = error.code),
      complete: () => (seen.end = 'complete'),
    });
    return seen;
  }

  async close(): Promise<void> {
    this.runs.close();
    await this.node.drain();
    await this.node.close();
  }
}

/** Nodes on one log in memory, to be held with `await using`. */
export class World implements AsyncDisposable {
  readonly log = new SharedLog();
  readonly nodes: WorldNode[] = [];
  /** What the producer of each run knows. */
  readonly produced = new Map<string, Produced>();
  /** Runs whose end was in a log that is lost. */
  readonly endedBefore = new Set<string>();
  readonly random: Random;
  readonly leaseMs: number;
  readonly #started: RunRecord[] = [];

  constructor(random: Random, nodes: number, leaseMs: number) {
    this.random = random;
    this.leaseMs = leaseMs;
    for (let n = 0; n < nodes; n++) this.add();
  }

  add(): WorldNode {
    const node = new WorldNode(this.log, this.random, this.leaseMs);
    this.nodes.push(node);
    return node;
  }

  /** Starts a run that counts, and tells what its producer knows. */
  async start(
    { runs }: WorldNode,
    key: string,
    count: number,
    options: RunOptions = {},
  ): Promise<{ run: RunRecord; isNew: boolean }> {
    const produced: Produced = { calls: 0, stored: 0, signal: undefined, isDone: false };
    const turns = (): number => this.random.int(0, 8);
    const resolved = resolveRun(resolveRunsOptions(), options);
    const producer = async function* ({ signal }: RunContext) {
      Object.assign(produced, { calls: produced.calls + 1, signal });
      for (let n = 0; n < count && !signal.aborted; n++) {
        for (let left = turns(); left > 0; left--) await new Promise(setImmediate);
        yield n;
        produced.stored = n + 1;
      }
      produced.isDone = true;
    };
    const started = await runs.start(key, producer, resolved);
    if (!started.isNew) return started;
    this.produced.set(started.run.id, produced);
    this.#started.push(started.run);
    return started;
  }

  /** Loses the log. Of what had ended in it, the one that is now says nothing. */
  wipe(): void {
    for (const run of this.#started) if (this.endOf(run) !== undefined) this.endedBefore.add(run.id);
    this.log.wipe();
  }

  /** How the log says that a run has ended: by the first end in its topic. */
  endOf({ key, id }: RunRecord): string | undefined {
    for (const entry of this.log.of([runTopic(key, id)])) {
      const end = endOf(entry);
      if (end !== undefined) return end.state;
    }
    return undefined;
  }

  /** The events of a run that the log has in front of its end, and how many there are in all. */
  dataOf({ key, id }: RunRecord): { readonly beforeEnd: readonly unknown[]; readonly all: number } {
    const entries = this.log.of([runTopic(key, id)]);
    const end = entries.findIndex((entry) => endOf(entry) !== undefined);
    const isEvent = (entry: LogEntry): boolean => endOf(entry) === undefined;
    const beforeEnd = (end < 0 ? entries : entries.slice(0, end)).map(({ data }) => unpackEvent(data));
    return {
      beforeEnd: beforeEnd.map((event) => ('data' in event ? event.data : undefined)),
      all: entries.filter(isEvent).length,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { engine } of this.nodes) engine.thaw();
    await Promise.all(this.nodes.map((node) => node.close()));
  }
}
