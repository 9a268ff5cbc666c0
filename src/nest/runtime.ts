import { randomBytes } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { BeforeApplicationShutdown, OnApplicationShutdown } from '@nestjs/common';
import { Admission } from '../connection/admission.js';
import { Connection } from '../connection/connection.js';
import { retryMsOf } from '../connection/connection-host.js';
import type { ConnectionHost, ConnectionRequest } from '../connection/connection-host.js';
import { encodeRefusal } from '../connection/end-reason.js';
import type { CloseReason, RefusalReason } from '../connection/end-reason.js';
import { ResponseWriter } from '../connection/response-writer.js';
import type { RawResponse } from '../connection/response-writer.js';
import { Revocations, concerns } from '../connection/revocations.js';
import type { Revocation } from '../connection/revocations.js';
import type { Source } from '../connection/source.js';
import type { SseConnection } from '../connection/sse-connection.js';
import type { TopicReader } from '../connection/topic-set.js';
import { Wheel } from '../connection/wheel.js';
import type { ResetReason } from '../hub/cursor-sink.js';
import { Hub } from '../hub/hub.js';
import { Publisher } from '../hub/publisher.js';
import type { OnSlow } from '../topic/define.js';
import { TopicRegistry } from '../topic/registry.js';
import { Authorizer } from './authorizer.js';
import { drain } from './drain.js';
import { SilentSockets } from './silent-sockets.js';
import type { ResolvedOptions } from './resolve-options.js';
import type { ErrorContext, StreamHooks } from './sse-options.js';
import { Tickets } from './tickets.js';
import { RESOLVED_OPTIONS } from './tokens.js';

/** Bytes of recent events that all windows of this process keep together. */
const WINDOW_BYTES = 67_108_864;
/** A client that reconnects within this time finds its topics still warm. */
const GRACE_MS = 10_000;

/** What one module instance runs: the engine, the hub and every open connection. */
@Injectable()
export class SseRuntime implements ConnectionHost, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly options: ResolvedOptions;
  readonly registry: TopicRegistry;
  readonly hub: Hub;
  readonly publisher: Publisher;
  readonly wheel = new Wheel();
  readonly open = new Set<Connection>();
  /** Those whose handler has not returned yet. */
  readonly #pending = new Set<Connection>();
  readonly admission: Admission;
  readonly tickets = new Tickets();
  /** How many streams were not opened, by reason. */
  readonly refused: Partial<Record<RefusalReason, number>> = {};
  readonly #revocations = new Revocations();
  readonly #authorizer: Authorizer;
  readonly #logger = new Logger('SseModule');
  readonly #nodeId = randomBytes(6).toString('base64url');
  #connectionCount = 0;
  #isDraining = false;
  readonly #silentSockets: SilentSockets;

  constructor(@Inject(RESOLVED_OPTIONS) options: ResolvedOptions, @Inject(SilentSockets) silentSockets: SilentSockets) {
    this.options = options;
    this.#silentSockets = silentSockets;
    this.registry = new TopicRegistry(options.topics);
    this.admission = new Admission(options.limits);
    this.#authorizer = new Authorizer(this.registry, this.#revocations, options.authorize);
    this.hub = new Hub(options.engine, {
      windowBytes: WINDOW_BYTES,
      graceMs: GRACE_MS,
      onError: (error) => this.report(error),
    });
    this.publisher = new Publisher(options.engine, this.registry, options.history, () => this.hub.pressure());
  }

  get maxTopics(): number {
    return this.options.topicsPerConnection;
  }

  /** A connection for a request that has not been answered yet. */
  prepare(request: ConnectionRequest): Connection {
    const connection = new Connection(this, `${this.#nodeId}.${(++this.#connectionCount).toString(36)}`, request);
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
  refuse(connection: Connection, raw: RawResponse, reason: RefusalReason): void {
    this.refused[reason] = (this.refused[reason] ?? 0) + 1;
    const writer = new ResponseWriter(raw, connection);
    if (reason === 'shutdown') writer.closeSocketWhenSent();
    writer.end(encodeRefusal(reason, spread(retryMsOf(connection.settings))));
    this.#call('onRefused', connection, reason);
  }

  /** Ends the streams that a revocation concerns, and refuses them from now on. */
  revoke(revocation: Revocation, forMs: number): void {
    this.#revocations.add(revocation, Date.now(), forMs);
    for (const connection of [...this.open]) {
      const isMeant =
        connection.principal?.id === revocation.principalId && concerns(revocation.topic, connection.topics);
      if (isMeant) connection.end('revoked');
    }
  }

  /** Takes a revocation back. */
  reinstate(revocation: Revocation): void {
    this.#revocations.delete(revocation);
  }

  /** Begins to stream. While the application shuts down, the client is told to come back instead. */
  start(connection: Connection, raw: RawResponse, source: Source): void {
    this.#pending.delete(connection);
    this.open.add(connection);
    // It may have come to be since it was admitted.
    if (this.#revocations.denies(connection.principal, connection.topics, Date.now())) connection.end('revoked');
    connection.open(raw, source);
    if (this.#isDraining) connection.closeSocketWhenSent();
    this.#call('onOpened', connection);
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
    if (this.open.delete(connection)) this.#call('onClosed', connection, reason);
  }

  onReset(connection: SseConnection, reason: ResetReason, topics: readonly string[]): void {
    this.#call('onReset', connection, reason, topics);
  }

  onSlow(connection: SseConnection): void {
    this.#call('onSlow', connection);
  }

  /** Logs an error that no caller can be given, and tells the `onError` option. Never throws. */
  report(error: unknown, context: ErrorContext = {}): void {
    this.#logger.error(
      error instanceof Error ? error.message : String(error),
      error instanceof Error ? error.stack : undefined,
    );
    this.tell(error, context);
  }

  /** Tells the `onError` option of an error. Never throws. */
  tell(error: unknown, context: ErrorContext): void {
    this.#guard('onError', () => this.options.onError(error, context));
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#isDraining = true;
    await drain(this.open, this.#pending, this.options.drain);
    this.#silentSockets.close(this.options.drain.deadlineMs);
  }

  async onApplicationShutdown(): Promise<void> {
    for (const connection of [...this.open]) connection.cut();
    this.wheel.close();
    await this.hub.close();
    await this.options.engine.close();
  }

  #call<Name extends keyof StreamHooks>(name: Name, ...given: Parameters<NonNullable<StreamHooks[Name]>>): void {
    const hook = this.options.hooks[name] as ((...given: unknown[]) => unknown) | undefined;
    if (hook !== undefined) this.#guard(`hooks.${name}`, () => hook(...given));
  }

  /** A callback of the application must not bring a stream down. */
  #guard(name: string, call: () => unknown): void {
    const failed = (thrown: unknown): void =>
      this.#logger.error(`The option ${name} has failed`, thrown instanceof Error ? thrown.stack : undefined);
    try {
      Promise.resolve(call()).catch(failed);
    } catch (thrown) {
      failed(thrown);
    }
  }
}

/** Between one and three times as long, so that those who were refused together do not come back together. */
function spread(retryMs: number): number {
  return Math.round(retryMs * (1 + 2 * Math.random()));
}
