import { randomBytes } from 'node:crypto';
import { EVERY_TOPIC } from '../engine/engine.js';
import { idle } from '../engine/kit/deadline.js';
import { SseError } from '../errors.js';
import { refuse } from '../rules.js';
import type { Call } from './calls.js';
import { isDemoted, isPassing, replyCode } from './driver.js';
import type { Argument, Driver } from './driver.js';
import { loadDriver } from './drivers.js';
import type { RedisSettings } from './options.js';
import type { Script } from './script.js';

const RETRY_MS = 20;
/** How often another connection is made because the server is no master. */
const RENEW_MS = 1_000;

/** The way to the server, usable once `open` has resolved: commands with our names, tried again while the server cannot be reached. */
export class RedisLink {
  readonly #options: RedisSettings;
  readonly #onReady: () => void;
  readonly #probe = `probe:${randomBytes(9).toString('base64url')}`;
  #opening: Promise<Driver> | undefined;
  #driver: Driver | undefined;
  #stopListening: (() => void) | undefined;
  #isClosed = false;
  #renewedAt = -Infinity;

  constructor(options: RedisSettings, onReady: () => void) {
    this.#options = options;
    this.#onReady = onReady;
    // A client that was given is looked after from now on.
    if (options.client !== undefined) void this.open();
  }

  open(): Promise<Driver> {
    return (this.#opening ??= this.#open());
  }

  isReady(): boolean {
    return this.#driver?.isReady() ?? false;
  }

  /** Why there is no connection, as far as it is known. */
  problem(): unknown {
    return this.#driver?.problem;
  }

  key(name: string): string {
    return `${this.#opened().keyPrefix}{${this.#options.prefix}}:${name}`;
  }

  channel(topic: string): string {
    return this.#channel(topic === EVERY_TOPIC ? 'all' : `topic:${topic}`);
  }

  probeChannel(): string {
    return this.#channel(this.#probe);
  }

  /** The keys of an append, and its channels where these are no keys. */
  appendNames(topics: readonly string[]): { keys: string[]; channels: string[] } {
    const keys = ['lane', 'names', ...topics.flatMap((topic) => [`log:${topic}`, `ids:${topic}`])];
    const channels = [...topics.map((topic) => `topic:${topic}`), 'all'];
    if (!this.#opened().isCluster) {
      return { keys: keys.map((name) => this.key(name)), channels: channels.map((name) => this.#channel(name)) };
    }
    const names = [...keys, ...channels.map((name) => `live:0:${name}`)];
    return { keys: names.map((name) => this.key(name)), channels: [] };
  }

  async publishProbe(message: Buffer): Promise<void> {
    const driver = await this.open();
    if (!driver.isReady()) throw new Error('There is no connection');
    const [command, channel] = driver.isCluster
      ? ['SPUBLISH', this.key(`live:0:${this.#probe}`)]
      : ['PUBLISH', this.probeChannel()];
    try {
      await Promise.all([this.#checkMaster(driver), driver.send(channel, [command, channel, message])]);
    } catch (error) {
      this.noteFailure(error);
      throw error;
    }
  }

  /** Resolves once the server takes writes. */
  async reachMaster(call: Call): Promise<void> {
    await this.#retry(call, (driver) => this.#checkMaster(driver));
  }

  /** To be told of each error: a server that is no master is left. */
  noteFailure(error: unknown): void {
    if (!isDemoted(error) || performance.now() < this.#renewedAt + RENEW_MS) return;
    this.#renewedAt = performance.now();
    this.#driver?.renew();
  }

  /** Sends a command that may be sent again. */
  async send(call: Call, command: readonly Argument[]): Promise<unknown> {
    return this.#retry(call, (driver) => driver.send(this.key('lane'), command));
  }

  /** Runs a script that may be run again. */
  async run(call: Call, script: Script, keys: string[], args: readonly Argument[]): Promise<unknown> {
    let isFull = false;
    return this.#retry(call, async () => {
      try {
        return await this.evaluate(script, keys, args, isFull);
      } catch (error) {
        if (replyCode(error) !== 'NOSCRIPT') throw error;
        isFull = true;
        return this.evaluate(script, keys, args, isFull);
      }
    });
  }

  /** Runs a script, once. */
  evaluate(script: Script, keys: string[], args: readonly Argument[], isFull: boolean): Promise<unknown> {
    const [command, source] = isFull ? ['EVAL', script.text] : ['EVALSHA', script.sha];
    return this.#opened().send(keys[0] as string, [command, source, String(keys.length), ...keys, ...args]);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopListening?.();
    const driver = await this.#opening?.catch(() => undefined);
    await driver?.close();
  }

  /** Rejects when the server is no master: a process that only reads would read what a replica has, for ever. */
  async #checkMaster(driver: Driver): Promise<void> {
    const lane = this.key('lane');
    // Changes nothing: there is no such field.
    await driver.send(lane, ['HDEL', lane, '-']);
  }

  #channel(name: string): string {
    const { channelPrefix, database } = this.#opened();
    return `${channelPrefix}{${this.#options.prefix}}:live:${database}:${name}`;
  }

  #opened(): Driver {
    if (this.#driver === undefined) throw new Error('open() comes first');
    return this.#driver;
  }

  async #open(): Promise<Driver> {
    const driver = await loadDriver(this.#options).catch((error: unknown) => {
      if (SseError.is(error)) throw error;
      const cause = this.#options.failures.clean(error);
      refuse('redisEngine', `no client can be made of url or options: ${cause.message}`, cause);
    });
    this.#driver = driver;
    if (this.#isClosed) return driver;
    this.#stopListening = driver.onReady(() => this.#onReady());
    if (driver.isReady()) this.#onReady();
    return driver;
  }

  async #retry(call: Call, work: (driver: Driver) => Promise<unknown>): Promise<unknown> {
    const driver = await this.open();
    for (;;) {
      if (driver.isReady()) {
        try {
          return await work(driver);
        } catch (error) {
          this.noteFailure(error);
          if (!isPassing(error)) throw error;
          call.cause = error;
        }
      } else {
        call.cause = driver.problem ?? call.cause ?? new Error('there is no connection');
      }
      await idle(RETRY_MS);
      if (call.isOver) throw new SseError('engine-failed', 'The call has ended');
    }
  }
}
