import { describe, expect, test } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { EventSource as NodeEventSource } from 'eventsource';
import { NEVER, concat, of } from 'rxjs';
import { EventSource as UndiciEventSource } from 'undici';
import { EventStreamService, SseStream } from 'nestjs-event-stream';
import { type TestApp, adapters, startApp, transports } from '../support/app.js';
import { type HandlerContext, streamOf } from '../support/controllers.js';
import type { Stream } from '../support/stream.js';
import { until } from '../support/until.js';

const GZIP = { 'accept-encoding': 'gzip' };
/** Long enough to be packed. */
const LONG = 'price '.repeat(100);
const ODD = ['with space', ' blank before', 'behind ', 'topic', 'x: y', '状態/🦊', 'a\u2028b\u0085c'];

@Controller()
@SseStream({ nameTopics: true })
class StocksController {
  constructor(private readonly streams: EventStreamService) {}

  @SseStream('named')
  named() {
    return this.streams.topics('**');
  }

  @SseStream('plain', { nameTopics: false })
  plain() {
    return this.streams.topics('**');
  }

  @SseStream('changed')
  changed() {
    return this.streams
      .topics('**')
      .filter(({ data }) => data !== 'hidden')
      .map(({ data }) => ({ type: 'changed', data: `${String(data)}!` }));
  }

  @SseStream('all')
  all() {
    return this.streams.topics('**').from('start');
  }
}

/** What a frame of a topic is: its id, the topic's name, and the rest. */
const FRAME = /^id: \S+\n: topic ([^\n]*)\n(?:.+\n)*?data: (.*)\n\n/gm;

/** The topic and the data of each event that names one, as the raw text has them. */
function namedIn({ text }: Stream): [topic: string, data: string][] {
  return [...text.matchAll(FRAME)].map(([, topic = '', data = '']) => [topic, data]);
}

async function publish(app: TestApp, ...topics: string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const topic of topics) ids.push((await app.streams.publish(topic, { type: 'tick', data: `of ${topic}` })).id);
  return ids;
}

describe.each(transports)('on $name', (adapter) => {
  test('each event of a pattern names its own topic, behind its id', async () => {
    await using app = await startApp(adapter, { controllers: [StocksController] });
    const stream = await app.open('/named');
    await stream.receive('id: ');
    const begun = stream.text;

    const [id] = await publish(app, 'stocks/AAPL');
    await stream.take(1);
    await publish(app, 'stocks/MSFT', 'news');
    await stream.take(2);

    expect(begun).toMatch(/^retry: 3000\n: heartbeat 15000\nid: \S+\n\n$/);
    expect(stream.text.slice(begun.length)).toMatch(
      new RegExp(`^id: ${id}\\n: topic stocks/AAPL\\nevent: tick\\ndata: of stocks/AAPL\\n\\nid: `),
    );
    expect(namedIn(stream).map(([topic]) => topic)).toEqual(['stocks/AAPL', 'stocks/MSFT', 'news']);
  });

  test.each([{}, { compression: true }])(
    'two at one place, of which one names its topics, with %j',
    async (options) => {
      await using app = await startApp(adapter, { controllers: [StocksController], options });
      const paths = ['/named', '/plain', '/named', '/plain'];
      const streams = await Promise.all(paths.map((path) => app.open(path, { headers: GZIP })));
      await Promise.all(streams.map((stream) => stream.receive('id: ')));
      const begun = streams.map(({ text }) => text.length);

      const published = ['a', 'b/c', 'a'].map((topic) => app.streams.publish(topic, { data: LONG + topic }));
      const [first, second, third] = (await Promise.all(published)).map(({ id }) => id);
      await Promise.all(streams.map((stream) => stream.take(3)));

      const [named, plain, otherNamed, otherPlain] = streams.map(({ text }, index) => text.slice(begun[index]));
      expect(plain).toBe(
        `id: ${first}\ndata: ${LONG}a\n\nid: ${second}\ndata: ${LONG}b/c\n\nid: ${third}\ndata: ${LONG}a\n\n`,
      );
      expect(named).toBe(
        `id: ${first}\n: topic a\ndata: ${LONG}a\n\n` +
          `id: ${second}\n: topic b/c\ndata: ${LONG}b/c\n\n` +
          `id: ${third}\n: topic a\ndata: ${LONG}a\n\n`,
      );
      expect([otherNamed, otherPlain]).toEqual([named, plain]);
      expect(streams.map(({ headers }) => headers.get('content-encoding'))).toEqual(
        Array(4).fill(options.compression === true ? 'gzip' : null),
      );
    },
  );

  test('what was missed is named as well, from the log', async () => {
    await using app = await startApp(adapter, { controllers: [StocksController] });
    const [first = ''] = await publish(app, 'a', 'b', 'c/d');

    const again = await app.open('/named', { headers: { 'last-event-id': first } });
    const beginning = await app.open('/all');
    await Promise.all([again.take(2), beginning.take(3)]);

    expect(namedIn(again)).toEqual([
      ['b', 'of b'],
      ['c/d', 'of c/d'],
    ]);
    expect(namedIn(beginning).map(([topic]) => topic)).toEqual(['a', 'b', 'c/d']);
  });

  test('what filter() and map() make of an event is named by its topic, live and from the log', async () => {
    await using app = await startApp(adapter, { controllers: [StocksController] });
    const stream = await app.open('/changed');
    await stream.receive('id: ');
    const [first = ''] = await publish(app, 'a');
    await app.streams.publish('a', { data: 'hidden' });
    await app.streams.publish('b', { comment: 'a notice' });
    await publish(app, 'b/c');

    const again = await app.open('/changed', { headers: { 'last-event-id': first } });
    await Promise.all([stream.take(2), again.take(1)]);

    expect(namedIn(stream)).toEqual([
      ['a', 'of a!'],
      ['b/c', 'of b/c!'],
    ]);
    expect(stream.text).toMatch(/\n\nid: \S+\n: topic b\n: a notice\n\n/);
    expect(namedIn(again)).toEqual([['b/c', 'of b/c!']]);
  });
});

describe.each(adapters)('on $name, further', (adapter) => {
  test('neither a source nor connection.send() has a topic, and the topics beside them have', async () => {
    const handler = async ({ connection }: HandlerContext) => {
      connection.send({ data: 'sent' });
      await connection.subscribe('beside');
      return concat(of({ id: '1', data: 'of the source' }), NEVER);
    };
    await using app = await startApp(adapter, { controllers: [streamOf(handler, { nameTopics: true })] });
    const stream = await app.open('/stream');
    await stream.take(2);
    await app.streams.publish('beside', { data: 'of the topic' });
    await stream.take(1);

    expect(stream.text).toMatch(/\n\ndata: of the source\nid: 1\n\n/);
    expect(stream.text).toMatch(/^retry: 3000\n: heartbeat 15000\ndata: sent\n\n/);
    expect(namedIn(stream)).toEqual([['beside', 'of the topic']]);
    expect(stream.comments).toEqual(['heartbeat 15000', 'topic beside']);
  });

  test('the hub route and all others follow the option of the module', async () => {
    await using app = await startApp(adapter, {
      controllers: [StocksController],
      options: { nameTopics: true, hub: { path: 'events' }, authorize: 'public' },
    });
    const [hub, plain] = [await app.open('/events?topic=a&topic=news%2F*'), await app.open('/plain')];
    await Promise.all([hub, plain].map((stream) => stream.receive('id: ')));

    await publish(app, 'a', 'news/x');
    await Promise.all([hub, plain].map((stream) => stream.take(2)));

    expect(namedIn(hub).map(([topic]) => topic)).toEqual(['a', 'news/x']);
    expect(namedIn(plain)).toEqual([]);
  });

  test('a name is told as it is, and a comment of the author cannot take its place', async () => {
    await using app = await startApp(adapter, { controllers: [StocksController] });
    const stream = await app.open('/named');
    await stream.receive('id: ');

    for (const topic of ODD) await app.streams.publish(topic, { data: 'x', comment: 'topic forged\n\nid: forged' });
    await stream.take(ODD.length);

    expect(namedIn(stream).map(([topic]) => topic)).toEqual(ODD);
  });

  test.each([
    ['eventsource', NodeEventSource],
    ['undici', UndiciEventSource],
  ])('the EventSource of %s does not mind', async (_, EventSource) => {
    await using app = await startApp(adapter, { controllers: [StocksController], options: { retryMs: 10 } });
    const received: unknown[] = [];
    const source: EventTarget & { close(): void } = new EventSource(`${app.url}/named`);
    source.addEventListener('tick', (event) => void received.push((event as MessageEvent).data));
    await until(() => app.streams.connections.count === 1, 'the client to come');

    await publish(app, 'a', 'b');
    await until(() => received.length === 2, 'two events');
    app.streams.connections.list()[0]!.close({ reason: 'lifetime' });
    await publish(app, 'c');
    await until(() => received.length === 3, 'the third');
    source.close();

    expect(received).toEqual(['of a', 'of b', 'of c']);
  });
});

test.each(['yes', 1, null])('%j as nameTopics is refused', (nameTopics) => {
  expect(() => SseStream({ nameTopics: nameTopics as never })).toThrow(
    expect.objectContaining({
      code: 'invalid-options',
      message: expect.stringContaining('nameTopics must be true or'),
    }),
  );
});
