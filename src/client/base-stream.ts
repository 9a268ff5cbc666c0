import type { ControlType, EventOf, ReceivedEvent, StreamEvent } from './events.js';
import type { Url } from './options.js';
import type { ClosedState, StreamState } from './state.js';
import type { Stream } from './stream.js';

/** As many events wait before the stream reads no further. */
const ROOM = 64;

type Listener = (event: never) => void;

/** What users hold of a stream, wherever its events come from. */
export abstract class BaseStream<E extends object> implements Stream<E> {
  lastEventId = '';
  location: string | undefined;
  readonly closed: Promise<ClosedState>;
  #state: StreamState = Object.freeze({ phase: 'idle' });
  readonly #listeners: Record<string, Set<Listener>> = {};
  readonly #watchers = new Set<(state: StreamState) => void>();
  /** Events with the place that each leads to: for the iterator, and until somebody listens. */
  #queue: { readonly event: ReceivedEvent; place: string }[] | undefined = [];
  #isIterated = false;
  #resolveClosed!: (state: ClosedState) => void;
  /** Resolves when there is another event, more room, or an end. */
  #changed!: Promise<void>;
  #change: () => void = () => undefined;

  constructor() {
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    this.#changes();
  }

  abstract reconnect(change?: { readonly url?: Url | undefined }): void;

  get state(): StreamState {
    return this.#state;
  }

  on<Type extends (keyof E & string) | '*' | ControlType>(
    type: Type,
    listener: (event: EventOf<E, Type>) => void,
  ): () => void {
    const off = add((this.#listeners[`$${type}`] ??= new Set()), listener);
    // Not at once: others may come.
    queueMicrotask(() => {
      if (this.#isIterated) return;
      const held = this.#queue ?? [];
      this.#queue = undefined;
      for (const { event, place } of held) {
        this.dispatch(event, false);
        this.lastEventId = place;
      }
      this.#changes();
    });
    return off;
  }

  subscribe(listener: (state: StreamState) => void): () => void {
    const off = add(this.#watchers, listener);
    callListener(listener, this.#state);
    return off;
  }

  close(): void {
    this.finish('aborted');
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<StreamEvent<E>> {
    if (this.#isIterated) throw new TypeError('A stream is read by one iterator');
    this.#isIterated = true;
    const events = this.#read((this.#queue ??= []));
    const end = events.return.bind(events);
    // Also while the next event is waited for.
    events.return = (value) => {
      this.close();
      return end(value);
    };
    return events as AsyncGenerator<never, void>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** Whether to read no further. */
  get isFull(): boolean {
    return this.holds(ROOM);
  }

  /** Until fewer than so many wait for their reader. */
  async whenRoom(most = ROOM): Promise<void> {
    while (this.holds(most)) await this.#changed;
  }

  /** The place in the stream goes on without an event. */
  moved(place: string): void {
    const last = this.#queue?.at(-1);
    if (last) last.place = place;
    else this.lastEventId = place;
  }

  /** With `quietly`, nobody is called: the page is being left. @param first is told before anybody else can change it */
  protected setState(state: StreamState, quietly?: boolean, first?: (state: StreamState) => void): void {
    this.#state = Object.freeze(state);
    first?.(state);
    // Whoever changes it again has told the others by then.
    if (!quietly) for (const watcher of [...this.#watchers]) if (state === this.#state) callListener(watcher, state);
  }

  /** Ends it, unless it has ended. With an error, the iterator throws. */
  protected finish(reason: ClosedState['reason'], more?: Pick<ClosedState, 'status' | 'error'>): void {
    if (this.#state.phase === 'closed') return;
    this.setState({ phase: 'closed', reason, ...more });
    this.#resolveClosed(this.state as ClosedState);
    this.#changes();
  }

  /** Hands an event to whoever reads, and keeps it when nobody has ever. */
  protected dispatch(event: ReceivedEvent, isControl: boolean): void {
    const { lastEventId: place, type } = event;
    // First, so that a listener that keeps its state keeps the place that belongs to it.
    if (!this.#queue && !isControl) this.lastEventId = place;
    if (this.#isIterated || !this.#queue || isControl)
      for (const each of isControl ? [type] : [type, '*'])
        for (const listener of [...(this.#listeners[`$${each}`] ?? [])]) callListener(listener, event as never);
    if (isControl || !this.#queue) return;
    this.#queue.push({ event, place });
    this.#changes();
  }

  protected holds(count: number): boolean {
    return (this.#queue ?? []).length >= count && this.#state.phase !== 'closed';
  }

  async *#read(
    queue: { readonly event: ReceivedEvent; readonly place: string }[],
  ): AsyncGenerator<ReceivedEvent, void> {
    try {
      for (;;) {
        for (let item; (item = queue.shift());) {
          this.lastEventId = item.place;
          this.#changes();
          yield item.event;
        }
        if (this.#state.phase === 'closed') {
          if (this.#state.error) throw this.#state.error;
          return;
        }
        await this.#changed;
      }
    } finally {
      this.close();
    }
  }

  #changes(): void {
    this.#change();
    this.#changed = new Promise((resolve) => (this.#change = resolve));
  }
}

/** One that is given twice is called twice. @returns takes it away */
function add<T>(listeners: Set<(value: T) => void>, listener: (value: T) => void): () => void {
  const own = (value: T): void => listener(value);
  listeners.add(own);
  return () => listeners.delete(own);
}

/** What a user's function throws must stop nobody else. */
export function callListener<T>(listener: (value: T) => void, value: T): void {
  try {
    listener(value);
  } catch (error) {
    // Node has no such thing, and thrown from a timer it would end the process.
    // eslint-disable-next-line no-console
    (globalThis.reportError ?? console.error)(error);
  }
}
