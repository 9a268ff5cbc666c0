/** What a stream route may return. Never run: the compiler is the test. */
import { RequestMethod, applyDecorators } from '@nestjs/common';
import { type Observable, type Subject } from 'rxjs';
import {
  EventStreamService,
  asData,
  asEvent,
  type Selection,
  type SseEvent,
  SseStream,
  type Topic,
  type TopicFamily,
  type TopicOf,
  defineTopic,
  type,
} from 'nestjs-event-stream';

interface Order {
  readonly total: number;
}
const ticks = defineTopic('stocks/:symbol', { events: { tick: type<{ price: number }>() } });
declare const given: {
  observable: Observable<number>;
  subject: Subject<SseEvent<Order>>;
  topic: Topic<Order>;
  topicOf: TopicOf<typeof ticks>;
  selection: Selection<Order>;
  stream: ReadableStream<Uint8Array>;
  ticks: TopicFamily<typeof ticks>;
};
declare const streams: EventStreamService;

const Events = (): MethodDecorator => applyDecorators(SseStream('events'));

export class Allowed {
  @SseStream()
  topic() {
    return streams.topic<Order>('a');
  }

  @SseStream('a', { method: RequestMethod.POST })
  async family(symbol: string) {
    return given.ticks({ symbol });
  }

  @SseStream()
  topicOf(): TopicOf<typeof ticks> {
    return given.topicOf;
  }

  @SseStream(['a', 'b'])
  selection(): Selection<Order> {
    return given.topic.filter(({ data }) => data.total > 1);
  }

  @SseStream()
  mapped() {
    return given.selection.map(({ data }) => data.total);
  }

  @SseStream()
  observables(): Observable<number> {
    return given.observable;
  }

  @SseStream()
  subject() {
    return given.subject;
  }

  @SseStream()
  either(is: boolean): Observable<number> | Promise<Topic<Order>> {
    return is ? given.observable : Promise.resolve(given.topic);
  }

  @SseStream()
  async *generator() {
    yield { data: 1 };
  }

  @SseStream()
  *numbers(): Iterable<number> {
    yield 1;
  }

  @SseStream()
  array() {
    return [{ data: 1 }, { data: 'x', type: 'x' }] as const;
  }

  @SseStream()
  set() {
    return new Set(['a']);
  }

  @SseStream()
  async stream() {
    return given.stream;
  }

  @SseStream()
  never(): never {
    throw new Error('not today');
  }

  @SseStream()
  unknown(): unknown {
    return given.topic;
  }

  @SseStream()
  async promised(): Promise<unknown> {
    return given.topic;
  }

  @SseStream()
  any(): any {
    return given.topic;
  }

  @Events()
  composed() {
    return given.topic;
  }

  @SseStream(':id', { none: 204 })
  async perhaps(is: boolean): Promise<Topic<Order> | undefined> {
    return is ? given.topic : undefined;
  }

  @SseStream({ none: 404, respond: 'negotiate', commit: { waitMs: 2_000 } })
  orNull(is: boolean): Topic<Order> | null {
    return is ? given.topic : null;
  }

  @SseStream({ wire: { name: 'own', none: 204 } })
  ofProfile(is: boolean): Topic<Order> | undefined {
    return is ? given.topic : undefined;
  }
}

export class Refused {
  // @ts-expect-error -- text is not streamed letter by letter
  @SseStream()
  text(): string {
    return 'text';
  }

  // @ts-expect-error -- nor is promised text
  @SseStream('a')
  async promised(): Promise<string> {
    return 'text';
  }

  // @ts-expect-error -- bytes are no values
  @SseStream()
  bytes(): Uint8Array {
    return new Uint8Array();
  }

  // @ts-expect-error -- an event is not a stream of them
  @SseStream()
  event(): SseEvent {
    return { data: 1 };
  }

  // @ts-expect-error -- nothing is returned
  @SseStream()
  nothing(): void {
    void given.topic;
  }

  // @ts-expect-error -- sometimes nothing is returned
  @SseStream()
  sometimes(is: boolean): Topic<Order> | undefined {
    return is ? given.topic : undefined;
  }

  // @ts-expect-error -- text is no source, whatever else may be given
  @SseStream({ none: 204 })
  textOrNothing(is: boolean): string | undefined {
    return is ? 'text' : undefined;
  }

  // @ts-expect-error -- there is no such form
  @SseStream('a', { respond: 'json' })
  form() {
    return given.topic;
  }

  // @ts-expect-error -- the topic has to be made of its definition
  @SseStream()
  definition() {
    return ticks;
  }
}

const event: { type: string; data: number } = asEvent({ type: 'tick', data: 1 });
const data: SseEvent<{ data: number }> = asData({ data: 1 });
void [event, data];
// @ts-expect-error -- an event has no such field
asEvent({ type: 'tick', price: 1 });
