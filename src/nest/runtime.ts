import { randomBytes } from 'node:crypto';
import { ForbiddenException, Inject, Injectable, Logger } from '@nestjs/common';
import type { BeforeApplicationShutdown, OnApplicationShutdown } from '@nestjs/common';
import type { CloseReason } from '../connection/end-reason.js';
import { Connection } from '../connection/connection.js';
import type { ConnectionHost } from '../connection/connection.js';
import type { RawResponse } from '../connection/response-writer.js';
import type { Source } from '../connection/source.js';
import type { SseConnection, StreamRequest } from '../connection/sse-connection.js';
import { Wheel } from '../connection/wheel.js';
import { Hub } from '../hub/hub.js';
import { Publisher } from '../hub/publisher.js';
import type { OnSlow } from '../topic/define.js';
import { TopicRegistry } from '../topic/registry.js';
import { drain } from './drain.js';
import type { ErrorContext, ResolvedOptions, ResolvedSettings } from './sse-options.js';
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

  constructor(@Inject(RESOLVED_OPTIONS) options: ResolvedOptions) {
    this.options = options;
    this.registry = new TopicRegistry(options.topics);
    this.hub = new Hub(options.engine, {
      windowBytes: WINDOW_BYTES,
      graceMs: GRACE_MS,
      onError: (error) => this.report(error),
    });
    this.publisher = new Publisher(options.engine, this.registry, options.history);
  }

  get maxTopics(): number {
    return this.options.topicsPerConnection;
  }

  /** A connection for a request that has not been answered yet. */
  prepare(request: StreamRequest, lastEventId: string | undefined, settings: ResolvedSettings): Connection {
    return new Connection(this, `${this.#nodeId}.${(++this.#connectionCount).toString(36)}`, request, lastEventId, settings);
  }

  /** Begins to stream. While the application shuts down, the client is told to come back instead. */
  start(connection: Connection, raw: RawResponse, source: Source): void {
    this.open.add(connection);
    if (this.#isDraining) connection.end('shutdown');
    connection.open(raw, source);
    if (this.#isDraining) connection.closeSocketWhenSent();
  }

  async authorize(connection: SseConnection, selector: string): Promise<void> {
    const match = this.registry.find(selector);
    const { authorize } = this.options;
    let isAllowed: boolean | Promise<boolean> = true;
    if (match?.definition.authorize !== undefined) isAllowed = match.definition.authorize(connection.principal, match.params);
    else if (typeof authorize === 'function') isAllowed = authorize(connection.principal, selector, match?.params ?? {});
    // The message names no topic: whether it exists is not for everyone to know.
    if ((await isAllowed) !== true) throw new ForbiddenException('This stream may not be subscribed to');
  }

  onSlowOf(selector: string): OnSlow {
    return this.registry.find(selector)?.definition.onSlow ?? 'resume';
  }

  onClosed(connection: Connection, _reason: CloseReason): void {
    this.open.delete(connection);
  }

  onFailed(connection: Connection, error: unknown): void {
    this.report(error, { connection });
  }

  /** Passes an error on to where somebody may see it. Never throws. */
  report(error: unknown, context: ErrorContext = {}): void {
    this.#logger.error(error instanceof Error ? error.message : String(error), error instanceof Error ? error.stack : undefined);
    try {
      this.options.onError(error, context);
    } catch (thrown) {
      this.#logger.error('The onError option has thrown', thrown instanceof Error ? thrown.stack : undefined);
    }
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#isDraining = true;
    await drain(this.open, this.options.drain, this.options.settings.retryMs || 3_000);
  }

  async onApplicationShutdown(): Promise<void> {
    for (const connection of [...this.open]) connection.destroy();
    this.wheel.close();
    await this.hub.close();
    await this.options.engine.close();
  }
}
