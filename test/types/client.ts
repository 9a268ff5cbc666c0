/** What must and must not compile of what users write with `nestjs-event-stream/client`. Never run: the compiler is the test. */
import { z } from 'zod';
import { defineTopic, type } from 'nestjs-event-stream';
import {
  type ClosedState,
  type EventsOf,
  type Jsonify,
  type Received,
  type Reset,
  type Stream,
  type StreamState,
  openStream,
} from 'nestjs-event-stream/client';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function assertTrue<_ extends true>(): void;

interface Tick {
  readonly price: number;
  readonly at: Date;
}

const ticks = defineTopic('stocks/:symbol', {
  events: { tick: type<Tick>(), halt: z.string().transform((reason) => ({ reason })) },
});
const chat = defineTopic('rooms/:room', { events: { message: type<string>(), typing: type<boolean>() } });

void [ticks, chat];
type Ticks = EventsOf<typeof ticks>;
type Chat = EventsOf<typeof chat>;
interface Arrived {
  readonly price: number;
  readonly at: string;
}

// The map of a definition: what its schemas give, as it is published
assertTrue<Equal<Ticks, { tick: Tick; halt: { reason: string } }>>();
assertTrue<Equal<Chat, { message: string; typing: boolean }>>();

// As it arrives: a Date is a string, bytes are base64, what JSON cannot say is not there
assertTrue<Equal<Jsonify<Tick>, { readonly price: number; readonly at: string }>>();
assertTrue<Equal<Jsonify<{ a: Uint8Array; b: () => void; c: Date[] }>, { a: string; c: string[] }>>();

// A typed stream
const typed = openStream<Ticks>('/stocks/AAPL', { text: [] });
assertTrue<Equal<typeof typed, Stream<Ticks>>>();
typed.on('tick', (event) => {
  assertTrue<Equal<typeof event.data, Arrived>>();
  void event.data.at.toUpperCase();
  // @ts-expect-error -- a Date arrives as text
  void event.data.at.getTime();
  // @ts-expect-error -- no tick has a volume
  void event.data.volume;
});
typed.on('stream.reset', ({ data }) => void (data satisfies Reset));
typed.on('stream.end', ({ data }) => void (data.reconnect satisfies boolean));
// @ts-expect-error -- the topic has no such event
typed.on('tack', () => undefined);
typed.on('*', (event) => {
  if (event.type === 'tick') assertTrue<Equal<typeof event.data, Arrived>>();
  if (event.type === 'halt') assertTrue<Equal<typeof event.data, { reason: string }>>();
  if (event.type === 'stream.reset') assertTrue<Equal<typeof event.data, Reset>>();
  // @ts-expect-error -- which data it is depends on the type
  void event.data.price;
  // @ts-expect-error -- the end is told by the state
  if (event.type === 'stream.end') throw new Error();
});
async function loop(): Promise<void> {
  for await (const event of typed) {
    if (event.type === 'tick') assertTrue<Equal<typeof event.data, Arrived>>();
    // @ts-expect-error -- the topic has no such event
    if (event.type === 'tack') throw new Error();
  }
}
void loop();

// Which types are text must be said: it cannot be told from JSON on the wire
openStream<Chat>('/rooms/1', { text: ['message'] }).on('message', ({ data }) => data.toUpperCase());
openStream<Chat>('/rooms/1', { text: ['message'] }).on('typing', ({ data }) => void (data satisfies boolean));
// @ts-expect-error -- `text` is missing
openStream<Chat>('/rooms/1');
// @ts-expect-error -- `text` is missing among the options
openStream<Chat>('/rooms/1', { retries: 3 });
// @ts-expect-error -- messages are text
openStream<Chat>('/rooms/1', { text: [] });
// @ts-expect-error -- a boolean is no text
openStream<Chat>('/rooms/1', { text: ['message', 'typing'] });
// @ts-expect-error -- there is no such event
openStream<Chat>('/rooms/1', { text: ['note'] });
// @ts-expect-error -- of a typed stream none of whose events is text, that must be said too
openStream<Ticks>('/stocks/AAPL');
// @ts-expect-error -- a tick is no text
openStream<Ticks>('/stocks/AAPL', { text: ['tick'] });

// An untyped stream has text, and any type
const untyped = openStream('/events');
assertTrue<Equal<typeof untyped, Stream>>();
untyped.on('anything', (event) => {
  assertTrue<Equal<typeof event, Received<'anything'>>>();
  assertTrue<Equal<typeof event.data, string>>();
  assertTrue<Equal<ReturnType<typeof event.json<Tick>>, Tick>>();
  // @ts-expect-error -- what comes out of JSON is not known
  void event.json().price;
});
untyped.on('*', ({ data }) => void (data satisfies string));
// @ts-expect-error -- the data of an untyped stream is text
openStream('/events', { text: undefined }).on('*', ({ data }) => data.price);

// Options
openStream(new URL('https://a.example/'), {
  headers: async ({ status, lastEventId, number, reason, signal }) => {
    void [number.toFixed(), reason === 'lifetime', signal.aborted];
    return { authorization: status === 401 ? 'new' : lastEventId };
  },
  retryOn: ({ status, response }) => (status === 418 ? Number(response.headers.get('x-wait')) : undefined),
  snapshot: async (why, signal) => {
    void [why.reason, signal.aborted];
    return { lastEventId: '1' };
  },
  lastEventId: () => undefined,
  heartbeat: false,
  retries: Infinity,
});
openStream(({ number }) => `https://a.example/?ticket=${number}`, { snapshot: async () => undefined });
// @ts-expect-error -- there is no such option
openStream('/events', { retry: 5 });
// @ts-expect-error -- a beat is a number of ms, or none
openStream('/events', { heartbeat: true });
// @ts-expect-error -- a place is in one of two
openStream('/events', { resumeIn: 'body' });
// @ts-expect-error -- a snapshot is awaited
openStream('/events', { snapshot: () => '1' });

// States
declare const state: StreamState;
// @ts-expect-error -- only one that waits has a time
void state.retryAt;
if (state.phase === 'waiting') void [state.retryAt.toFixed(), state.reason === 'silent', state.status?.toFixed()];
if (state.phase === 'open') void (state.resumed satisfies boolean);
// @ts-expect-error -- there is no such phase
if (state.phase === 'opening') throw new Error();
// @ts-expect-error -- states are not changed
state.phase = 'idle';
async function end(): Promise<void> {
  const closed = await untyped.closed;
  assertTrue<Equal<typeof closed, ClosedState>>();
  void [closed.reason === 'revoked', closed.error?.code === 'content-type', closed.error?.response?.status];
}
void end();

// For Svelte, `subscribe` is a store; for RxJS and loops it is iterable
untyped satisfies { subscribe(run: (value: StreamState) => void): () => void };
untyped satisfies AsyncIterable<Received>;
untyped satisfies AsyncDisposable;
