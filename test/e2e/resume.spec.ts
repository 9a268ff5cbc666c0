import { describe, expect, test } from '@jest/globals';
import { type EventStreamService, SseModule, defineTopic } from 'nestjs-event-stream';
import { type TestApp, adapters, startApp } from '../support/app.js';
import { type HandlerContext, TopicController, streamOf } from '../support/controllers.js';
import type { ReceivedEvent, Stream } from '../support/stream.js';

const resume = (app: TestApp, path: string, id: string | undefined): Promise<Stream> =>
  app.open(path, { headers: { 'last-event-id': String(id) } });
const dataOf = (events: readonly ReceivedEvent[]): string[] => events.map(({ data }) => data);
const reset = (reason: string, topics = ['topic']): string => JSON.stringify({ reason, topics });

async function publish(streams: EventStreamService, topic: string, count: number, from = 0): Promise<string[]> {
  const ids: string[] = [];
  for (let n = from; n < from + count; n++) ids.push((await streams.publish(topic, { data: n })).id);
  return ids;
}

describe.each(adapters)('on $name', (adapter) => {
  test('a client that had received nothing yet resumes from where it came in', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    await app.streams.publish('topic', { data: 'before' });
    const first = await app.open('/topic');
    await first.receive('id: ');
    first.leave();

    await app.streams.publish('topic', { data: 'missed' });
    const second = await resume(app, '/topic', first.lastEventId);

    expect(await second.next()).toMatchObject({ data: 'missed' });
  });

  test('one id resumes many topics, patterns included, in the order of publishing', async () => {
    const handler = ({ streams }: HandlerContext) => streams.topics('a', 'b', 'news/*');
    await using app = await startApp(adapter, { controllers: [streamOf(handler)] });
    const first = await app.open('/stream');
    await first.receive('id: ');

    for (const topic of ['a', 'news/x', 'b', 'other', 'news/new', 'a'])
      await app.streams.publish(topic, { data: topic });
    const [start] = await first.take(1);
    const second = await resume(app, '/stream', start?.id);

    expect(dataOf(await second.take(4))).toEqual(['news/x', 'b', 'news/new', 'a']);
  });

  test('the end of a stream says where to come back to, beyond what it had an event of', async () => {
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { history: { maxEvents: 1 } },
    });
    const first = await app.open('/topic');
    await first.receive('id: ');
    await (await app.open('/all')).receive('id: ');
    const others = await publish(app.streams, 'other', 3);

    for (const connection of app.streams.connections.list()) connection.close({ reason: 'lifetime' });
    const [end] = await first.rest();
    const second = await resume(app, '/topic', end?.id);
    await app.streams.publish('topic', { data: 'next' });

    expect(end).toMatchObject({ type: 'stream.end', id: others.at(-1) });
    expect(await second.next()).toMatchObject({ data: 'next' });
  });

  test('an end in the middle of a replay says how far it has come', async () => {
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { history: { maxBytes: Infinity } },
    });
    const first = await app.open('/topic');
    await first.receive('id: ');
    for (let n = 0; n < 200; n++) await app.streams.publish('topic', { data: `${n} ${'x'.repeat(100_000)}` });

    const second = await resume(app, '/topic', first.lastEventId);
    await second.receive('data: 0 ');
    app.streams.connections.list().forEach((connection) => connection.close({ reconnect: true }));
    const events = await second.rest();
    const third = await resume(app, '/topic', events.at(-1)?.id);
    const after = await third.take(1);

    expect(events.at(-1)).toMatchObject({ type: 'stream.end', id: events.at(-2)?.id });
    expect(parseInt(after[0]!.data)).toBe(events.length - 1);
  });

  test('exactly at the edge of the history nothing is missing, one further there is a reset', async () => {
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { history: { maxEvents: 3 } },
    });
    const ids = await publish(app.streams, 'topic', 6);

    const complete = await resume(app, '/topic', ids[2]);
    const trimmed = await resume(app, '/topic', ids[1]);

    expect(dataOf(await complete.take(3))).toEqual(['3', '4', '5']);
    expect(dataOf(await trimmed.take(4))).toEqual([reset('trimmed'), '3', '4', '5']);
  });

  test('a reset stands exactly where the hole is, and has no id of its own', async () => {
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { history: { maxEvents: 1 } },
    });
    const [first] = await publish(app.streams, 'topic', 3);

    const stream = await resume(app, '/topic', first);
    const [hole, next] = await stream.take(2);
    await app.streams.publish('topic', { data: 'live' });

    expect(hole).toEqual({ type: 'stream.reset', data: reset('trimmed') });
    expect(next).toMatchObject({ data: '2' });
    expect(await stream.next()).toMatchObject({ data: 'live' });
  });

  test('a reset names only the topics with a hole', async () => {
    const busy = defineTopic('busy', { history: { maxEvents: 1 } });
    await using app = await startApp(adapter, { controllers: [TopicController], options: { topics: [busy] } });
    const [id] = await publish(app.streams, 'quiet', 2);
    await publish(app.streams, 'busy', 3, 10);

    const stream = await resume(app, '/all', id);

    expect(dataOf(await stream.take(3))).toEqual([reset('trimmed', ['busy']), '1', '12']);
  });

  test('without history a client that missed something is told so, one that did not is not', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController], options: { history: false } });
    const [first, second] = await publish(app.streams, 'topic', 2);

    const behind = await resume(app, '/topic', first);
    const current = await resume(app, '/topic', second);
    await Promise.all([behind.receive('stream.reset'), current.receive(/retry: 3000\n: heartbeat 15000\nid: /)]);
    await app.streams.publish('topic', { data: 'live' });

    expect(dataOf(await behind.take(2))).toEqual([reset('trimmed'), 'live']);
    expect(dataOf(await current.take(1))).toEqual(['live']);
  });

  test('an id of another life of the log is told as such', async () => {
    await using before = await startApp(adapter, { controllers: [TopicController] });
    await using after = await startApp(adapter, { controllers: [TopicController] });
    const [id] = await publish(before.streams, 'topic', 1);
    await publish(after.streams, 'topic', 2);

    const stream = await resume(after, '/topic', id);

    expect(dataOf(await stream.take(3))).toEqual([reset('epoch'), '0', '1']);
  });

  test('publishing goes on during a replay, and nothing is lost or repeated where the two meet', async () => {
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { history: { maxEvents: 100_000, maxBytes: Infinity } },
    });
    const [first] = await publish(app.streams, 'topic', 5_000);
    const stream = await resume(app, '/topic', first);

    const publishing = publish(app.streams, 'topic', 3_000, 5_000);
    const events = await stream.take(7_999);
    await publishing;

    expect(dataOf(events)).toEqual(Array.from({ length: 7_999 }, (_, n) => String(n + 1)));
  });

  test('own ids stay on the wire, and a client resumes from them', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const given = ['order-1', 'ordér 2', '3'];
    const stream = await app.open('/topic');
    await stream.receive('id: ');

    const returned = [];
    for (const id of given) returned.push((await app.streams.publish('topic', { data: id, id })).id);
    const received = await stream.take(3);
    const resumed = await app.open(`/topic?lastEventId=${encodeURIComponent('ordér 2')}`);

    expect(returned).toEqual(given);
    expect(received.map(({ id }) => id)).toEqual(given);
    expect(await resumed.next()).toMatchObject({ data: '3', id: '3' });
  });

  test('an own id in a browser header, UTF-8 as it is, resumes too', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    for (const id of ['é', 'ü']) await app.streams.publish('topic', { data: id, id });

    const header = Buffer.from('é', 'utf8').toString('latin1');
    const stream = await resume(app, '/topic', header);

    expect(await stream.next()).toMatchObject({ data: 'ü' });
  });

  test.each([
    ['twice in one topic', ['topic', 'topic']],
    ['in two topics of the stream', ['topic', 'other']],
  ])('an own id that was used %s is ambiguous: the client is told', async (_, names) => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    for (const name of names) await app.streams.publish(name, { data: name, id: 'same' });

    const stream = await resume(app, '/all', 'same');
    const [told, ...events] = await stream.take(3);

    expect(told?.type).toBe('stream.reset');
    expect(JSON.parse(String(told?.data))).toMatchObject({ reason: 'unknown' });
    expect(dataOf(events)).toEqual(names);
  });

  test('an own id that is no longer kept is unknown', async () => {
    await using app = await startApp(adapter, {
      controllers: [TopicController],
      options: { history: { maxEvents: 1 } },
    });
    for (const id of ['a', 'b']) await app.streams.publish('topic', { data: id, id });

    const stream = await resume(app, '/topic', 'a');

    expect(dataOf(await stream.take(2))).toEqual([reset('unknown'), 'b']);
  });

  test('an event that was read from a stream and is published again gets an id of its own', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const { id } = await app.streams.publish('other', { data: 1 });

    const again = await app.streams.publish('topic', { data: 1, id });

    expect(again.id).not.toBe(id);
  });

  test('a completed topic ends its streams after its last event, and ends those that resume before that', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const watching = await app.open('/topic');
    await watching.receive('id: ');
    const [first] = await publish(app.streams, 'topic', 2);

    void app.streams.topic('topic').complete();
    const resumed = await resume(app, '/topic', first);

    expect(dataOf(await watching.rest())).toEqual(['0', '1', '{"reason":"complete","reconnect":false}']);
    expect(dataOf(await resumed.rest())).toEqual(['1', '{"reason":"complete","reconnect":false}']);
  });

  test('a topic that has completed may be published to again, for those who come then', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    void app.streams.topic('topic').complete();
    const stream = await app.open('/topic');
    await stream.receive('id: ');

    await app.streams.publish('topic', { data: 'again' });

    expect(await stream.next()).toMatchObject({ data: 'again' });
  });

  test('of several topics, one that completes leaves the others', async () => {
    const handler = ({ streams }: HandlerContext) => streams.topics('a', 'b');
    await using app = await startApp(adapter, { controllers: [streamOf(handler)] });
    const stream = await app.open('/stream');
    await stream.receive('id: ');

    void app.streams.topic('a').complete();
    await app.streams.publish('b', { data: 'still' });
    const still = await stream.next();
    void app.streams.topic('b').complete();

    expect(still).toMatchObject({ data: 'still' });
    expect((await stream.rest()).map(({ type }) => type)).toEqual(['stream.end']);
  });

  test('a topic that fails tells its clients so, and who comes back starts behind the failure', async () => {
    const heard: unknown[] = [];
    const module = SseModule.forRoot({ onError: (error, { topic }) => heard.push([String(error), topic]) });
    await using app = await startApp(adapter, { controllers: [TopicController], module });
    const stream = await app.open('/topic');
    await stream.receive('id: ');

    void app.streams.topic('topic').error(new Error('password=hunter2'));
    const events = await stream.rest();
    await app.streams.publish('topic', { data: 'recovered' });
    const resumed = await resume(app, '/topic', stream.lastEventId);

    expect(events.map(({ type }) => type)).toEqual(['stream.error']);
    expect(stream.text).not.toContain('hunter2');
    expect(heard).toEqual([['Error: password=hunter2', 'topic']]);
    expect(await resumed.next()).toMatchObject({ data: 'recovered' });
  });
});
