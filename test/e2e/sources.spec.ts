import { describe, expect, test } from '@jest/globals';
import { EMPTY, NEVER, Subject, concat, from, interval, map, of, take } from 'rxjs';
import { adapters, startApp, transports } from '../support/app.js';
import { type HandlerContext, TopicController, streamOf } from '../support/controllers.js';
import { until } from '../support/until.js';

const VALUES = ['a', { data: 'b', type: 'named', id: '7' }, { any: 'object' }, 3, null];
const RECEIVED = [
  { data: 'a' },
  { data: 'b', type: 'named', id: '7' },
  { data: '{"any":"object"}' },
  { data: '3' },
  { data: 'null' },
];

async function* generate() {
  for (const value of VALUES) {
    await Promise.resolve();
    yield value;
  }
}

const sources: readonly [name: string, source: () => unknown][] = [
  ['an Observable that completes synchronously', () => from(VALUES)],
  [
    'an Observable that takes its time',
    () =>
      interval(1).pipe(
        take(VALUES.length),
        map((n) => VALUES[n]),
      ),
  ],
  ['an array', () => VALUES],
  ['a Set', () => new Set(VALUES)],
  ['a generator', () => VALUES.values()],
  ['an async generator', () => generate()],
  ['an array of promises', () => VALUES.map((value) => Promise.resolve(value))],
  ['a ReadableStream', () => streamFrom(VALUES.map((value) => value ?? { data: null }))],
];

describe.each(transports)('on $name', (adapter) => {
  test.each(sources)('streams %s, and a promise of it, to its end', async (_, source) => {
    await using app = await startApp(adapter, { controllers: [streamOf(source)] });
    await using later = await startApp(adapter, { controllers: [streamOf(async () => source())] });

    const events = await (await app.open('/stream')).rest();
    const eventsLater = await (await later.open('/stream')).rest();

    expect(events.slice(0, -1)).toEqual(RECEIVED);
    expect(events.at(-1)).toEqual({
      type: 'stream.end',
      id: 'stream.end',
      data: '{"reason":"complete","reconnect":false}',
    });
    expect(eventsLater).toEqual(events);
  });

  test.each([
    ['an empty Observable', () => EMPTY],
    ['an empty array', () => []],
    ['a generator of nothing', () => [].values()],
  ])('%s opens, and ends for good', async (_, source) => {
    await using app = await startApp(adapter, { controllers: [streamOf(source)] });

    const stream = await app.open('/stream');

    expect((await stream.rest()).map(({ type }) => type)).toEqual(['stream.end']);
    expect(stream.status).toBe(200);
  });

  test('an Observable that never emits is an open stream', async () => {
    await using app = await startApp(adapter, { controllers: [streamOf(() => NEVER)] });

    const stream = await app.open('/stream');
    await stream.receive('retry: 3000\n');

    expect(app.streams.connections.count).toBe(1);
  });

  test('a ReadableStream of bytes sends each chunk as base64', async () => {
    const source = () => streamFrom([new TextEncoder().encode('hi'), Buffer.from([0, 255])]);
    await using app = await startApp(adapter, { controllers: [streamOf(source)] });

    expect((await (await app.open('/stream')).take(2)).map(({ data }) => data)).toEqual(['aGk=', 'AP8=']);
  });

  test('an infinite generator does not keep the process from serving others', async () => {
    function* endless() {
      for (let n = 0; ; n++) yield n;
    }
    await using app = await startApp(adapter, { controllers: [streamOf(endless), TopicController] });
    const greedy = await app.open('/stream');
    await greedy.next();
    const other = await app.open('/topic');
    await other.receive('id: ');

    await app.streams.publish('topic', { data: 'served' });

    expect(await other.next()).toMatchObject({ data: 'served' });
  });
});

const notSources: readonly [name: string, value: unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['a string', 'a'],
  ['a number', 1],
  ['an object', { data: 1 }],
  ['bytes', new Uint8Array(3)],
  ['a function', () => 1],
  ['a symbol', Symbol('x')],
];

describe.each(adapters)('on $name', (adapter) => {
  test.each(notSources)('%s is not a source: 500, and the caller is not told why', async (_, value) => {
    await using app = await startApp(adapter, { controllers: [streamOf(() => value)] });

    const answer = await app.open('/stream');

    expect(answer.status).toBe(500);
    expect(JSON.parse(await answer.body())).toEqual({ message: 'Internal server error', statusCode: 500 });
  });

  test('a topic takes the events of an Observable that is subscribed to it', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const stream = await app.open('/topic');
    await stream.receive('id: ');

    of('a', { data: 'b', type: 'named' }, { other: 1 }).subscribe(app.streams.topic('topic'));

    expect((await stream.rest()).map(({ type, data }) => [type, data])).toEqual([
      [undefined, 'a'],
      ['named', 'b'],
      [undefined, '{"other":1}'],
      ['stream.end', '{"reason":"complete","reconnect":false}'],
    ]);
  });

  const price = ({ streams }: HandlerContext) =>
    streams
      .topics<{ price: number }>('stocks/*', 'extra')
      .filter((event) => event.data.price > 100)
      .map((event) => ({ type: 'big', data: event.data.price }));

  test('filter and map change what a client gets, not the ids it resumes by', async () => {
    await using app = await startApp(adapter, { controllers: [streamOf(price), TopicController] });
    const [mapped, plain] = [await app.open('/stream'), await app.open('/all')];
    await Promise.all([mapped.receive('id: '), plain.receive('id: ')]);

    for (const [name, amount] of [
      ['stocks/A', 50],
      ['stocks/B', 150],
      ['extra', 200],
      ['other', 300],
    ] as const) {
      await app.streams.publish(name, { data: { price: amount } });
    }
    const [all, big] = [await plain.take(4), await mapped.take(2)];
    const resumed = await app.open('/stream', { headers: { 'last-event-id': String(big[0]?.id) } });

    expect(big).toEqual([
      { type: 'big', data: '150', id: all[1]?.id },
      { type: 'big', data: '200', id: all[2]?.id },
    ]);
    expect(await resumed.next()).toEqual(big[1]);
  });

  test('a map may return a bare value, and what it says of the id is not sent', async () => {
    const handler = ({ streams }: HandlerContext) =>
      streams.topic('topic').map(({ data }) => (data === 'bare' ? 7 : { data, id: 'own' }));
    await using app = await startApp(adapter, { controllers: [streamOf(handler)] });
    const stream = await app.open('/stream');
    await stream.receive('id: ');

    const { id } = await app.streams.publish('topic', { data: 'bare' });
    const second = await app.streams.publish('topic', { data: 'event' });

    expect(await stream.take(2)).toEqual([
      { data: '7', id },
      { data: 'event', id: second.id },
    ]);
  });

  test('asObservable gives the same events, from an id or from now on, and completes with the topic', async () => {
    await using app = await startApp(adapter);
    const topic = app.streams.topic<number>('topic');
    const first = await topic.publish({ data: 1 });
    await topic.publish({ data: 2 });
    const seen: unknown[] = [];
    const fresh: unknown[] = [];
    let isOver = false;
    topic.asObservable({ lastEventId: first.id }).subscribe(({ data }) => seen.push(data));
    topic.asObservable().subscribe({ next: ({ data }) => fresh.push(data), complete: () => (isOver = true) });
    await until(() => seen.length === 1, 'the event after the given id');

    await topic.publish({ data: 3 });
    void topic.complete();
    await until(() => isOver, 'the end');

    expect([seen, fresh]).toEqual([[2, 3], [3]]);
  });

  test('a topic may be returned as an Observable too', async () => {
    const handler = ({ streams }: HandlerContext) =>
      concat(
        of('hello'),
        streams
          .topic<string>('topic')
          .asObservable()
          .pipe(map(({ data }) => data.toUpperCase())),
      );
    await using app = await startApp(adapter, { controllers: [streamOf(handler)] });
    const stream = await app.open('/stream');
    await stream.next();

    await app.streams.publish('topic', { data: 'shout' });

    expect(await stream.next()).toEqual({ data: 'SHOUT' });
  });

  test('an Observable is subscribed to once for each stream, and let go when the stream ends', async () => {
    const subject = new Subject<string>();
    await using app = await startApp(adapter, { controllers: [streamOf(() => subject)] });
    const streams = [await app.open('/stream'), await app.open('/stream')];
    await Promise.all(streams.map((stream) => stream.receive('retry')));

    subject.next('both');
    const events = await Promise.all(streams.map((stream) => stream.next()));
    for (const stream of streams) stream.leave();

    expect(events).toEqual([{ data: 'both' }, { data: 'both' }]);
    await until(() => !subject.observed, 'the Observable to be let go');
  });
});

function streamFrom(values: readonly unknown[]): ReadableStream<unknown> {
  return new ReadableStream({
    start: (controller) => {
      for (const value of values) controller.enqueue(value);
      controller.close();
    },
  });
}
