import type { Observable } from 'rxjs';
import type { Hub } from '../hub/hub.js';
import { checkBegin } from '../topic/begin.js';
import type { Begin } from '../topic/begin.js';
import type { ReadEvent, SseEvent } from '../wire/event.js';
import type { Kept } from './kept.js';
import { observe } from './observe.js';
import { NO_STEPS } from './transform.js';
import type { Step } from './transform.js';

const BRAND = Symbol.for('nestjs-event-stream.selection');

/**
 * Which topics a stream carries, and what happens to their events on the way. Immutable: `filter` and `map` make new
 * selections.
 */
export class Selection<T = unknown, E extends SseEvent = SseEvent<T>> {
  /** Names and patterns. */
  readonly selectors: readonly string[];
  /** @internal */
  readonly steps: readonly Step[];
  /** @internal */
  readonly begin: Begin | undefined;
  /** @internal */
  readonly hub: Hub;
  /** @internal */
  readonly kept: Kept | undefined;

  /** @internal */
  constructor(hub: Hub, selectors: readonly string[], steps: readonly Step[] = NO_STEPS, begin?: Begin, kept?: Kept) {
    this.hub = hub;
    this.selectors = selectors;
    this.steps = steps;
    this.begin = begin;
    this.kept = kept;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Lets only those events through for which the predicate holds. It runs once per event and connection. */
  filter<S extends ReadEvent<E>>(predicate: (event: ReadEvent<E>) => event is S): Selection<S['data'], S>;
  filter(predicate: (event: ReadEvent<E>) => boolean): Selection<T, E>;
  filter(predicate: (event: ReadEvent<E>) => boolean): Selection<T, E> {
    return this.#with<T, E>({ filter: predicate as (event: ReadEvent) => boolean });
  }

  /**
   * Makes another event of each: `{ data, type?, retry?, comment? }`, or a bare value as `{ data: value }`. The id on
   * the wire stays that of the original, because a client resumes by it; and so does the topic, for what follows.
   */
  map<R extends SseEvent>(transform: (event: ReadEvent<E>) => R): Selection<R['data'], R>;
  map<R>(transform: (event: ReadEvent<E>) => R): Selection<R>;
  map(transform: (event: ReadEvent<E>) => unknown): Selection {
    return this.#with({ map: transform as (event: ReadEvent) => unknown });
  }

  /**
   * Where a stream begins whose client brings no id; with one, it goes on behind that. `'now'`; `'start'`, with all that history holds;
   * `{ last: n }`, with the n newest events of each topic; `{ sinceMs: n }`, with those of the last n ms; or behind the event with an
   * id, such as `position()` of the service gives. What comes next follows without a gap.
   *
   * @throws SseError `invalid-options`
   */
  from(begin: Begin): Selection<T, E> {
    checkBegin('from()', begin);
    return new Selection<T, E>(this.hub, this.selectors, this.steps, begin, this.kept);
  }

  /**
   * The events as an Observable: from the moment of each subscription, or from where `from` says, or after the event with the id
   * `lastEventId`, which comes before it. What is lost is told as an event of the type `stream.reset`, which has no topic: its data has them. Completes
   * when the topics do.
   *
   * @throws SseError `invalid-options`
   */
  asObservable({ lastEventId, from = this.begin }: ObserveOptions = {}): Observable<ReadEvent<E>> {
    if (from !== undefined) checkBegin('asObservable()', from);
    return observe(this.hub, this, lastEventId, from) as Observable<ReadEvent<E>>;
  }

  #with<U, F extends SseEvent>(step: Step): Selection<U, F> {
    return new Selection<U, F>(this.hub, this.selectors, [...this.steps, step], this.begin, this.kept);
  }
}

export interface ObserveOptions {
  /** The events after that with this id. */
  readonly lastEventId?: string | undefined;
  /**
   * Where it begins without `lastEventId`.
   *
   * @default what the selection says, or else its topics: `'now'`
   */
  readonly from?: Begin | undefined;
}

/** Tells whether a value is a selection, also one of another loaded copy of this package. */
export function isSelection(value: unknown): value is Selection {
  return typeof value === 'object' && value !== null && BRAND in value;
}
