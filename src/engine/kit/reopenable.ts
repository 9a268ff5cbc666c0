import type { Position } from '../../topic/position.js';
import type { AppendRequest, Engine, EngineSink, Heads, Listing, ReadPage, ReadRequest } from '../engine.js';

/**
 * Makes an engine that works for one application after another, and for several at once: `open` gives each an instance
 * of its own. Whoever calls the engine itself calls the instance that was made last.
 *
 * @param load rejects with `invalid-options` when something is missing that no waiting brings: the driver's package
 */
export function reopenable<E extends Engine>(create: () => E, load: () => Promise<unknown> = nothing): E {
  return new ReopenableEngine(create, load) as Engine as E;
}

class ReopenableEngine implements Engine {
  readonly name: string;
  readonly isShared: boolean;
  declare readonly maxEventBytes: number;
  readonly appendInTransaction?: NonNullable<Engine['appendInTransaction']>;
  readonly #create: () => Engine;
  readonly #load: () => Promise<unknown>;
  #newest: Engine;
  /** Whether the newest instance is, or was, somebody's. */
  #isTaken = false;

  constructor(create: () => Engine, load: () => Promise<unknown>) {
    this.#create = create;
    this.#load = load;
    this.#newest = create();
    this.name = this.#newest.name;
    this.isShared = this.#newest.isShared;
    // An own property: of an object that is made of this one it can be asked as well.
    Object.defineProperty(this, 'maxEventBytes', { get: () => this.#newest.maxEventBytes, enumerable: true });
    if (this.#newest.appendInTransaction === undefined) return;
    this.appendInTransaction = async (transaction, request) => {
      await this.#newest.appendInTransaction?.(transaction, request);
    };
  }

  async open(): Promise<Engine> {
    await this.#load();
    if (this.#isTaken) this.#newest = this.#create();
    this.#isTaken = true;
    return this.#newest;
  }

  start(sink: EngineSink): Promise<void> {
    return this.#newest.start(sink);
  }

  append(request: AppendRequest): Promise<Position> {
    return this.#newest.append(request);
  }

  read(request: ReadRequest): Promise<ReadPage> {
    return this.#newest.read(request);
  }

  locate(topics: readonly string[], id: string): Promise<Position | 'ambiguous' | undefined> {
    return this.#newest.locate(topics, id);
  }

  list(prefix: string): Promise<Listing> {
    return this.#newest.list(prefix);
  }

  heads(topics: readonly string[]): Promise<Heads> {
    return this.#newest.heads(topics);
  }

  subscribe(topics: readonly string[]): Promise<Position> {
    return this.#newest.subscribe(topics);
  }

  unsubscribe(topics: readonly string[]): void {
    this.#newest.unsubscribe(topics);
  }

  health(): Promise<void> {
    return this.#newest.health();
  }

  close(): Promise<void> {
    this.#isTaken = true;
    return this.#newest.close();
  }
}

async function nothing(): Promise<void> {
  // There is nothing to load.
}
