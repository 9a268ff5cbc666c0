import { describe, expect, test } from '@jest/globals';
import { adapters, startApp } from '../support/app.js';
import { TopicController, streamOf } from '../support/controllers.js';
import { openRaw } from '../support/raw.js';

/** `{id}` stands for a good position of this log, `{epoch}`, `{seq}` and `{at}` for its parts. */
const claims: readonly [name: string, claim: string, reason: string | undefined][] = [
  ['words', 'hello', 'unknown'],
  ['a number', '42', 'unknown'],
  ['a negative number', '-1', 'unknown'],
  ['a number above 2^53', '9007199254740993', 'unknown'],
  ['a number above 2^64', '18446744073709551617', 'unknown'],
  ['a position with a sequence above 2^53', '{epoch}.2gosa7pa2gw.{at}', 'unknown'],
  ['a position with a sequence above 2^64', '{epoch}.3w5e11264sgsg.{at}', 'unknown'],
  ['a negative sequence', '{epoch}.-1.{at}', 'unknown'],
  ['a position in capitals', '{epoch}.0A.{at}', 'unknown'],
  ['a position without its end', '{epoch}.{seq}', 'unknown'],
  ['a position cut short', '{epoch}.', 'unknown'],
  ['two positions', '{id}, {id}', 'unknown'],
  ['two positions joined by ~', '{id}~{id}', 'unknown'],
  ['__proto__', '__proto__', 'unknown'],
  ['constructor', 'constructor', 'unknown'],
  ['characters outside of ASCII', 'Ünïcödé', 'unknown'],
  ['almost our own last id', 'stream.ends', 'unknown'],
  ['3 KB', 'x'.repeat(3_000), 'unknown'],
  ['a position of another epoch', 'zzzzzz.1.{at}', 'epoch'],
  ['a position from the future', '{epoch}.zzzz.{at}', 'ahead'],
  ['a position whose time contradicts the log', '{epoch}.{seq}.1', 'diverged'],
  ['a position with spaces around it', '  {id}  ', undefined],
  ['a position', '{id}', undefined],
];

describe.each(adapters)('on $name', (adapter) => {
  test.each(claims)('%s in header or query is withstood: %j is answered with reset %s', async (_, pattern, reason) => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const { id } = await app.streams.publish('topic', { data: 'seen' });
    await app.streams.publish('topic', { data: 'missed' });
    const claim = fill(pattern, id);
    await using raw = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x', `Last-Event-ID: ${claim}`);
    const byQuery = await app.open(`/topic?lastEventId=${encodeURIComponent(claim)}`);

    const expected =
      reason === undefined ? ['missed'] : [`{"reason":"${reason}","topics":["topic"]}`, 'seen', 'missed'];
    const events = await byQuery.take(expected.length);
    await raw.receive('data: missed');

    expect(byQuery.status).toBe(200);
    expect(events.map(({ data }) => data)).toEqual(expected);
    expect(raw.text.includes('stream.reset')).toBe(reason !== undefined);
    expect(raw.text.includes('data: seen')).toBe(reason !== undefined);
  });

  test.each([
    ['empty', 'Last-Event-ID:'],
    ['of spaces', 'Last-Event-ID:    '],
  ])('a header that is %s is none: the stream starts now', async (_, line) => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    await app.streams.publish('topic', { data: 'past' });
    await using raw = await openRaw(app.port, 'GET /topic?lastEventId= HTTP/1.1', 'Host: x', line);
    await raw.receive('id: ');

    await app.streams.publish('topic', { data: 'now' });
    await raw.receive('data: now');

    expect(raw.text).not.toMatch(/data: past|stream\.reset/);
  });

  test('bytes that are not UTF-8 are withstood', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    await app.streams.publish('topic', { data: 'past' });
    await using raw = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x');
    raw.socket.destroy();
    await using odd = await openRaw(app.port);
    odd.socket.write(Buffer.from('GET /topic HTTP/1.1\r\nHost: x\r\nLast-Event-ID: \xff\xfe\r\n\r\n', 'latin1'));

    await odd.receive(/"reason":"unknown"[^]*data: past/);
  });

  test('more than 8 KB in the query is withstood', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    await app.streams.publish('topic', { data: 'past' });

    const stream = await app.open(`/topic?lastEventId=${'x'.repeat(9_000)}`);

    expect((await stream.take(2)).map(({ data }) => data)).toEqual(['{"reason":"unknown","topics":["topic"]}', 'past']);
  });

  test('headers over what Node takes are refused, and others are served', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    await using raw = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x', `Last-Event-ID: ${'x'.repeat(20_000)}`);
    await raw.receive('HTTP/1.1 431');

    expect((await app.open('/topic')).status).toBe(200);
  });

  test('two headers are no position', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const { id } = await app.streams.publish('topic', { data: 'past' });
    const lines = ['GET /topic HTTP/1.1', 'Host: x', `Last-Event-ID: ${id}`, `Last-Event-ID: ${id}`];
    await using raw = await openRaw(app.port, ...lines);

    await raw.receive(/"reason":"unknown"[^]*data: past/);
  });

  test('where header and query disagree, the header holds: it is what the client has seen since', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const first = await app.streams.publish('topic', { data: 1 });
    const second = await app.streams.publish('topic', { data: 2 });
    await app.streams.publish('topic', { data: 3 });

    const path = `/topic?lastEventId=${first.id}`;
    const stream = await app.open(path, { headers: { 'last-event-id': second.id } });

    expect(await stream.next()).toMatchObject({ data: '3' });
  });

  test('the position of another topic is one of the same lane: what follows it is sent', async () => {
    const controllers = [TopicController, streamOf(({ streams }) => streams.topic('other'))];
    await using app = await startApp(adapter, { controllers });
    await app.streams.publish('topic', { data: 'before' });
    const { id } = await app.streams.publish('other', { data: 'elsewhere' });
    await app.streams.publish('topic', { data: 'after' });

    const stream = await app.open('/topic', { headers: { 'last-event-id': id } });

    expect(await stream.next()).toMatchObject({ data: 'after' });
  });
});

function fill(pattern: string, id: string): string {
  const [epoch = '', seq = '', at = ''] = id.split('.');
  const parts: Record<string, string> = { id, epoch, seq, at };
  return pattern.replace(/\{(\w+)\}/g, (_, name: string) => parts[name] ?? '');
}
