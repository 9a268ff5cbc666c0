/** What must and must not compile of what users write (API.md). Never run: the compiler is the test. */
import { Controller, Injectable, type MessageEvent, Module, Param, RequestMethod } from '@nestjs/common';
import { EMPTY, type Observable, type Observer, interval, map } from 'rxjs';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { z } from 'zod';
import {
  Connection,
  type EventOf,
  EventStreamService,
  InjectTopic,
  LastEventId,
  type ReadEvent,
  type Selection,
  type SelectionOf,
  type SseConnection,
  type SseEvent,
  SseModule,
  SseStream,
  type Topic,
  type TopicDefinition,
  type TopicFamily,
  type TopicOf,
  defineTopic,
  memoryEngine,
  type,
} from 'nestjs-event-stream';
import { engineContract, readStream } from 'nestjs-event-stream/testing';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function assertTrue<_ extends true>(): void;

interface Order {
  readonly total: number;
}

const ticks = defineTopic('stocks/:symbol', {
  events: { tick: type<{ price: number }>(), halt: z.object({ reason: z.string() }) },
  history: { maxEvents: 500 },
});
const news = defineTopic('news');

// Set up
SseModule.forRoot();
SseModule.forRoot({
  engine: memoryEngine(),
  history: false,
  retryMs: false,
  heartbeatMs: undefined,
  topics: [ticks, news],
});
SseModule.forRootAsync({ useFactory: () => ({ heartbeatMs: 1_000 }), hub: { path: 'events' }, topics: [ticks] });
SseModule.forFeature([ticks, news]);
// @ts-expect-error -- there is no such option
SseModule.forRoot({ heartbeat: 1_000 });
// @ts-expect-error -- true is not a number of milliseconds
SseModule.forRoot({ heartbeatMs: true });
// @ts-expect-error -- a definition is no name
SseModule.forFeature(['stocks/:symbol']);

// Publish
declare const streams: EventStreamService;
declare const nestEvent: MessageEvent;
const published: Promise<{ id: string }> = streams.publish('orders/42', { type: 'shipped', data: { carrier: 'x' } });
void published;
void streams.publish('orders/42', { ...nestEvent });
void streams.publish('orders/42', { comment: 'still there' });
// @ts-expect-error -- an event has no such field
void streams.publish('orders/42', { data: 1, name: 'x' });
// @ts-expect-error -- an event has data, or only a comment or retry
void streams.publish('orders/42', { type: 'shipped' });

const orders = streams.topic<Order>('orders/42');
assertTrue<Equal<typeof orders, Topic<Order>>>();
void orders.publish({ data: { total: 1 } });
// @ts-expect-error -- not an order
void orders.publish({ data: { sum: 1 } });

// A topic is an RxJS Observer of events and of bare values.
const observer: Observer<Order> = orders;
const eventObserver: Observer<SseEvent<Order>> = orders;
interval(1)
  .pipe(map((total) => ({ total })))
  .subscribe(orders);
interval(1)
  .pipe(map((total) => ({ data: { total } })))
  .subscribe(orders);
void [observer, eventObserver];
// @ts-expect-error -- numbers are no orders
interval(1).subscribe(orders);

// Select
const expensive = orders.filter((event) => event.data.total > 100);
assertTrue<Equal<typeof expensive, Selection<Order>>>();
const totals = orders.map((event) => event.data.total);
assertTrue<Equal<typeof totals, Selection<number>>>();
void totals;
const big = expensive.map((event) => ({ ...event, type: 'big' as const }));
big.asObservable().subscribe((event) => {
  assertTrue<Equal<(typeof event)['type'], 'big'>>();
  assertTrue<Equal<(typeof event)['data'], Order>>();
  void event;
});
orders.asObservable().subscribe(({ topic }) => void topic.length);
streams
  .topics<Order>('orders/*')
  .filter((event) => event.topic.endsWith('2') && event.data.total > 1)
  .map(({ topic, data }) => ({ type: topic, data: data.total }))
  .filter((event) => event.topic === event.type && event.data > 1);
declare const isTold: (event: ReadEvent<SseEvent<Order>>) => boolean;
orders.filter(isTold);
const told = streams
  .topic('orders/1')
  .filter((event): event is ReadEvent<SseEvent<Order>> => typeof event.data === 'object');
assertTrue<Equal<typeof told, Selection<Order, ReadEvent<SseEvent<Order>>>>>();
void told;
// @ts-expect-error -- what is read has a topic, so a guard has to keep it
streams.topic('orders/1').filter((event): event is SseEvent<Order> => typeof event.data === 'object');
// @ts-expect-error -- the topic of an event is not for the publisher to say
void orders.publish({ data: { total: 1 }, topic: 'orders/1' });
const observed: Observable<SseEvent<Order>> = orders.asObservable({ lastEventId: undefined });
void observed;
streams.topics('stocks/AAPL', 'news/*', streams.topic('orders/1'));
// @ts-expect-error -- an order has no price
orders.filter((event) => event.data.price > 100);
// @ts-expect-error -- a predicate answers yes or no
orders.filter(() => 'yes');
// @ts-expect-error -- there is no such option
orders.asObservable({ since: 'x' });

// Typed topics
declare const family: TopicFamily<typeof ticks>;
const apple = family({ symbol: 'AAPL' });
void family({ symbol: 7 });
void apple.publish({ type: 'tick', data: { price: 1 } });
void apple.publish({ type: 'halt', data: { reason: 'lunch' }, id: 'h1' });
const halts = apple.filter((event): event is Extract<EventOf<typeof ticks>, { type: 'halt' }> => event.type === 'halt');
halts.map((event) => event.data.reason.length);
apple.asObservable().subscribe((event) => {
  if (event.type === 'tick') assertTrue<Equal<typeof event.data, { price: number }>>();
});
// @ts-expect-error -- the topic has no such event type
void apple.publish({ type: 'tock', data: { price: 1 } });
// @ts-expect-error -- the price is a number
void apple.publish({ type: 'tick', data: { price: '1' } });
// @ts-expect-error -- a tick is no halt
void apple.publish({ type: 'halt', data: { price: 1 } });
// @ts-expect-error -- the type says which data it is
void apple.publish({ data: { price: 1 } });
// @ts-expect-error -- the parameter is missing
family();
// @ts-expect-error -- the parameter has another name
family({ ticker: 'AAPL' });
// @ts-expect-error -- there is no such parameter
family({ symbol: 'AAPL', market: 'x' });

// All of a definition's topics, or some
const all = family.all();
assertTrue<Equal<typeof all, SelectionOf<typeof ticks>>>();
all.map((event) => (event.type === 'tick' ? event.data.price : event.data.reason.length + event.topic.length));
all
  .filter((event) => event.type === 'halt')
  .map((event) => event.data.reason.length)
  .filter(({ topic, data }) => topic.length > data);
void family.all({ symbol: 7 });
void family.all({});
// @ts-expect-error -- there is no such event type
all.filter((event) => event.type === 'tock');
// @ts-expect-error -- there is no such parameter
family.all({ market: 'x' });
// @ts-expect-error -- a parameter is a string or a number
family.all({ symbol: true });
declare const rooms: TopicFamily<TopicDefinition<'rooms/:building/:room', { alarm: StandardSchemaV1<number> }>>;
rooms.all({ building: 'north' }).filter(({ type, data }) => type === 'alarm' && data > 1);

declare const newsFamily: TopicFamily<typeof news>;
void newsFamily().publish({ type: 'anything', data: ['whatever'] });
// @ts-expect-error -- the path has no parameters
newsFamily({ symbol: 'AAPL' });
assertTrue<Equal<ReturnType<typeof newsFamily.all>, SelectionOf<typeof news>>>();
// @ts-expect-error -- the path has no parameters
newsFamily.all({ symbol: 'AAPL' });

// Inject and stream
@Injectable()
class Prices {
  // A parameter called `ticks` would hide the constant that its own type needs (TS2502).
  constructor(
    @InjectTopic(ticks) private readonly prices: TopicFamily<typeof ticks>,
    private readonly events: EventStreamService,
  ) {}

  @SseStream('raw', { heartbeatMs: false, headers: { 'X-A': 'b' }, method: RequestMethod.POST })
  async *raw(
    @Connection() connection: SseConnection,
    @LastEventId() from: string | undefined,
  ): AsyncGenerator<SseEvent> {
    connection.send({ data: from });
    const isOver: boolean = connection.signal.aborted;
    yield { data: isOver };
    connection.close({ reason: 'complete', reconnect: false });
    // @ts-expect-error -- no such reason
    connection.close({ reason: 'bored' });
  }

  @SseStream(':symbol')
  watch(@Param('symbol') symbol: string): TopicOf<typeof ticks> | Observable<never> {
    void this.events;
    return symbol === '' ? EMPTY : this.prices({ symbol });
  }
}

// @ts-expect-error -- there is no such setting
SseStream('x', { heartbeat: 1 });
SseStream('x', {
  nameTopics: true,
  resumeAt: ({ topics, request }) => (request.method === 'POST' ? topics[0] : undefined),
});
// @ts-expect-error -- the place is a text, and known at once
SseStream('x', { resumeAt: async () => '/x' });
// @ts-expect-error -- only a definition can be injected
InjectTopic('stocks/:symbol');

@Controller('prices')
@SseStream({ retryMs: 1_000 })
class PricesController {}

@Module({
  imports: [SseModule.forRoot(), SseModule.forFeature([ticks])],
  controllers: [PricesController],
  providers: [Prices],
})
export class PricesModule {}

// Testing
export async function testing(app: { getUrl(): Promise<string> }): Promise<void> {
  await using stream = await readStream(app, '/prices/AAPL', {
    lastEventId: 'x',
    until: (event) => event.type === 'tick',
  });
  const next = await stream.next();
  assertTrue<Equal<typeof stream.status, number>>();
  void next?.json();
  await readStream('http://localhost/', { take: 3, body: { question: 'why' } });
  await readStream(new URL('http://localhost/'));
  // @ts-expect-error -- there is no such option
  await readStream(app, '/', { count: 3 });
  engineContract('mine', ({ now }) => ({ engine: memoryEngine({ now }) }), {
    lacks: ['nodes', 'durability', 'housekeeping'],
  });
  // @ts-expect-error -- no engine lacks what there is no word for
  engineContract('mine', () => ({ engine: memoryEngine() }), { lacks: ['speed'] });
}
