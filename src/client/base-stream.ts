import { EventQueue } from './event-queue.js';
import type { ControlType, EventOf, ReceivedEvent, StreamEvent } from './events.js';
import type { Url } from './options.js';
import { IDLE } from './state.js';
import type { ClosedState, StreamState } from './state.js';
import type { Stream } from './stream.js';

type Listener = (event: never) => void;

/** What users hold of a stream, wherever its events come from. */
export abstract class BaseStream<E extends object> implements Stream<E> {
  lastEventId = '';
  readonly closed: Promise<ClosedState>;
  #state = IDLE;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #watchers = new Set<(state: StreamState) => void>();
  /** For the iterator, and until somebody listens. */
  #queue: EventQueue<ReceivedEvent> | undefined = new EventQueue((place) => (this.lastEventId = place));
  #isIterated = false;
  #resolveClosed!: (state: ClosedState) => void;

  constructor() {
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
  }

  abstract reconnect(change?: { readonly url?: Url | undefined }): void;

  get state(): StreamState {
    return this.#state;
  }

  on<Type extends (keyof E & string) | '*' | ControlType>(
    type: Type,
    listener: (event: EventOf<E, Type>) => void,
  ): () => void {
    const listeners = this.#listeners.get(type) ?? new Set<Listener>();
    // One that is given twice is called twice.
    const own = (event: never): void => listener(event);
    this.#listeners.set(type, listeners.add(own));
    // Not at once: others may come.
    if (!this.#isIterated) queueMicrotask(() => this.#handOver());
    return () => listeners.delete(own);
  }

  subscribe(listener: (state: StreamState) => void): () => void {
    const own = (state: StreamState): void => callListener(listener, state);
    this.#watchers.add(own);
    own(this.#state);
    return () => this.#watchers.delete(own);
  }

  close(): void {
    this.finish('aborted');
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<StreamEvent<E>> {
    if (this.#isIterated) throw new TypeError('A stream is read by one iterator');
    this.#isIterated = true;
    const queue = (this.#queue ??= this.#newQueue());
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: () => queue.next() as Promise<IteratorResult<never>>,
      return: async () => {
        this.close();
        queue.clear();
        return { done: true, value: undefined };
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** With `quietly`, nobody is called: the page is being left. */
  protected setState(state: StreamState, quietly = false): void {
    this.#state = Object.freeze(state);
    if (!quietly) for (const watcher of [...this.#watchers]) watcher(state);
  }

  /** Ends it, unless it has ended. With an error, the iterator throws. */
  protected finish(reason: ClosedState['reason'], more: Pick<ClosedState, 'status' | 'error'> = {}): void {
    if (this.#state.phase === 'closed') return;
    const { downSince } = this.#state;
    const state: ClosedState = { phase: 'closed', reason, ...(downSince && { downSince }), ...more };
    this.setState(state);
    this.#queue?.end(more.error);
    this.#resolveClosed(state);
  }

  /** Hands an event to whoever reads, and keeps it when nobody has ever. */
  protected dispatch(event: ReceivedEvent, isControl: boolean): void {
    for (const type of isControl ? [event.type] : [event.type, '*'])
      for (const listener of [...(this.#listeners.get(type) ?? [])])
        callListener(listener as (event: ReceivedEvent) => void, event);
    if (isControl) return;
    if (this.#queue) this.#queue.push(event, event.lastEventId);
    else this.lastEventId = event.lastEventId;
  }

  /** The place in the stream goes on without an event. */
  moved(place: string): void {
    if (this.#queue) this.#queue.moved(place);
    else this.lastEventId = place;
  }

  /** Whether to read no further. */
  get isFull(): boolean {
    return this.#queue?.isFull === true;
  }

  async whenRoom(): Promise<void> {
    await this.#queue?.whenRoom();
  }

  /** To listeners, what has come before them. */
  #handOver(): void {
    const queue = this.#queue;
    if (this.#isIterated || !queue) return;
    this.#queue = undefined;
    for (let item; (item = queue.take());) this.dispatch(item.event, false);
  }

  #newQueue(): EventQueue<ReceivedEvent> {
    return new EventQueue((place) => (this.lastEventId = place));
  }
}

/** What a user's function throws must stop nobody else. */
export function callListener<T>(listener: (value: T) => void, value: T): void {
  try {
    listener(value);
  } catch (error) {
    report(error);
  }
}

function report(error: unknown): void {
  if (typeof reportError === 'function') reportError(error);
  // Node has no such thing, and thrown from a timer it would end the process.
  // eslint-disable-next-line no-console
  else console.error(error);
}
