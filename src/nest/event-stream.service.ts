import { Inject, Injectable } from '@nestjs/common';
import { SseError } from '../errors.js';
import { Selection } from '../connection/selection.js';
import type { SseConnection } from '../connection/sse-connection.js';
import { selectorsOf } from '../connection/topic-set.js';
import { checkPattern } from '../topic/pattern.js';
import type { SseEvent, SseNotice } from '../wire/event.js';
import { SseRuntime } from './runtime.js';
import { Topic } from './topic.js';

/** What is open in this process. */
export interface OpenConnections {
  readonly count: number;
  list(): readonly SseConnection[];
}

/** Publishes events, and names the topics that routes stream. */
@Injectable()
export class EventStreamService {
  /** The streams that are open in this process. */
  readonly connections: OpenConnections;
  readonly #runtime: SseRuntime;

  constructor(@Inject(SseRuntime) runtime: SseRuntime) {
    this.#runtime = runtime;
    this.connections = {
      get count(): number {
        return runtime.open.size;
      },
      list: () => [...runtime.open],
    };
  }

  /**
   * Publishes an event to everyone who reads the topic. Resolves with its id once the engine has stored it.
   *
   * @throws SseError as a rejection: `invalid-topic`, `invalid-event`, `schema-mismatch`, `closed` or `engine-failed`.
   * Nothing was stored then.
   */
  async publish(topic: string, event: SseEvent | SseNotice): Promise<{ id: string }> {
    return this.#runtime.publisher.publish(topic, event);
  }

  /**
   * One topic, by its name.
   *
   * @throws SseError `invalid-topic`
   */
  topic<T = unknown>(name: string): Topic<T> {
    return new Topic<T>(this.#runtime, name);
  }

  /**
   * Several topics as one stream, in the order in which their events were published; one id resumes them all. A pattern
   * stands for all topics that match it: `*` for one segment, `**` for any number.
   *
   * @throws SseError `invalid-topic`
   */
  topics<T = unknown>(...selectors: readonly (string | Selection<T>)[]): Selection<T> {
    const names = selectors.flatMap(selectorsOf);
    for (const name of names) checkPattern(name);
    if (names.length === 0) throw new SseError('invalid-topic', 'topics() must be given at least one topic or pattern');
    return new Selection<T>(this.#runtime.hub, [...new Set(names)]);
  }
}
