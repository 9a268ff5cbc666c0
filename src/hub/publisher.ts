import type { AppendRequest, Engine, Retention } from '../engine/engine.js';
import { requestOf, sizeOf } from '../engine/text-entry.js';
import { SseError, describe } from '../errors.js';
import { isEngineTrouble } from '../feed/engine-health.js';
import type { EngineHealth } from '../feed/engine-health.js';
import type { Teller } from '../signals.js';
import type { TopicDefinition } from '../topic/define.js';
import type { HistoryOptions } from '../topic/history.js';
import { checkTopicName } from '../topic/name.js';
import { formatPosition, parsePosition } from '../topic/position.js';
import type { Position } from '../topic/position.js';
import type { TopicRegistry } from '../topic/registry.js';
import { validateEvent } from '../topic/validate.js';
import { checkPublishable, copyEvent } from '../wire/event.js';
import type { SseEvent, SseNotice } from '../wire/event.js';
import { COMPLETE, packFailure, packText } from '../wire/payload.js';
import type { Control } from '../wire/payload.js';
import type { Beginnings } from './beginnings.js';
import type { FinalEnds } from './final-ends.js';
import type { HubSignals } from './signals.js';

const NOTHING: Retention = { maxEvents: 0, maxBytes: 0, maxAgeMs: 600_000 };

/** What publishing means to the hub. */
export interface PublishingHub {
  readonly health: Pick<EngineHealth, 'succeeded' | 'failed'>;
  readonly beginnings: Pick<Beginnings, 'storing' | 'stored'>;
  readonly finalEnds: Pick<FinalEnds, 'has' | 'end'>;
  readonly signals: Teller<HubSignals>;
  /** What to wait for before `publish` resolves, when its events come faster than they go out. */
  pressure(): Promise<void> | undefined;
}

/** Checks an event, encodes it once, and hands it to the engine. */
export class Publisher {
  readonly #engine: Engine;
  readonly #registry: TopicRegistry;
  readonly #retention: Retention;
  readonly #retentions = new WeakMap<TopicDefinition, Retention>();
  readonly #hub: PublishingHub;
  readonly #takesText: boolean;

  constructor(engine: Engine, registry: TopicRegistry, history: Required<HistoryOptions> | false, hub: PublishingHub) {
    this.#hub = hub;
    this.#engine = engine;
    this.#takesText = engine.appendNow !== undefined;
    this.#registry = registry;
    this.#retention = history === false ? NOTHING : (history as Retention);
  }

  /** Resolves with the event's id once the engine has stored it. Rejects with an `SseError`. */
  async publish(topic: string, given: unknown): Promise<{ id: string }> {
    const prepared = this.#prepare(topic, given);
    // An await here would let a later event overtake this one, so only an asynchronous schema costs it.
    const request = prepared instanceof Promise ? await prepared : prepared;
    const stored = this.#append(request);
    const position = stored instanceof Promise ? await stored : stored;
    const pressure = this.#hub.pressure();
    if (pressure !== undefined) await pressure;
    return { id: request.id ?? formatPosition(position) };
  }

  /** Has an event published when a transaction is committed. Rejects with an `SseError`. */
  async publishInTransaction(transaction: unknown, topic: string, given: unknown): Promise<void> {
    if (this.#engine.appendInTransaction === undefined) {
      throw new SseError('invalid-options', `The ${this.#engine.name} engine has no transactions to publish in`);
    }
    await this.#engine.appendInTransaction(transaction, await this.#prepare(topic, given));
  }

  /** Marks the end of a topic: all who watch it are told, in their turn; when it is final, also those who come later. */
  async end(topic: string, how: Control, isFinal = false): Promise<void> {
    checkTopicName(topic);
    const { finalEnds } = this.#hub;
    const data = how === 'complete' ? COMPLETE : packFailure();
    const retention = this.#retentionOf(this.#registry.find(topic)?.definition);
    const store = async (): Promise<Position> => this.#append({ topic, data, retention });
    if (isFinal) return finalEnds.end(topic, retention, store).catch((error: unknown) => this.#fail(error));
    if (finalEnds.has(topic)) throw ended(topic);
    await store();
  }

  #prepare(topic: string, given: unknown): AppendRequest | Promise<AppendRequest> {
    checkTopicName(topic);
    if (this.#hub.finalEnds.has(topic)) throw ended(topic);
    const event = copyEvent(given);
    checkPublishable(event);
    const definition = this.#registry.find(topic)?.definition;
    const pack = (checked: SseEvent | SseNotice): AppendRequest =>
      requestOf(topic, packText(checked), ownId(checked), this.#retentionOf(definition), this.#takesText);
    const checked = definition !== undefined && 'data' in event ? validateEvent(definition, event) : event;
    return checked instanceof Promise ? checked.then(pack) : pack(checked);
  }

  #append(request: AppendRequest): Promise<Position> | Position {
    const { signals } = this.#hub;
    const startedAt = signals.wants('published') || signals.wants('unpublished') ? performance.now() : 0;
    return this.#engine.appendNow === undefined
      ? this.#appendLater(request, startedAt)
      : this.#appendNow(request, startedAt);
  }

  #appendNow(request: AppendRequest, startedAt: number): Position {
    let position: Position;
    try {
      position = (this.#engine as Required<Engine>).appendNow(request);
    } catch (error) {
      return this.#notStored(request, startedAt, error);
    }
    this.#hub.beginnings.storing(request.topic, position);
    this.#stored(request, startedAt, position);
    return position;
  }

  async #appendLater(request: AppendRequest, startedAt: number): Promise<Position> {
    let position: Position;
    try {
      const stored = this.#engine.append(request);
      this.#hub.beginnings.storing(request.topic, stored);
      position = await stored;
    } catch (error) {
      return this.#notStored(request, startedAt, error);
    }
    this.#stored(request, startedAt, position);
    return position;
  }

  #stored(request: AppendRequest, startedAt: number, position: Position): void {
    this.#hub.beginnings.stored(position);
    this.#hub.health.succeeded('publish');
    const { signals } = this.#hub;
    if (!signals.wants('published')) return;
    signals.tell('published', { topic: request.topic, bytes: sizeOf(request), ms: performance.now() - startedAt });
  }

  #notStored({ topic }: AppendRequest, startedAt: number, error: unknown): never {
    const { signals } = this.#hub;
    if (signals.wants('unpublished')) signals.tell('unpublished', { topic, error, ms: performance.now() - startedAt });
    return this.#fail(error);
  }

  #fail(error: unknown): never {
    if (isEngineTrouble(error)) this.#hub.health.failed('publish', error);
    if (SseError.is(error)) throw error;
    const message = `The ${this.#engine.name} engine could not store an event`;
    throw new SseError('engine-failed', message, { cause: error });
  }

  #retentionOf(definition: TopicDefinition | undefined): Retention {
    if (definition?.history === undefined) return this.#retention;
    if (definition.history === false) return NOTHING;
    let retention = this.#retentions.get(definition);
    if (retention === undefined) {
      retention = { ...this.#retention, ...withoutUndefined(definition.history) };
      this.#retentions.set(definition, retention);
    }
    return retention;
  }
}

function ended(topic: string): SseError {
  return new SseError('topic-ended', `The topic ${describe(topic)} has ended for good: nothing can be published to it`);
}

/** An id in the form of this module's positions comes from an event that was read from a stream: the topic gives its own. */
function ownId(event: SseEvent | SseNotice): string | undefined {
  const id = 'id' in event ? event.id : undefined;
  return id === undefined || parsePosition(id) !== undefined ? undefined : id;
}

function withoutUndefined(history: HistoryOptions): Partial<Retention> {
  return Object.fromEntries(Object.entries(history).filter(([, value]) => value !== undefined));
}
