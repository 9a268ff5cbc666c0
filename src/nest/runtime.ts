import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { BeforeApplicationShutdown, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { Authorizer } from '../access/authorizer.js';
import { Refusals, spread } from '../access/refusals.js';
import { RevocationLog } from '../access/revocation-log.js';
import { TicketLog } from '../access/ticket-log.js';
import { Tickets } from '../access/tickets.js';
import { type ConnectionHost, type ConnectionRequest, retryMsOf } from '../connection/connection-host.js';
import { Connection } from '../connection/connection.js';
import type { Source } from '../connection/source.js';
import type { SseConnection } from '../connection/sse-connection.js';
import type { TopicLimits, TopicReader } from '../connection/topic-set.js';
import { Wheel } from '../connection/wheel.js';
import { apartEngine } from '../engine/apart.js';
import type { Engine, Retention } from '../engine/engine.js';
import type { EngineState } from '../feed/engine-health.js';
import { closeSocketBehind } from '../http/raw-response.js';
import type { StartedResponse } from '../http/raw-response.js';
import { ResponseWriter } from '../http/response-writer.js';
import { Hub } from '../hub/hub.js';
import { OwnTopic } from '../hub/own-topic.js';
import { Publisher } from '../hub/publisher.js';
import { shareEnds } from '../hub/shared-ends.js';
import { Admission } from '../node/admission.js';
import { checkEngine } from '../node/check-engine.js';
import { drain } from '../node/drain.js';
import { Farewells } from '../node/farewells.js';
import { Nodes } from '../node/presence.js';
import type { CloseOptions, ConnectionSelector, LocalNode, Member, NodeMessage } from '../node/presence.js';
import { doneWithin } from '../node/within.js';
import type { OnSlow } from '../topic/define.js';
import { concerns } from '../topic/pattern.js';
import { TopicRegistry } from '../topic/registry.js';
import type { CloseReason, RefusalReason, ResetReason } from '../wire/words.js';
import { AppServer } from './app-server.js';
import { Callbacks, messageOf } from './callbacks.js';
import type { ResolvedOptions } from './resolve-options.js';
import type { ErrorContext } from './sse-options.js';
import { RESOLVED_OPTIONS } from './tokens.js';

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

/** What one module instance runs: the engine, the hub and every open connection. */
@Injectable()
export class SseRuntime
  implements ConnectionHost, LocalNode, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  readonly options: ResolvedOptions;
  readonly registry: TopicRegistry;
  readonly hub: Hub;
  readonly publisher: Publisher;
  readonly topicLimits: TopicLimits;
  readonly wheel = new Wheel();
  readonly #farewells = new Farewells(this.wheel);
  readonly open = new Set<Connection>();
  /** Those whose handler has not returned yet. */
  readonly #pending = new Set<Connection>();
  readonly admission: Admission;
  readonly tickets: Tickets;
  readonly #ticketLog: TicketLog | undefined;
  /** How many streams were not opened, by reason. */
  readonly refused: Partial<Record<RefusalReason, number>> = {};
  readonly revocations: RevocationLog;
  /** The other processes; `undefined` when the log is this one's alone. */
  readonly nodes: Nodes | undefined;
  readonly refusals: Refusals;
  readonly #authorizer: Authorizer;
  readonly #engine: Engine;
  readonly callbacks: Callbacks;
  readonly hasHooks: boolean;
  /** Names this process among those that share its log. */
  readonly id = randomBytes(6).toString('base64url');
  #connectionCount = 0;
  #isDraining = false;
  /** Until then the drain may take, and after it the engine. */
  #closesAtMs = 0;
  /** Requests of which a guard is finding out who asks. */
  readonly deciding = new Set<{ destroy(): void }>();
  readonly #server: AppServer;

  constructor(@Inject(RESOLVED_OPTIONS) options: ResolvedOptions, @Inject(AppServer) server: AppServer) {
    this.options = options;
    this.topicLimits = options;
    const engine = (this.#engine = apartEngine(options.engine));
    this.#server = server;
    this.callbacks = new Callbacks(options);
    this.hasHooks = this.callbacks.hasHooks;
    this.refusals = new Refusals(this.callbacks);
    this.registry = new TopicRegistry(options.topics);
    this.admission = new Admission(options.limits);
    this.hub = new Hub(engine, {
      windowBytes: WINDOW_BYTES,
      graceMs: GRACE_MS,
      auditMs: AUDIT_MS,
      begins: this.registry,
      onEngineState: (state, error) => this.#engineChanged(state, error),
    });
    shareEnds(this.hub, engine);
    this.revocations = new RevocationLog(this.hub, engine, (principalId) => this.#endRevoked(principalId));
    this.nodes = engine.isShared ? this.#join() : undefined;
    this.#ticketLog = engine.isShared ? new TicketLog(this.hub, engine, (error) => this.report(error)) : undefined;
    this.tickets = new Tickets(this.#ticketLog);
    this.#ticketLog?.connect(this.tickets);
    this.#authorizer = new Authorizer(this.registry, this.revocations.current, options.authorize, this.refusals);
    this.publisher = new Publisher(engine, this.registry, options.history, this.hub);
  }

  /** A connection for a request that has not been answered yet. */
  prepare(request: ConnectionRequest): Connection {
    if (this.#connectionCount === 0) void this.ready();
    const connection = new Connection(this, `${this.id}.${(++this.#connectionCount).toString(36)}`, request);
    this.#pending.add(connection);
    return connection;
  }

  /**
   * Counts a connection in, or answers why it is not to be opened now.
   *
   * @throws SseError `forbidden` when its principal has been revoked
   */
  admit(connection: Connection, isExpired: boolean): RefusalReason | undefined {
    this.#authorizer.checkRevoked(connection.principal, []);
    if (this.#isDraining) return 'shutdown';
    return isExpired ? 'expired' : this.admission.enter(connection);
  }

  /** Answers a connection that is not to be opened now with when to come back. */
  refuse(connection: Connection, response: StartedResponse, reason: RefusalReason): void {
    this.refused[reason] = (this.refused[reason] ?? 0) + 1;
    this.refusals.later(connection, reason);
    const writer = new ResponseWriter(response, connection);
    if (reason === 'shutdown') closeSocketBehind(response.raw);
    writer.end(connection.dialect.refusal(reason, spread(retryMsOf(connection.settings))));
    this.#farewells.add(response.raw);
    this.callbacks.hook('onRefused', connection, reason);
  }

  /**
   * Has every node end streams.
   *
   * @throws SseError as a rejection, when the other nodes could not be told
   */
  async closeStreams(selector: ConnectionSelector, options: CloseOptions): Promise<void> {
    this.close(selector, options);
    await this.nodes?.close(selector, options);
  }

  /** How many streams read a topic here. */
  count(topic: string): number {
    let count = 0;
    for (const connection of this.open) if (concerns(topic, connection.topics)) count++;
    return count;
  }

  /** Who reads a topic here. */
  members(topic: string): Member[] {
    const counts = new Map<string, number>();
    for (const { principal, topics } of this.open) {
      if (principal !== null && concerns(topic, topics)) counts.set(principal.id, (counts.get(principal.id) ?? 0) + 1);
    }
    return [...counts].map(([id, connections]) => ({ id, connections }));
  }

  /** Ends streams here. */
  close({ id, principalId, topic }: ConnectionSelector, { reconnect = false }: CloseOptions): void {
    for (const connection of [...this.open]) {
      const isMeant =
        (id === undefined || connection.id === id) &&
        (principalId === undefined || connection.principal?.id === principalId) &&
        concerns(topic, connection.topics);
      if (isMeant) connection.close({ reconnect });
    }
  }

  /** Begins to stream. While the application shuts down, the client is told to come back instead. */
  start(connection: Connection, response: StartedResponse, source: Source): void {
    // Of one that is over it cannot be asked for any more. It asks the framework, which may ask the application.
    if (this.hasHooks) void connection.address;
    this.#pending.delete(connection);
    this.open.add(connection);
    // It may have come to be since it was admitted.
    if (this.revocations.current.denies(connection.principal, connection.topics, Date.now())) connection.end('revoked');
    connection.open(response, source);
    if (this.#isDraining) closeSocketBehind(connection.writer.raw);
    this.callbacks.hook('onOpened', connection);
  }

  /** Begins to hear of other nodes. Resolves when all that was revoked is known, or after 5 s. While the application closes, nobody is let in. */
  async ready(): Promise<void> {
    if (this.#isDraining) return;
    void this.nodes?.start();
    this.hub.finalEnds.listen();
    return this.revocations.ready();
  }

  async authorize(reader: TopicReader, selector: string): Promise<void> {
    await this.#authorizer.checkTopic(reader, selector);
  }

  checkRevoked({ principal }: TopicReader, selectors: readonly string[]): void {
    this.#authorizer.checkRevoked(principal, selectors);
  }

  onSlowOf(selector: string): OnSlow {
    return this.registry.find(selector)?.definition.onSlow ?? 'resume';
  }

  onClosed(connection: Connection, reason: CloseReason): void {
    this.admission.leave(connection);
    this.#pending.delete(connection);
    if (this.open.delete(connection)) this.callbacks.hook('onClosed', connection, reason);
  }

  onReset(connection: SseConnection, reason: ResetReason, topics: readonly string[]): void {
    this.callbacks.hook('onReset', connection, reason, topics);
  }

  onSlow(connection: SseConnection): void {
    this.callbacks.hook('onSlow', connection);
  }

  /** Logs an error that no caller can be given, and tells the `onError` option. Never throws. */
  report(error: unknown, context?: ErrorContext): void {
    this.callbacks.report(error, context);
  }

  #join(): Nodes {
    const nodes: Nodes = new Nodes(
      this,
      new OwnTopic<NodeMessage>(this.hub, this.#engine, {
        name: '/nodes',
        retention: NODES_RETENTION,
        onMessage: (message, atMs, isRetained) => nodes.take(message, atMs, isRetained),
      }),
      (error) => this.report(error),
    );
    return nodes;
  }

  #endRevoked(principalId: string): void {
    const now = Date.now();
    for (const connection of [...this.open]) {
      if (connection.principal?.id !== principalId) continue;
      if (this.revocations.current.denies(connection.principal, connection.topics, now)) connection.end('revoked');
    }
  }

  #engineChanged(state: EngineState, error: unknown): void {
    if (state === 'up') this.callbacks.log('log', `The ${this.#engine.name} engine is up again`);
    else this.report(new Error(`The ${this.#engine.name} engine is ${state}: ${messageOf(error)}`, { cause: error }));
    this.callbacks.hook('onEngineState', state, error);
  }

  /** A wrong address or password should show at the start, and not with the first event. */
  async onApplicationBootstrap(): Promise<void> {
    this.#server.watch();
    await checkEngine(this.#engine, (error) => this.hub.health.failed('read', error));
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#isDraining = true;
    const { windowMs, deadlineMs } = this.options.drain;
    this.#closesAtMs = performance.now() + windowMs + deadlineMs;
    await drain({ open: this.open, pending: this.#pending, deciding: this.deciding }, this.options.drain);
    this.#server.close(deadlineMs, () => spread(retryMsOf(this.options.settings)));
  }

  async onApplicationShutdown(): Promise<void> {
    for (const connection of [...this.open]) connection.cut();
    this.wheel.close();
    this.revocations.close();
    this.#ticketLog?.close();
    const leftMs = Math.max(this.#closesAtMs - performance.now(), MIN_LAST_CALLS_MS);
    const closesAtMs = performance.now() + leftMs;
    // With the engine away both wait for it, and neither may keep the other from its turn.
    await doneWithin(leftMs / 2, async () => this.nodes?.stop());
    await this.hub.close();
    if (await doneWithin(closesAtMs - performance.now(), async () => this.#engine.close())) return;
    const given = `${Math.round(leftMs)} ms (what drain.deadlineMs has left, ${MIN_LAST_CALLS_MS} at least)`;
    this.callbacks.log('warn', `The ${this.#engine.name} engine has not closed within ${given}, and is not waited for`);
  }
}
