import { randomBytes } from 'node:crypto';
import { Access } from '../access/access.js';
import type { AccessOptions } from '../access/access.js';
import type { ConnectionRequest } from '../connection/stream-host.js';
import type { Stream } from '../connection/stream.js';
import { apartEngine } from '../engine/apart.js';
import type { Engine, Retention } from '../engine/engine.js';
import type { EngineState } from '../feed/engine-health.js';
import { Hub } from '../hub/hub.js';
import { Publisher } from '../hub/publisher.js';
import { shareEnds } from '../hub/shared-ends.js';
import { Signals } from '../signals.js';
import type { TopicDefinition } from '../topic/define.js';
import type { HistoryOptions } from '../topic/history.js';
import { TopicRegistry } from '../topic/registry.js';
import type { ConnectionLimits } from './admission.js';
import { checkEngine } from './check-engine.js';
import { Connections } from './connections.js';
import type { DrainTimes } from './drain.js';
import { OwnLog } from './own-log.js';
import { Nodes } from './presence.js';
import type { CloseOptions, ConnectionSelector, NodeMessage, Presence } from './presence.js';
import { messageOf } from './reporter.js';
import type { ErrorContext, Reporter } from './reporter.js';
import type { NodeSignals } from './signals.js';
import { doneWithin } from './within.js';

/** Bytes of recent events that all windows of this process keep together. */
const WINDOW_BYTES = 67_108_864;
/** A client that reconnects within this time finds its topics still warm. */
const GRACE_MS = 10_000;
/** An event that got lost on the way to this process, the last of its topic, is found within this time. */
const AUDIT_MS = 45_000;
/** However little the drain has left of its deadline, the engine has so long for what it is doing when the application closes. */
const MIN_LAST_CALLS_MS = 500;
/** What a node that was cut off for a while should still hear. */
const NODES_RETENTION: Retention = { maxEvents: 10_000, maxBytes: 16_777_216, maxAgeMs: 60_000 };

/** What a node is made of. */
export interface NodeOptions extends AccessOptions {
  readonly engine: Engine;
  readonly history: Required<HistoryOptions> | false;
  readonly topics: readonly TopicDefinition[];
  readonly limits: ConnectionLimits;
  readonly drain: DrainTimes;
  /** Whether the application hears of its streams: in the context of the request then, which is 81 bytes for each, and with an address. */
  readonly isHeard: boolean;
}

/** What keeps the log. */
export interface EngineStatus {
  readonly name: string;
  readonly state: EngineState;
  /** Asks the engine. Rejects when it does not answer. */
  health(): Promise<void>;
}

/** One process: the engine, the hub, and the streams, which it opens, counts and closes. Knows nothing of Nest. */
export class Node {
  /** Names this process among those that share its log. */
  readonly id = randomBytes(6).toString('base64url');
  readonly signals: Signals<NodeSignals>;
  readonly registry: TopicRegistry;
  readonly hub: Hub;
  readonly log: OwnLog;
  readonly publisher: Publisher;
  readonly access: Access;
  readonly connections: Connections;
  /** How the engine does. */
  readonly engine: EngineStatus;
  readonly #engine: Engine;
  readonly #drain: DrainTimes;
  readonly #reporter: Reporter;
  /** The other processes; `undefined` when the log is this one's alone. */
  readonly #others: Nodes | undefined;
  #hasStreams = false;
  /** Until then the drain may take, and after it the engine. */
  #closesAtMs = 0;

  constructor(options: NodeOptions, reporter: Reporter) {
    const { limits, isHeard } = options;
    const engine = (this.#engine = apartEngine(options.engine));
    const report = (error: unknown): void => reporter.report(error);
    this.#drain = options.drain;
    this.#reporter = reporter;
    const signals = (this.signals = new Signals<NodeSignals>((error, kind) => {
      report(new Error(`A listener of the signal ${JSON.stringify(kind)} has failed`, { cause: error }));
    }));
    signals.on('engine', ({ state, error }) => this.#engineChanged(state, error));
    const registry = (this.registry = new TopicRegistry(options.topics));
    const timing = { windowBytes: WINDOW_BYTES, graceMs: GRACE_MS, auditMs: AUDIT_MS };
    const hub = (this.hub = new Hub(engine, { ...timing, begins: registry, signals }));
    shareEnds(hub, engine);
    this.log = new OwnLog(hub, engine);
    this.engine = {
      name: engine.name,
      get state(): EngineState {
        return hub.health.state;
      },
      health: () => engine.health(),
    };
    const onRevoked = (principalId: string): void => this.connections.open.endRevoked(principalId);
    const access = new Access({ hub, engine, registry, log: reporter, report, onRevoked }, options);
    this.access = access;
    this.connections = new Connections(this.id, { hub, access, signals, limits, isHeard });
    this.#others = engine.isShared ? this.#join() : undefined;
    this.publisher = new Publisher(engine, registry, options.history, hub);
  }

  /**
   * A wrong address or password should show at the start, and not with the first event.
   *
   * @throws SseError `invalid-options` as a rejection, when the engine can never work
   */
  async check(): Promise<void> {
    await checkEngine(this.#engine, (error) => this.hub.health.failed('read', error));
  }

  /** Begins to hear of other nodes. Resolves when all that was revoked is known, or after 5 s. While it closes, nobody is let in. */
  async ready(): Promise<void> {
    if (this.connections.isDraining) return;
    void this.#others?.start();
    this.hub.finalEnds.listen();
    return this.access.ready();
  }

  /** A stream for a request that has not been answered yet. */
  prepare(request: ConnectionRequest): Stream {
    if (!this.#hasStreams) void this.ready();
    this.#hasStreams = true;
    return this.connections.prepare(request);
  }

  /**
   * Has every node end streams.
   *
   * @throws SseError as a rejection, when the other nodes could not be told
   */
  async closeStreams(selector: ConnectionSelector, options: CloseOptions): Promise<void> {
    this.connections.open.close(selector, options);
    await this.#others?.close(selector, options);
  }

  /**
   * Asks every node who reads a topic.
   *
   * @throws SseError as a rejection, when the other nodes could not be asked
   */
  async presence(topic: string, wantsMembers: boolean, timeoutMs: number): Promise<Presence> {
    if (this.#others !== undefined) return this.#others.presence(topic, wantsMembers, timeoutMs);
    const local = { count: this.connections.open.count(topic), answered: 1, expected: 1 };
    return wantsMembers ? { ...local, members: this.connections.open.members(topic) } : local;
  }

  /** Tells the application of an error that no caller can be given. */
  report(error: unknown, context?: ErrorContext): void {
    this.#reporter.report(error, context);
  }

  /** Opens no more streams, and ends all. Resolves when none is open. */
  async drain(): Promise<void> {
    const { windowMs, deadlineMs } = this.#drain;
    this.#closesAtMs = performance.now() + windowMs + deadlineMs;
    await this.connections.drain(this.#drain);
  }

  /** To be called after {@link drain}, once there are no requests any more. */
  async close(): Promise<void> {
    this.connections.cut();
    this.access.close();
    const leftMs = Math.max(this.#closesAtMs - performance.now(), MIN_LAST_CALLS_MS);
    const closesAtMs = performance.now() + leftMs;
    // With the engine away both wait for it, and neither may keep the other from its turn.
    await doneWithin(leftMs / 2, async () => this.#others?.stop());
    await this.hub.close();
    if (await doneWithin(closesAtMs - performance.now(), async () => this.#engine.close())) return;
    const given = `${Math.round(leftMs)} ms (what drain.deadlineMs has left, ${MIN_LAST_CALLS_MS} at least)`;
    this.#reporter.log('warn', `The ${this.#engine.name} engine has not closed within ${given}, and is not waited for`);
  }

  #join(): Nodes {
    const nodes: Nodes = new Nodes(
      this.connections.open,
      this.log.channel<NodeMessage>({
        name: '/nodes',
        retention: NODES_RETENTION,
        onMessage: (message, { at }, isRetained) => nodes.take(message, at, isRetained),
      }),
      (error) => this.#reporter.report(error),
    );
    return nodes;
  }

  #engineChanged(state: EngineState, error: unknown): void {
    const { name } = this.#engine;
    if (state === 'up') this.#reporter.log('log', `The ${name} engine is up again`);
    else this.#reporter.report(new Error(`The ${name} engine is ${state}: ${messageOf(error)}`, { cause: error }));
  }
}
