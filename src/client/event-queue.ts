/** As many wait before the stream reads no further. */
const ROOM = 64;

interface Waiting<T> {
  readonly resolve: (result: IteratorResult<T>) => void;
  readonly reject: (error: Error) => void;
}

/** Events that wait for their reader, with the place in the stream that each leads to. */
export class EventQueue<T> {
  #items: { readonly event: T; place: string }[] = [];
  #waiting: Waiting<T>[] = [];
  #end: ((waiting: Waiting<T>) => void) | undefined;
  #onRoom: (() => void)[] = [];

  /** @param onPlace is told of the place of each event that is taken */
  constructor(readonly onPlace: (place: string) => void) {}

  push(event: T, place: string): void {
    const [first] = this.#waiting.splice(0, 1);
    if (!first) return void this.#items.push({ event, place });
    this.onPlace(place);
    first.resolve({ done: false, value: event });
  }

  /** The place goes on behind the last event. */
  moved(place: string): void {
    const last = this.#items.at(-1);
    if (last) last.place = place;
    else this.onPlace(place);
  }

  next(): Promise<IteratorResult<T>> {
    return new Promise((resolve, reject) => {
      const item = this.take();
      if (item) resolve({ done: false, value: item.event });
      else if (this.#end) this.#end({ resolve, reject });
      else this.#waiting.push({ resolve, reject });
    });
  }

  take(): { readonly event: T } | undefined {
    const item = this.#items.shift();
    if (item) this.onPlace(item.place);
    if (this.#items.length < ROOM) for (const go of this.#onRoom.splice(0)) go();
    return item;
  }

  /** No more will come. */
  end(error: Error | undefined): void {
    this.#end = ({ resolve, reject }) => (error ? reject(error) : resolve({ done: true, value: undefined }));
    for (const each of this.#waiting.splice(0)) this.#end(each);
    for (const go of this.#onRoom.splice(0)) go();
  }

  /** Forgets what nobody will read. */
  clear(): void {
    this.#items = [];
    this.take();
  }

  get isFull(): boolean {
    return this.#items.length >= ROOM && !this.#end;
  }

  whenRoom(): Promise<void> {
    return new Promise((resolve) => (this.isFull ? this.#onRoom.push(resolve) : resolve()));
  }
}
