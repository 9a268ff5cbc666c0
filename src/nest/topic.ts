import { Selection } from '../connection/selection.js';
import { SseError, describe } from '../errors.js';
import type { Node } from '../node/node.js';
import { checkTopicName } from '../topic/name.js';
import { toEvent } from '../wire/event.js';
import type { SseEvent, SseNotice } from '../wire/event.js';

/**
 * One topic: publish to it, return it from a route, observe it, or subscribe it to an Observable (it is an RxJS
 * Observer).
 *
 * `T` is the type of the data, `E` that of the events read, `P` that of the events published.
 */
export class Topic<T = unknown, E extends SseEvent = SseEvent<T>, P = E> extends Selection<T, E> {
  readonly name: string;
  readonly #node: Node;

  /** @internal */
  constructor(node: Node, name: string) {
    checkTopicName(name);
    super(node.hub, [name]);
    this.name = name;
    this.#node = node;
  }

  /**
   * Publishes an event to everyone who reads this topic. Resolves with its id once the engine has stored it.
   *
   * @throws SseError as a rejection: `invalid-event`, `schema-mismatch`, `closed` or `engine-failed`. Nothing was stored then.
   */
  publish(event: P | SseNotice): Promise<{ id: string }> {
    return this.#node.publisher.publish(this.name, event);
  }

  /** Publishes an event, or a bare value as `{ data: value }`. A failure goes to the `onError` option: an Observable cannot be told. */
  next(value: T | P): void {
    void this.#report(this.#node.publisher.publish(this.name, toEvent(value)));
  }

  /**
   * Tells everyone who watches that the topic has failed, without saying why. The error itself goes to the `onError` option. Resolves
   * once that is stored; what the engine rejects with goes to `onError` as well, so that nobody needs to await it.
   */
  error(error: unknown): Promise<void> {
    this.#node.report(error, { topic: this.name });
    return this.#report(this.#node.publisher.end(this.name, 'failed'));
  }

  /**
   * Ends the topic for everyone who watches it: their streams end with the reason `complete`, for good. Resolves once that is stored; what
   * the engine rejects with goes to `onError` as well, so that nobody needs to await it.
   *
   * @throws SseError `invalid-options`; as a rejection `topic-ended`, `closed`, `engine-failed` or `engine-uncertain`
   */
  complete(options: CompleteOptions = {}): Promise<void> {
    const { final = false } = checkComplete(options);
    return this.#report(this.#node.publisher.end(this.name, 'complete', final));
  }

  #report<R>(publishing: Promise<R>): Promise<R> {
    publishing.catch((error: unknown) => this.#node.report(error, { topic: this.name }));
    return publishing;
  }
}

export interface CompleteOptions {
  /**
   * Whether the topic has ended for whoever comes later, too: he is given what history holds of it, and then the end. Nothing can be
   * published to it any more.
   *
   * @default false
   */
  readonly final?: boolean | undefined;
}

/** RxJS calls `complete()` without anything. */
function checkComplete(options: CompleteOptions): CompleteOptions {
  const { final, ...others }: { final?: unknown } = { ...options };
  const [other] = Object.keys(others);
  if (other !== undefined || (final !== undefined && typeof final !== 'boolean'))
    throw new SseError(
      'invalid-options',
      `complete(): { final } must be true or false, got ${describe(other ?? final)}`,
    );
  return options;
}
