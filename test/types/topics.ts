/** What must and must not compile around topic definitions. Never run: the compiler is the test. */
import { z } from 'zod';
import { type TopicDefinition, defineTopic } from '../../src/topic/define.js';
import { type EventOf, type PublishedEvent, type } from '../../src/topic/events.js';
import { type PathParams, matchTopic, topicName } from '../../src/topic/path.js';
import { TopicRegistry } from '../../src/topic/registry.js';
import { validateEvent } from '../../src/topic/validate.js';
import type { ReadEvent, SseEvent } from '../../src/wire/event.js';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function assertTrue<_ extends true>(): void;

interface Tick {
  readonly price: number;
}

const ticks = defineTopic('stocks/:symbol', {
  events: { tick: type<Tick>(), halt: z.string().transform((reason) => ({ reason })) },
  history: { maxEvents: 500 },
  onSlow: 'skip',
  authorize: (principal, params) => principal?.id === params.symbol,
});
const chat = defineTopic('rooms/:room/:thread', { events: { message: type<string>(), typing: type<boolean>() } });
const orders = defineTopic('orders');

// Path parameters
assertTrue<Equal<PathParams<'stocks/:symbol'>, { readonly symbol: string }>>();
assertTrue<Equal<PathParams<':a/x/:b'>, { readonly a: string; readonly b: string }>>();
assertTrue<Equal<PathParams<'a:b/c'>, Record<never, string>>>();
assertTrue<Equal<PathParams<string>, Readonly<Record<string, string>>>>();
const matched = matchTopic(ticks, 'stocks/AAPL');
assertTrue<Equal<typeof matched, { readonly symbol: string } | undefined>>();
void matched?.symbol;

topicName(ticks, { symbol: 'AAPL' });
topicName(ticks, { symbol: 7 });
topicName(chat, { room: 'a', thread: 1 });
topicName(orders, {});
// @ts-expect-error -- the parameter is missing
topicName(ticks, {});
// @ts-expect-error -- one of two parameters is missing
topicName(chat, { room: 'a' });
// @ts-expect-error -- the parameter has another name
topicName(ticks, { ticker: 'AAPL' });
// @ts-expect-error -- a parameter too many
topicName(ticks, { symbol: 'AAPL', market: 'x' });
// @ts-expect-error -- a value that is no segment
topicName(ticks, { symbol: true });
// @ts-expect-error -- a value that may be absent
topicName(ticks, { symbol: undefined });

// Events, as they are read
declare const read: EventOf<typeof ticks>;
if (read.type === 'tick') assertTrue<Equal<typeof read.data, Tick>>();
if (read.type === 'halt') assertTrue<Equal<typeof read.data, { reason: string }>>();
// @ts-expect-error -- the topic has no such event
if (read.type === 'tack') throw new Error();
// @ts-expect-error -- which data it is depends on the type
void read.data.price;

// Events, as they are published
const published: Array<PublishedEvent<typeof ticks>> = [
  { type: 'tick', data: { price: 1 } },
  { type: 'halt', data: 'lunch', id: '1', retry: 1, comment: 'c' },
  // @ts-expect-error -- the topic has no such event
  { type: 'tack', data: { price: 1 } },
  // @ts-expect-error -- the data is of another event
  { type: 'tick', data: 'lunch' },
  // @ts-expect-error -- the data is what goes into the schema, not what comes out
  { type: 'halt', data: { reason: 'lunch' } },
  // @ts-expect-error -- only a message needs no type
  { data: { price: 1 } },
  // @ts-expect-error -- an event needs data
  { type: 'tick' },
  // @ts-expect-error -- an event has no such field
  { type: 'tick', data: { price: 1 }, name: 'x' },
];

const messages: Array<PublishedEvent<typeof chat>> = [
  { data: 'hello' },
  { type: undefined, data: 'hello' },
  { type: 'message', data: 'hello' },
  { type: 'typing', data: true },
  // @ts-expect-error -- without a type it is a message
  { data: true },
];

assertTrue<Equal<EventOf<typeof orders>, ReadEvent<SseEvent<unknown>>>>();
assertTrue<Equal<PublishedEvent<typeof orders>, SseEvent<unknown>>>();
assertTrue<Equal<EventOf<TopicDefinition>, ReadEvent<SseEvent<unknown>>>>();

// Options
defineTopic('stocks/:symbol', { authorize: async (_principal, { symbol }) => symbol.length > 0 });
defineTopic('stocks/:symbol', { events: undefined, history: false, onSlow: undefined, authorize: undefined });
// @ts-expect-error -- the path has no such parameter
defineTopic('stocks/:symbol', { authorize: (_principal, { ticker }) => Boolean(ticker) });
// @ts-expect-error -- the path has no parameters
defineTopic('orders', { authorize: (_principal, params) => Boolean(params.id) });
defineTopic('stocks/:symbol', { authorizePattern: async (principal, pattern) => principal?.id === pattern });
// @ts-expect-error -- an answer that is neither yes nor no, for a pattern
defineTopic('orders', { authorizePattern: () => 'yes' });
// @ts-expect-error -- a pattern has no parameters
defineTopic('stocks/:symbol', { authorizePattern: (_principal, { symbol }) => symbol === 'AAPL' });
// @ts-expect-error -- an answer that is neither yes nor no
defineTopic('orders', { authorize: () => 'yes' });
// @ts-expect-error -- no such policy
defineTopic('orders', { onSlow: 'drop' });
// @ts-expect-error -- history is false or bounds
defineTopic('orders', { history: true });
// @ts-expect-error -- no such bound
defineTopic('orders', { history: { maxEvent: 1 } });
// @ts-expect-error -- an event type needs a schema
defineTopic('orders', { events: { placed: {} } });
// @ts-expect-error -- type must be called
defineTopic('orders', { events: { placed: type<Tick> } });
// @ts-expect-error -- a definition does not change
ticks.onSlow = 'resume';

// A definition of any path and events is a definition.
const registry = new TopicRegistry([ticks, chat, orders]);
registry.add(ticks);
const any: TopicDefinition = ticks;
void any.authorize?.({ id: 'me', role: 'admin' }, { symbol: 'AAPL' });
assertTrue<Equal<typeof ticks.path, 'stocks/:symbol'>>();
for (const event of [...published, ...messages]) void validateEvent(ticks, event);
