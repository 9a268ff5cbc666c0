import type {
  AppendRequest,
  Engine,
  EngineSink,
  Heads,
  Hole,
  Listing,
  LogEntry,
  ReadPage,
  ReadRequest,
} from '../engine/engine.js';
import type { EngineFailures } from '../engine/kit/failure.js';
import { reopenable } from '../engine/kit/reopenable.js';
import { contradiction } from '../engine/resume.js';
import { createEpochs } from '../topic/position.js';
import type { Position } from '../topic/position.js';
import { APPEND } from './append-script.js';
import { Calls } from './calls.js';
import type { Call } from './calls.js';
import type { Argument } from './driver.js';
import { warnOfEviction } from './warning.js';
import { RedisLink } from './link.js';
import { RedisLive } from './live.js';
import { loadPackage } from './drivers.js';
import { resolveOptions } from './options.js';
import type { RedisEngineOptions, RedisSettings } from './options.js';
import { RedisAppender } from './append.js';
import { decodeEntry, decodeHead, decodeLane } from './codec.js';
import { READ } from './read-script.js';
import type { Script } from './script.js';
import { LIST, LOCATE, OPEN } from './scripts.js';
import { MAX_EVENT_BYTES, checkEvent } from './size.js';
import { RedisSweeper } from './sweep.js';

/** The largest number that is passed for a bound that is none. */
const UNBOUNDED = 1e15;
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

type PageReply = [
  lane: Buffer,
  newest: Buffer,
  unknown: number[],
  trimmed: number[],
  more: number,
  found: (number | Buffer)[],
];

class RedisEngine implements Engine {
  readonly name = 'redis';
  readonly isShared = true;
  readonly maxEventBytes = MAX_EVENT_BYTES;
  readonly #options: RedisSettings;
  readonly #failures: EngineFailures;
  readonly #link: RedisLink;
  readonly #calls: Calls;
  readonly #appender: RedisAppender;
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
    this.#appender = new RedisAppender(options, this.#link);
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
    const { topic, data, id, retention } = request;
    await this.#link.open();
    this.#sweeper.start();
    const { maxEvents, maxBytes, maxAgeMs } = retention;
    const bounds = toArguments(maxEvents, maxBytes, maxAgeMs);
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const event: Argument[] = [this.#nextEpoch(), topic, bytes, id === undefined ? '' : `=${id}`, ...bounds];
    const inlineBytes = String(this.#options.inlineBytes);
    return this.#appender.append(async (node, n, floor, isFull) => {
      const { keys, channels } = this.#link.appendNames(topic);
      const args = [...event, node, String(n), String(floor), inlineBytes, ...channels];
      const reply = (await this.#link.evaluate(APPEND, keys, args, isFull)) as (Buffer | number)[];
      if (Number(reply[0]) === 1) this.#publishProblem = reply[4]?.toString();
      return reply;
    });
  }

  async read(request: ReadRequest): Promise<ReadPage> {
    const topics = [...new Set(request.topics)];
    return this.#ask('read', async (call) => {
      const found = await this.#page(call, topics, request.after, request);
      const { verify } = request;
      const lost = verify && contradiction(verify, found.head, found.newest);
      if (lost === undefined) return { ...found.page, holes: request.after === undefined ? [] : found.holes };
      const { page } = await this.#page(call, topics, undefined, request);
      return { ...page, holes: [{ reason: lost, topics }] };
    });
  }

  async locate(topics: readonly string[], id: string): Promise<Position | 'ambiguous' | undefined> {
    const asked = [...new Set(topics)];
    return this.#ask('look for an id', async (call) => {
      const keys = asked.flatMap((topic) => [this.#link.key(`log:${topic}`), this.#link.key(`ids:${topic}`)]);
      const reply = await this.#evaluate(call, LOCATE, keys, [id, ...asked]);
      const [epoch, ...numbers] = reply as [Buffer, ...unknown[]];
      const [count = 0, seq = 0, at = 0] = numbers.map(Number);
      if (count > 1) return 'ambiguous';
      return count === 0 ? undefined : { epoch: epoch.toString(), seq, at };
    });
  }

  async list(prefix: string): Promise<Listing> {
    return this.#ask('list topics', async (call) => {
      const reply = await this.#evaluate(call, LIST, [this.#link.key('names')], [prefix]);
      const [lane, names] = reply as [Buffer, Buffer[]];
      const { head, forgotten } = decodeLane(lane);
      return { names: names.map((name) => name.toString()), upTo: head, forgottenUpTo: forgotten };
    });
  }

  async heads(topics: readonly string[]): Promise<Heads> {
    return this.#ask('read heads', async (call) => {
      const fields = topics.map((topic) => `t${topic}`);
      for (;;) {
        const reply = await this.#link.send(call, ['HMGET', this.#link.key('lane'), 'l', ...fields]);
        const [lane, ...heads] = reply as (Buffer | null)[];
        if (lane) {
          return { upTo: decodeLane(lane).head, topics: heads.map((head) => (head ? decodeHead(head) : undefined)) };
        }
        await this.#evaluate(call, OPEN, [], []);
      }
    });
  }

  async subscribe(topics: readonly string[]): Promise<Position> {
    this.#assertOpen();
    if (this.#live === undefined) throw this.#failures.failed('subscribe', undefined, 'start() comes first');
    let trouble: unknown;
    const subscription = this.#live.subscribe(topics, (error) => (trouble = error));
    try {
      return await this.#ask('subscribe', async (call) => {
        await subscription.confirmed;
        return decodeLane((await this.#evaluate(call, OPEN, [], [])) as Buffer).head;
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
      await this.#evaluate(call, OPEN, [], []);
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

  /** A page, whatever the position that a client claims. */
  async #page(call: Call, topics: string[], after: number | undefined, { excerpt, maxEntries, maxBytes }: ReadRequest) {
    const logs = topics.map((topic) => this.#link.key(`log:${topic}`));
    const bounds = toArguments(after ?? 0, maxEntries, maxBytes);
    const leftOut = excerpt === undefined ? [] : toArguments(excerpt.upTo, excerpt.last, excerpt.since);
    const reply = await this.#evaluate(call, READ, logs, [...bounds, ...topics, ...leftOut]);
    const [lane, newest, unknown, trimmed, more, found] = reply as PageReply;
    const { head } = decodeLane(lane);
    const named = (numbers: number[]): string[] => numbers.map((number) => topics[number - 1] as string);
    const entries: LogEntry[] = [];
    for (let n = 0; n < found.length; n += 2) {
      entries.push(decodeEntry(topics[Number(found[n]) - 1] as string, found[n + 1] as Buffer));
    }
    const last = Number(more) === 1 ? entries.at(-1) : undefined;
    const holes: Hole[] = [];
    if (trimmed.length > 0) holes.push({ reason: 'trimmed', topics: named(trimmed) });
    if (unknown.length > 0) holes.push({ reason: 'unknown', topics: named(unknown) });
    const upTo = last === undefined ? head : { epoch: head.epoch, seq: last.seq, at: last.at };
    return { head, newest: newest.length > 0 ? Number(newest) : undefined, holes, page: { entries, upTo } };
  }

  #ask<T>(what: string, work: (call: Call) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(this.#failures.closed());
    return this.#calls.run(what, async (call) => {
      await this.#link.open();
      return work(call);
    });
  }

  /** Runs a script that may have to open the lane. */
  #evaluate(call: Call, script: Script, keys: string[], args: string[]): Promise<unknown> {
    return this.#link.run(call, script, [this.#link.key('lane'), ...keys], [this.#nextEpoch(), ...args]);
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw this.#failures.closed();
  }
}

function toArguments(...numbers: number[]): string[] {
  return numbers.map((number) => String(Math.min(number, UNBOUNDED)));
}
