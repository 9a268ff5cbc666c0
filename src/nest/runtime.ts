import { randomBytes } from 'node:crypto';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { BeforeApplicationShutdown, OnApplicationShutdown } from '@nestjs/common';
import { Connection } from '../connection/connection.js';
import type { ConnectionHost, ConnectionRequest } from '../connection/connection-host.js';
import type { RawResponse } from '../connection/response-writer.js';
import type { Source } from '../connection/source.js';
import type { SseConnection } from '../connection/sse-connection.js';
import { Wheel } from '../connection/wheel.js';
import { SseError } from '../errors.js';
import { Hub } from '../hub/hub.js';
import { Publisher } from '../hub/publisher.js';
import type { OnSlow, Principal } from '../topic/define.js';
import { isPattern } from '../topic/pattern.js';
import { TopicRegistry } from '../topic/registry.js';
import { drain } from './drain.js';
import type { ErrorContext, ResolvedOptions } from './sse-options.js';
import { SilentSockets } from './silent-sockets.js';
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
  readonly #logger = new Logger('SseModule');
  readonly #nodeId = randomBytes(6).toString('base64url');
  #connectionCount = 0;
  #isDraining = false;

  readonly #silentSockets: SilentSockets;

  constructor(@Inject(RESOLVED_OPTIONS) options: ResolvedOptions, @Inject(SilentSockets) silentSockets: SilentSockets) {
    this.options = options;
    this.#silentSockets = silentSockets;
    this.registry = new TopicRegistry(options.topics);
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
    return new Connection(this, `${this.#nodeId}.${(++this.#connectionCount).toString(36)}`, request);
  }

  /** Begins to stream. While the application shuts down, the client is told to come back instead. */
  start(connection: Connection, raw: RawResponse, source: Source): void {
    this.open.add(connection);
    if (this.#isDraining) connection.end('shutdown');
    connection.open(raw, source);
    if (this.#isDraining) connection.closeSocketWhenSent();
  }

  async authorize(connection: SseConnection, selector: string): Promise<void> {
    // The message names no topic: whether it exists is not for everyone to know.
    if (!(await this.#mayRead(connection.principal, selector)))
      throw new SseError('forbidden', 'This stream may not be subscribed to');
  }

  onSlowOf(selector: string): OnSlow {
    return this.registry.find(selector)?.definition.onSlow ?? 'resume';
  }

  onClosed(connection: Connection): void {
    this.open.delete(connection);
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
    try {
      this.options.onError(error, context);
    } catch (thrown) {
      this.#logger.error('The onError option has thrown', thrown instanceof Error ? thrown.stack : undefined);
    }
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#isDraining = true;
    await drain(this.open, this.options.drain, this.options.settings.retryMs || 3_000);
    this.#silentSockets.close();
  }

  async onApplicationShutdown(): Promise<void> {
    for (const connection of [...this.open]) connection.cut();
    this.wheel.close();
    await this.hub.close();
    await this.options.engine.close();
  }

  async #mayRead(principal: Principal | null, selector: string): Promise<boolean> {
    const match = this.registry.find(selector);
    if (match?.definition.authorize !== undefined)
      return (await match.definition.authorize(principal, match.params)) === true;
    // A pattern has no parameters to decide by, and must not be a way around those who decide by them.
    if (isPattern(selector) && this.registry.overlapping(selector).some(({ authorize }) => authorize !== undefined))
      return false;
    const { authorize } = this.options;
    return typeof authorize !== 'function' || (await authorize(principal, selector, match?.params ?? {})) === true;
  }
}
