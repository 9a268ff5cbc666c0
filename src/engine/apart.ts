import { AsyncResource } from 'node:async_hooks';
import type { Position } from '../topic/position.js';
import type { AppendRequest, Engine, EngineSink, Heads, Listing, ReadPage, ReadRequest } from './engine.js';

/** Made when this file is loaded, and so in nobody's context. */
const nobody = new AsyncResource('nestjs-event-stream');

/**
 * Begins what serves many in nobody's asynchronous context. A connection, a timer or a loop would otherwise keep that of whoever came
 * first, with his user and his trace, for as long as it lives, and show it to all others.
 */
export function apart<T>(work: () => T): T {
  return nobody.runInAsyncScope(work);
}

/** The engine, whose connections, timers and deliveries are in nobody's context, whoever calls. */
export function apartEngine(engine: Engine): Engine {
  return new ApartEngine(engine);
}

class ApartEngine implements Engine {
  readonly name: string;
  readonly isShared: boolean;
  declare readonly appendInTransaction?: NonNullable<Engine['appendInTransaction']>;
  declare readonly appendNow?: NonNullable<Engine['appendNow']>;
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.name = engine.name;
    this.isShared = engine.isShared;
    if (engine.appendNow !== undefined) this.appendNow = engine.appendNow.bind(engine);
    // That is the caller's own transaction, on his connection.
    if (engine.appendInTransaction !== undefined) this.appendInTransaction = engine.appendInTransaction.bind(engine);
  }

  get maxEventBytes(): number {
    return this.#engine.maxEventBytes;
  }

  start(sink: EngineSink): Promise<void> {
    return apart(() => this.#engine.start(sink));
  }

  append(request: AppendRequest): Promise<Position> {
    return apart(() => this.#engine.append(request));
  }

  read(request: ReadRequest): Promise<ReadPage> {
    return apart(() => this.#engine.read(request));
  }

  locate(topics: readonly string[], id: string): Promise<Position | 'ambiguous' | undefined> {
    return apart(() => this.#engine.locate(topics, id));
  }

  list(prefix: string): Promise<Listing> {
    return apart(() => this.#engine.list(prefix));
  }

  heads(topics: readonly string[]): Promise<Heads> {
    return apart(() => this.#engine.heads(topics));
  }

  subscribe(topics: readonly string[]): Promise<Position> {
    return apart(() => this.#engine.subscribe(topics));
  }

  unsubscribe(topics: readonly string[]): void {
    apart(() => this.#engine.unsubscribe(topics));
  }

  health(): Promise<void> {
    return apart(() => this.#engine.health());
  }

  close(): Promise<void> {
    return apart(() => this.#engine.close());
  }
}
