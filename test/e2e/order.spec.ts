import { describe, expect, test } from '@jest/globals';
import { Subject } from 'rxjs';
import type { SseConnection } from 'nestjs-event-stream';
import { type TestApp, startApp, transports } from '../support/app.js';
import { type HandlerContext, streamOf } from '../support/controllers.js';

const LARGE = 'and more '.repeat(30_000);
const head = /^retry: 3000\n: heartbeat 15000\n(id: [^\n]+\n\n)?/;

const connectionOf = (app: TestApp): SseConnection => app.streams.connections.list()[0]!;

/** The body without its ids and its first lines. */
const saidIn = (body: string) => body.replace(head, '').replace(/^id: [^\n]+\n/gm, '');

const cases = transports.flatMap((adapter) => [false, true].map((compression) => ({ ...adapter, compression })));

// Whatever a Node version keeps back, and for how long: what a stream is given in one turn, it sends in that order.
describe.each(cases)('on $name, compression: $compression', (adapter) => {
  const start = (handler: (context: HandlerContext) => unknown) =>
    startApp(adapter, { controllers: [streamOf(handler, { compression: adapter.compression })] });

  test('what is sent, what a topic brought and the end come in their order', async () => {
    await using app = await start(({ streams }) => streams.topic('topic'));
    const stream = await app.open('/stream', { headers: { 'accept-encoding': 'gzip' } });
    await stream.receive('id: ');

    const connection = connectionOf(app);
    connection.send({ data: 'first' });
    void app.streams.publish('topic', { data: `event ${LARGE}` });
    connection.send({ data: 'second' });
    connection.close();

    expect(saidIn(await stream.body())).toBe(
      `data: first\n\ndata: second\n\ndata: event ${LARGE}\n\n` +
        'event: stream.end\ndata: {"reason":"closed","reconnect":false}\n\n',
    );
  });

  test('what a step sends while events pass comes before these events', async () => {
    await using app = await start(({ streams, connection }) =>
      streams.topic('topic').filter(({ data }) => {
        connection.send({ data: `before ${String(data)}` });
        return true;
      }),
    );
    const stream = await app.open('/stream', { headers: { 'accept-encoding': 'gzip' } });
    await stream.receive('id: ');

    void app.streams.publish('topic', { data: 1 });
    await app.streams.publish('topic', { data: 2 });
    await stream.take(4);
    await app.streams.publish('topic', { data: 3 });
    await stream.take(2);

    const said = ['before 1', 'before 2', 1, 2, 'before 3', 3];
    expect(saidIn(stream.text)).toBe(said.map((data) => `data: ${data}\n\n`).join(''));
  });

  test('the values of a source, what is sent beside them and its topics come in their order', async () => {
    const source = new Subject<unknown>();
    await using app = await start(async ({ connection }) => {
      await connection.subscribe('topic');
      return source;
    });
    const stream = await app.open('/stream', { headers: { 'accept-encoding': 'gzip' } });
    await stream.receive('retry: ');
    await app.streams.publish('topic', { data: 'event' });
    await stream.take(1);

    source.next('one');
    connectionOf(app).send({ data: 'two' });
    void app.streams.publish('topic', { data: 'event' });
    source.next('three');
    await stream.take(4);
    source.next('four');
    source.next(LARGE);
    connectionOf(app).send({ comment: 'five' });
    source.next('six');
    source.complete();

    expect(saidIn(await stream.body())).toBe(
      'data: event\n\ndata: one\n\ndata: two\n\ndata: three\n\ndata: event\n\n' +
        `data: four\n\ndata: ${LARGE}\n\n: five\ndata: six\n\n` +
        'event: stream.end\ndata: {"reason":"complete","reconnect":false}\n\n',
    );
  });
});
