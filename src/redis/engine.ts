import type { AppendRequest, Engine, EngineSink, Heads, Listing, ReadPage, ReadRequest } from '../engine/engine.js';
import type { EngineFailures } from '../engine/kit/failure.js';
import { reopenable } from '../engine/kit/reopenable.js';
import { createEpochs } from '../topic/position.js';
import type { Position } from '../topic/position.js';
import { AppendCalls } from './append-calls.js';
import { RedisAppender } from './append.js';
import { Calls } from './calls.js';
import type { Call } from './calls.js';
import { loadPackage } from './drivers.js';
import { RedisLink } from './link.js';
import { RedisLive } from './live.js';
import { resolveOptions } from './options.js';
import type { RedisEngineOptions, RedisSettings } from './options.js';
import { RedisReader } from './read.js';
import { MAX_EVENT_BYTES, checkEvent } from './size.js';
import { RedisSweeper } from './sweep.js';
import { warnOfEviction } from './warning.js';

const CLOSE_GRACE_MS = 1_000;

/**
 * Keeps the log in Redis, shared by all processes that use the same server and prefix.
 *
 * @throws SseError `invalid-options`
 */
export function redisEngine(options: RedisEngineOptions): Engine {
  const resolved = resolveOptions(options);
  return reopenable(
    () => new RedisEngine(resolved),
    () => loadPackage(resolved),
  );
}

class RedisEngine implements Engine {
  readonly name = 'redis';
  readonly isShared = true;
  readonly maxEventBytes = MAX_EVENT_BYTES;
  readonly #options: RedisSettings;
  readonly #failures: EngineFailures;
  readonly #link: RedisLink;
  readonly #calls: Calls;
  readonly #appender: RedisAppender;
  readonly #reader: RedisReader;
  readonly #sweeper: RedisSweeper;
  readonly #nextEpoch = createEpochs();
  #live: RedisLive | undefined;
  #publishProblem: string | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: RedisSettings) {
    this.#options = options;
    this.#failures = options.failures;
    this.#calls = new Calls(options);
    this.#link = new RedisLink(options, () => this.#appender.restart());
    const appends = new AppendCalls({
      link: this.#link,
      inlineBytes: options.inlineBytes,
      nextEpoch: this.#nextEpoch,
      onPublished: (problem) => (this.#publishProblem = problem),
    });
    this.#appender = new RedisAppender(options, this.#link, appends);
    this.#reader = new RedisReader(this.#link, this.#nextEpoch);
    this.#sweeper = new RedisSweeper(this.#link, options.sweepMs);
  }

  async start(sink: EngineSink): Promise<void> {
    this.#assertOpen();
    const { timeoutMs, probeMs, onWarning } = this.#options;
    const driver = await this.#link.open();
    const probeChannel = this.#link.probeChannel();
    this.#live = new RedisLive({
      sink,
      failures: this.#failures,
      timeoutMs,
      probeMs,
      probeChannel,
      subscribers: () => driver.subscribers(),
      channelOf: (topic) => this.#link.channel(topic),
      publishProbe: (message) => this.#link.publishProbe(message),
    });
    const settings = this.#ask('tell its settings', (call) => this.#link.send(call, ['INFO', 'memory']));
    void warnOfEviction(settings, onWarning);
  }

  async append(request: AppendRequest): Promise<Position> {
    this.#assertOpen();
    checkEvent(request, this.#failures);
    await this.#link.open();
    this.#sweeper.start();
    return this.#appender.append(request);
  }

  async read(request: ReadRequest): Promise<ReadPage> {
    return this.#ask('read', (call) => this.#reader.read(call, request));
  }

  async locate(topics: readonly string[], id: string): Promise<Position | 'ambiguous' | undefined> {
    return this.#ask('look for an id', (call) => this.#reader.locate(call, topics, id));
  }

  async list(prefix: string): Promise<Listing> {
    return this.#ask('list topics', (call) => this.#reader.list(call, prefix));
  }

  async heads(topics: readonly string[]): Promise<Heads> {
    return this.#ask('read heads', (call) => this.#reader.heads(call, topics));
  }

  async subscribe(topics: readonly string[]): Promise<Position> {
    this.#assertOpen();
    if (this.#live === undefined) throw this.#failures.failed('subscribe', undefined, 'start() comes first');
    let trouble: unknown;
    const subscription = this.#live.subscribe(topics, (error) => (trouble = error));
    try {
      return await this.#ask('subscribe', async (call) => {
        await subscription.confirmed;
        return this.#reader.head(call);
      });
    } catch (error) {
      subscription.undo();
      throw trouble === undefined ? error : this.#failures.failed('subscribe', trouble);
    }
  }

  unsubscribe(topics: readonly string[]): void {
    this.#live?.unsubscribe(topics);
  }

  async health(): Promise<void> {
    await this.#ask('answer', async (call) => {
      await this.#link.reachMaster(call);
      await this.#reader.head(call);
    });
    if (this.#publishProblem === undefined) return;
    throw this.#failures.failed('publish the events that it stores', new Error(this.#publishProblem));
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#sweeper.stop();
    await Promise.all([this.#live?.close(), this.#appender.close(CLOSE_GRACE_MS)]);
    this.#calls.close(this.#failures.closed());
    await this.#link.close();
  }

  #ask<T>(what: string, work: (call: Call) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(this.#failures.closed());
    return this.#calls.run(what, async (call) => {
      await this.#link.open();
      return work(call);
    });
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw this.#failures.closed();
  }
}
