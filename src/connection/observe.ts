import { AsyncResource } from 'node:async_hooks';
import { Observable } from 'rxjs';
import type { Subscriber } from 'rxjs';
import { SseError } from '../errors.js';
import type { Batch } from '../hub/batch.js';
import type { CursorSink } from '../hub/cursor-sink.js';
import { Cursor } from '../hub/cursor.js';
import type { Hub } from '../hub/hub.js';
import { publicName } from '../topic/own-name.js';
import { failureOf, parseRunEnd } from '../topic/run-end.js';
import type { Begin } from '../topic/begin.js';
import { ownEvent } from '../wire/event.js';
import type { SseEvent } from '../wire/event.js';
import { RESET } from '../wire/words.js';
import type { ResetReason } from '../wire/words.js';
import { type Selected, readOf } from './kept.js';
import { isWanted, transform } from './transform.js';
import type { Step } from './transform.js';

/** What is observed. */
export interface Observed extends Selected {
  readonly steps: readonly Step[];
}

/**
 * The events of a selection as an Observable, from the moment of subscription, from `from`, or after the event `lastEventId`. What is
 * lost is told as an event of the type `stream.reset`. Completes when its topic does.
 *
 * @param onStopped hears, right before it completes, that this is because a run was stopped
 */
export function observe(
  hub: Hub,
  selection: Observed,
  lastEventId?: string,
  from?: Begin,
  onStopped?: () => void,
): Observable<SseEvent> {
  return new Observable<SseEvent>((subscriber) => {
    const sink = new ObserverSink(subscriber, selection, onStopped);
    const topics = readOf(selection);
    const cursor = new Cursor(hub, topics, sink);
    sink.stop = () => cursor.close();
    const beginning = hub.beginningOf(from, topics);
    if (beginning !== undefined) cursor.beginAt(beginning);
    void cursor.open(lastEventId);
    return () => cursor.close();
  });
}

/** Calls its subscriber in the context in which it was subscribed to. */
class ObserverSink implements CursorSink {
  readonly isWritable = true;
  readonly maxWriteBytes = 65_536;
  readonly onSlow = 'resume';
  readonly #onStopped: () => void;
  readonly #subscriber: Subscriber<SseEvent>;
  readonly #selection: Observed;
  readonly #running: Set<string>;
  readonly #context = new AsyncResource('SseObservable');
  stop: () => void = () => undefined;

  constructor(subscriber: Subscriber<SseEvent>, selection: Observed, onStopped = (): void => undefined) {
    this.#onStopped = onStopped;
    this.#subscriber = subscriber;
    this.#selection = selection;
    this.#running = new Set(selection.selectors);
  }

  write(batch: Batch): boolean {
    this.#within(() => {
      try {
        for (const event of transform(batch, this.#selection.steps)) this.#subscriber.next(event);
      } catch (error) {
        this.#fail(error);
      }
    });
    return true;
  }

  reset(reason: ResetReason, topics: readonly string[]): void {
    // A route may return the Observable.
    this.#within(() =>
      this.#subscriber.next(ownEvent({ type: RESET, data: { reason, topics: topics.map(publicName) } })),
    );
  }

  ended(from: string, how: 'complete' | 'failed', _id: string, said: string): void {
    const topic = publicName(from);
    if (!isWanted(topic, this.#selection.steps)) return;
    const end = parseRunEnd(said);
    const failure = end && failureOf(end);
    if (failure !== undefined) return this.#fail(failure);
    if (end?.state === 'stopped') this.#onStopped();
    if (how === 'failed') return this.#fail(new SseError('closed', `The topic ${JSON.stringify(topic)} has failed`));
    this.#running.delete(topic);
    if (this.#running.size > 0) return;
    this.stop();
    this.#within(() => this.#subscriber.complete());
  }

  #fail(error: unknown): void {
    this.stop();
    this.#within(() => this.#subscriber.error(error));
  }

  #within(work: () => void): void {
    this.#context.runInAsyncScope(work);
  }
}
