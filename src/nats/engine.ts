import { setMaxListeners } from 'node:events';
import type { AppendRequest, Engine, EngineSink, Heads, Listing, ReadPage, ReadRequest } from '../engine/engine.js';
import { pause } from '../engine/kit/deadline.js';
import type { EngineFailures } from '../engine/kit/failure.js';
import { reopenable } from '../engine/kit/reopenable.js';
import type { Position } from '../topic/position.js';
import { NatsAppender } from './append.js';
import { loadDriver } from './driver.js';
import { JetStream } from './jetstream.js';
import { NatsLink } from './link.js';
import { NatsLive } from './live.js';
import { Messages } from './messages.js';
import { resolveOptions } from './options.js';
import type { NatsEngineOptions, NatsSettings } from './options.js';
import { NatsReader } from './read.js';
import { maxEventBytesOf } from './size.js';
import { UnavailableError } from './stored-message.js';
import { Times } from './times.js';

const RETRY_MS = 20;
/** How long `close` waits for what is being appended. */
const DRAIN_MS = 1_000;

/**
 * Keeps the log in a JetStream stream of NATS, for any number of processes. It works with nats-server 2.9 and newer.
 *
 * @throws SseError `invalid-options`
 *
 * @example
 * ```ts
 * SseModule.forRoot({ engine: natsEngine({ servers: 'nats://127.0.0.1:4222' }) });
 * ```
 */
export function natsEngine(options: NatsEngineOptions): Engine {
  const settings = resolveOptions(options);
  return reopenable(() => new NatsEngine(settings), loadDriver);
}

class NatsEngine implements Engine {
  readonly name = 'nats';
  readonly isShared = true;
  readonly #timeoutMs: number;
  readonly #failures: EngineFailures;
  readonly #closing = new AbortController();
  readonly #link: NatsLink;
  readonly #stream: JetStream;
  readonly #reader: NatsReader;
  readonly #appender: NatsAppender;
  readonly #live: NatsLive;
  readonly #messages: Messages;
  #closed: Promise<void> | undefined;

  constructor(settings: NatsSettings) {
    const { signal } = this.#closing;
    // Each call that waits listens to it.
    setMaxListeners(0, signal);
    this.#timeoutMs = settings.timeoutMs;
    this.#failures = settings.failures;
    this.#link = new NatsLink(settings, {
      down: (error) => this.#onDown(error),
      up: () => void this.#live.restore(),
    });
    this.#stream = new JetStream(this.#link, settings, signal);
    this.#messages = new Messages(this.#stream);
    this.#reader = new NatsReader(this.#stream, settings.timeoutMs);
    const times = new Times(this.#messages);
    this.#appender = new NatsAppender(this.#link, this.#stream, times, settings, signal);
    this.#live = new NatsLive(this.#link, this.#stream, this.#messages, settings, signal);
  }

  /** What the server takes that the engine is connected to; before it is, what a server takes by default. */
  get maxEventBytes(): number {
    return maxEventBytesOf(this.#stream);
  }

  async start(sink: EngineSink): Promise<void> {
    this.#assertOpen();
    this.#live.start(sink);
  }

  async append(request: AppendRequest): Promise<Position> {
    this.#assertOpen();
    return this.#appender.append(request, this.#deadline());
  }

  async read(request: ReadRequest): Promise<ReadPage> {
    return this.#attempt('read', (deadline) => this.#reader.read(request, deadline));
  }

  async locate(topics: readonly string[], id: string): Promise<Position | 'ambiguous' | undefined> {
    return this.#attempt('look for an id', (deadline) => this.#reader.locate(topics, id, deadline));
  }

  async list(prefix: string): Promise<Listing> {
    return this.#attempt('list topics', (deadline) => this.#reader.list(prefix, deadline));
  }

  async heads(topics: readonly string[]): Promise<Heads> {
    return this.#attempt('read heads', (deadline) => this.#reader.heads(topics, deadline));
  }

  async subscribe(topics: readonly string[]): Promise<Position> {
    return this.#attempt('subscribe', (deadline) => this.#live.subscribe(topics, deadline));
  }

  unsubscribe(topics: readonly string[]): void {
    this.#live.unsubscribe(topics);
  }

  async health(): Promise<void> {
    await this.#attempt('reach its stream', (deadline) => this.#stream.state(deadline));
  }

  async close(): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async #close(): Promise<void> {
    this.#live.close();
    await this.#appender.drain(performance.now() + Math.min(DRAIN_MS, this.#timeoutMs));
    this.#closing.abort();
    await this.#link.close();
  }

  #onDown(error: unknown): void {
    // A server that comes back may have lost the end of the log, and use its numbers again.
    this.#reader.forget();
    this.#messages.forget();
    this.#live.interrupt(error);
  }

  #deadline(): number {
    return performance.now() + this.#timeoutMs;
  }

  /** Does it, and again when the stream could not be asked, until the deadline. */
  async #attempt<T>(what: string, task: (deadline: number) => Promise<T>): Promise<T> {
    this.#assertOpen();
    const deadline = this.#deadline();
    for (;;) {
      try {
        return await task(deadline);
      } catch (error) {
        this.#assertOpen();
        if (!(error instanceof UnavailableError) || performance.now() + RETRY_MS > deadline) {
          throw this.#failures.failed(what, error);
        }
        await pause(RETRY_MS, this.#closing.signal);
      }
    }
  }

  #assertOpen(): void {
    if (this.#closed !== undefined) throw this.#failures.closed();
  }
}
