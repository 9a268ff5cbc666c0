/** What must and must not compile around the bindings of the client. Never run: the compiler is the test. */
import { shallowRef } from 'vue';
import type { EventsOf, Stream } from '../../src/client/index.js';
import { useStream } from '../../src/client/react/index.js';
import type { ShareStream } from '../../src/client/react/index.js';
import { useStream as useVueStream } from '../../src/client/vue/index.js';
import { defineTopic } from '../../src/topic/define.js';
import { type } from '../../src/topic/events.js';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function assertTrue<_ extends true>(): void;
declare const share: ShareStream;

export const ticks = defineTopic('stocks/:symbol', { events: { tick: type<{ price: number; at: Date }>() } });
export const answers = defineTopic('answers/:id', {
  events: { message: type<string>(), usage: type<{ tokens: number }>() },
});
type Ticks = EventsOf<typeof ticks>;
type Answers = EventsOf<typeof answers>;

// Of a stream of which nothing is known, data is text.
export const plain = useStream('/a');
assertTrue<Equal<typeof plain.data, string | undefined>>();
useStream('/a', { initial: 'none' });
// @ts-expect-error -- it would be a number only until the first event
useStream('/a', { initial: 1 });
export const counted = useStream('/a', { initial: 0, reduce: (count: number, event) => count + event.data.length });
assertTrue<Equal<typeof counted.data, number>>();
export const listed = useStream<string[]>(null, { initial: [], reduce: (all, event) => [...all, event.data] });
assertTrue<Equal<typeof listed.data, string[]>>();
export const late = useStream<number>('/a', { reduce: (sum = 0, event) => sum + Number(event.data) });
assertTrue<Equal<typeof late.data, number | undefined>>();

// Of a typed one, what was published.
export const tick = useStream<Ticks>('/a', { text: [] });
assertTrue<Equal<typeof tick.data, { price: number; at: string } | undefined>>();
assertTrue<Equal<typeof tick.stream, Stream<Ticks> | undefined>>();
export const prices = useStream<Ticks, number[]>('/a', {
  text: [],
  initial: [],
  reduce: (all, event) => (event.type === 'tick' ? [...all, event.data.price] : []),
});
assertTrue<Equal<typeof prices.data, number[]>>();
// @ts-expect-error -- nobody may forget which types are text
useStream<Answers>('/a', {});
// @ts-expect-error -- this one is
useStream<Answers>('/a', { text: [] });
useStream<Answers, string>('/a', { text: ['message'], initial: '', reduce: (all, { text }) => all + text });
// @ts-expect-error -- there is no data before the first event
useStream<Ticks, number>('/a', { text: [], reduce: (sum: number) => sum + 1 });

// What is shared among tabs says whose it is.
useStream('/a', { share, key: 'user 1' });
// @ts-expect-error -- the key is missing
useStream('/a', { share });

// A snapshot gives data of the same kind.
const reduce = (all: number): number => all + 1;
useStream('/a', { initial: 0, reduce, snapshot: async () => ({ lastEventId: '1', data: 1 }) });
// @ts-expect-error -- this is another
useStream('/a', { initial: 0, reduce, snapshot: async () => ({ lastEventId: '1', data: 'one' }) });

// Vue: the same, in refs.
export const refs = useVueStream<Ticks>(() => '/a', { text: [] });
assertTrue<Equal<typeof refs.data.value, { price: number; at: string } | undefined>>();
export const sum = useVueStream(shallowRef<string | null>(null), { initial: 0, reduce });
assertTrue<Equal<typeof sum.data.value, number>>();
useVueStream(() => async () => '/with-a-ticket');
// @ts-expect-error -- a function is a getter: a URL that is a function is given by one
useVueStream(async () => '/with-a-ticket');
