import type { AppendRequest, Engine, LogEntry, ReadPage, ReadRequest } from '../engine/engine.js';
import type { Hub } from '../hub/hub.js';
import { OwnTopic } from '../hub/own-topic.js';
import type { OwnTopicOptions } from '../hub/own-topic.js';
import type { OwnTopicName } from '../topic/own-name.js';
import type { Position } from '../topic/position.js';

/** The log, for what the module's own rooms keep there under names that no user can give a topic. */
export class OwnLog {
  readonly #hub: Hub;
  readonly #engine: Engine;

  constructor(hub: Hub, engine: Engine) {
    this.#hub = hub;
    this.#engine = engine;
  }

  /** Rejects with the engine's error. Waits for those who read, when they have more than they can take at once. */
  async append(request: AppendRequest & { readonly topic: OwnTopicName }): Promise<Position> {
    const position = await this.#engine.append(request);
    const pressure = this.#hub.pressure();
    if (pressure !== undefined) await pressure;
    return position;
  }

  /** Rejects with the engine's error. */
  read(request: ReadRequest): Promise<ReadPage> {
    return this.#engine.read(request);
  }

  /** The newest entry of a topic that is retained; `undefined`: none is. Rejects with the engine's error. */
  async newest(topic: OwnTopicName): Promise<LogEntry | undefined> {
    const [head] = (await this.#engine.heads([topic])).topics;
    if (head === undefined) return undefined;
    const page = await this.#engine.read({ topics: [topic], after: head.seq - 1, maxEntries: 1, maxBytes: 1 });
    return page.entries[0];
  }

  /** Repeats a call until it succeeds, also while the engine is away. `undefined` once the node is closed. */
  persist<T>(call: () => Promise<T>): Promise<T | undefined> {
    return this.#hub.persist(call);
  }

  /** What the nodes tell each other under a name. */
  channel<T>(options: OwnTopicOptions<T>): OwnTopic<T> {
    return new OwnTopic<T>(this.#hub, this.#engine, options);
  }
}
