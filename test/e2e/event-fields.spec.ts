import { describe, expect, test } from '@jest/globals';
import { concat, of } from 'rxjs';
import { adapters, startApp, transports } from '../support/app.js';
import { TopicController, streamOf } from '../support/controllers.js';

const circular: Record<string, unknown> = {};
circular.self = circular;
const throwing = {
  toJSON: (): never => {
    throw new Error('password=hunter2');
  },
};

/** Events that arrive, and as what. WIRE.md, "Bad input", Event fields. */
const arriving: readonly [name: string, event: object, data: string, other?: object][] = [
  ['a lone CR in data, as a line break', { data: 'a\rb' }, 'a\nb'],
  ['CRLF in data, as a line break', { data: 'a\r\nb' }, 'a\nb'],
  ['LF in data, as itself', { data: 'a\nb' }, 'a\nb'],
  ['line breaks in data that is JSON, escaped', { data: { a: 'x\ny\r' } }, '{"a":"x\\ny\\r"}'],
  ['NUL in data', { data: 'a\0b' }, 'a\0b'],
  ['U+2028 in data', { data: 'a\u2028b' }, 'a\u2028b'],
  ['data that starts with a colon', { data: ': a' }, ': a'],
  ['data that starts with a space', { data: '  a ' }, '  a '],
  ['data that looks like fields', { data: 'a\nevent: x\nid: 1\n\ndata: b' }, 'a\nevent: x\nid: 1\n\ndata: b'],
  ['leading and trailing newlines', { data: '\n\na\n\n' }, '\n\na\n\n'],
  ['data of only newlines', { data: '\n\n' }, '\n\n'],
  ['a BOM at the start', { data: '\ufeffa' }, '\ufeffa'],
  ['a lone surrogate, as U+FFFD', { data: 'a\ud800b' }, 'a\ufffdb'],
  ['a lone surrogate in JSON, escaped', { data: { a: '\udc00' } }, '{"a":"\\udc00"}'],
  ['an emoji', { data: '👩‍👩‍👧', type: '👩' }, '👩‍👩‍👧', { type: '👩' }],
  ['null, as JSON', { data: null }, 'null'],
  ['false, as JSON', { data: false }, 'false'],
  ['zero, as JSON', { data: 0 }, '0'],
  ['NaN, as JSON has it', { data: NaN }, 'null'],
  ['a Date, as JSON has it', { data: new Date(0) }, '"1970-01-01T00:00:00.000Z"'],
  ['bytes, as base64', { data: new Uint8Array([0, 255, 10]) }, 'AP8K'],
  ['an own __proto__ in JSON', { data: JSON.parse('{"__proto__":{"a":1}}') as unknown }, '{"__proto__":{"a":1}}'],
  ['the type error', { data: 1, type: 'error' }, '1', { type: 'error' }],
  ['the type open', { data: 1, type: 'open' }, '1', { type: 'open' }],
  ['the type message', { data: 1, type: 'message' }, '1', { type: 'message' }],
  ['an empty type, as none', { data: 1, type: '' }, '1'],
  ['a type with U+2028', { data: 1, type: 'a\u2028b' }, '1', { type: 'a\u2028b' }],
  ['fields that are undefined, as absent', { data: 1, id: undefined, type: undefined, retry: undefined }, '1'],
];

/** Events that are refused. */
const refused: readonly [name: string, event: unknown][] = [
  ...['\r', '\n', '\r\n', '\0'].flatMap((bad): [string, unknown][] => [
    [`${JSON.stringify(bad)} in an id`, { data: 1, id: `a${bad}b` }],
    [`${JSON.stringify(bad)} in a type`, { data: 1, type: `a${bad}data: b` }],
  ]),
  ['a lone surrogate in an id', { data: 1, id: 'a\ud800' }],
  ['white space before an id', { data: 1, id: ' stream.end' }],
  ['white space behind an id', { data: 1, id: 'a\t' }],
  ['a blank id', { data: 1, id: ' ' }],
  ['a retry of more than an hour', { data: 1, retry: 3_600_001 }],
  ['a retry of -1', { data: 1, retry: -1 }],
  ['a retry of 1.5', { data: 1, retry: 1.5 }],
  ['a retry of NaN', { data: 1, retry: NaN }],
  ['a retry of 2^53', { data: 1, retry: 2 ** 53 }],
  ['a retry with a line break', { data: 1, retry: '1\ndata: x' }],
  ['an id that is an object', { data: 1, id: { toString: () => 'a' } }],
  ['an id that is an array', { data: 1, id: ['a'] }],
  ['an id that is a symbol', { data: 1, id: Symbol('a') }],
  ['an id that is a BigInt', { data: 1, id: 1n }],
  ['an id that is no finite number', { data: 1, id: NaN }],
  ['a type that is an object', { data: 1, type: {} }],
  ['a comment that is no string', { data: 1, comment: 1 }],
  ['undefined data', { data: undefined }],
  ['data that is a function', { data: () => 1 }],
  ['data that is a symbol', { data: Symbol('a') }],
  ['a BigInt in data', { data: { a: 1n } }],
  ['a circular object', { data: circular }],
  ['a throwing toJSON', { data: throwing }],
  ['the reserved prefix in a type', { data: 1, type: 'stream.reset' }],
  ['the reserved prefix in an id', { data: 1, id: 'stream.end' }],
];

describe.each(adapters)('published on $name', (adapter) => {
  test('every odd event arrives as the specification says', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const stream = await app.open('/topic');
    await stream.receive('id: ');

    const ids: string[] = [];
    for (const [, event] of arriving) ids.push((await app.streams.publish('topic', event)).id);

    expect(await stream.take(arriving.length)).toEqual(
      arriving.map(([, , data, other], index) => ({ data, id: ids[index], ...other })),
    );
  });

  test.each(refused)('refuses %s, and nothing of it is sent', async (_, event) => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const stream = await app.open('/topic');
    await stream.receive('id: ');

    await expect(app.streams.publish('topic', event as never)).rejects.toMatchObject({ code: 'invalid-event' });
    await app.streams.publish('topic', { data: 'next' });

    expect(await stream.next()).toMatchObject({ data: 'next' });
    expect(stream.text).toMatch(/^retry: 3000\n: heartbeat 15000\nid: \S+\n\nid: \S+\ndata: next\n\n$/);
  });

  test.each([
    ['an object without data', {}],
    ['an array', [1]],
    ['a string', 'a'],
    ['null', null],
    ['an unknown field', { data: 1, event: 'x' }],
    ['an empty id', { data: 1, id: '' }],
    ['an id that is a number', { data: 1, id: 7 }],
    ['an id over 1,024 bytes', { data: 1, id: 'é'.repeat(600) }],
  ])('refuses %s as an event', async (_, event) => {
    await using app = await startApp(adapter);

    await expect(app.streams.publish('topic', event as never)).rejects.toMatchObject({ code: 'invalid-event' });
  });

  test('several MiB of data arrive whole', async () => {
    const data = 'é\n'.repeat(2 ** 20);
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const stream = await app.open('/topic');
    await stream.receive('id: ');

    await app.streams.publish('topic', { data });
    const large = await stream.next();
    await app.streams.publish('topic', { data: 'next' });

    expect(large?.data.slice(0, 100)).toBe(data.slice(0, 100));
    expect(large?.data === data).toBe(true);
    expect(await stream.next()).toMatchObject({ data: 'next' });
  });

  test('empty data fires an event without data', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const stream = await app.open('/topic');
    await stream.receive('id: ');

    const { id } = await app.streams.publish('topic', { data: '' });

    // The specification dispatches nothing when the data buffer is empty, but the cursor moves.
    await stream.receive(`id: ${id}\ndata: \n\n`);
  });

  test('comments and retries of 0 and 1 reach the raw stream, and fire nothing', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const stream = await app.open('/topic');
    await stream.receive('id: ');

    await app.streams.publish('topic', { comment: 'one\ntwo\r\ndata: x\rid: 1' });
    await app.streams.publish('topic', { retry: 0 });
    await app.streams.publish('topic', { retry: 1, comment: '\0' });
    await app.streams.publish('topic', { data: 'next' });

    expect(await stream.next()).toMatchObject({ data: 'next' });
    expect(stream.comments).toEqual(['heartbeat 15000', 'one', 'two', 'data: x', 'id: 1', '\0']);
    expect(stream.retries).toEqual([3_000, 0, 1]);
  });
});

describe.each(transports)('from a source on $name', (adapter) => {
  test('every odd event arrives as the specification says', async () => {
    await using app = await startApp(adapter, { controllers: [streamOf(() => arriving.map(([, event]) => event))] });

    const stream = await app.open('/stream');

    expect(await stream.take(arriving.length)).toEqual(arriving.map(([, , data, other]) => ({ data, ...other })));
  });

  test.each(refused)('%s ends that stream with stream.error, and nothing of it is sent', async (_, event) => {
    const source = () => concat(of('before'), of(event));
    await using app = await startApp(adapter, { controllers: [streamOf(source)] });

    const stream = await app.open('/stream');
    const events = await stream.rest();

    expect(events).toEqual([
      { data: 'before' },
      {
        type: 'stream.error',
        data: '{"message":"The stream was ended by an error on the server","code":"invalid-event","reconnect":true}',
      },
    ]);
    expect(stream.text).not.toContain('hunter2');
  });

  test('a number as the id, as a row of a database has it, is sent as text', async () => {
    const source = () => [
      { id: 7, data: 'seven' },
      { id: 0, data: 'zero' },
    ];
    await using app = await startApp(adapter, { controllers: [streamOf(source)] });

    const stream = await app.open('/stream');

    expect(await stream.take(2)).toEqual([
      { id: '7', data: 'seven' },
      { id: '0', data: 'zero' },
    ]);
  });

  test('own ids of any script are sent as they are', async () => {
    const source = () => [
      { data: 1, id: 'é' },
      { data: 2, id: 'a b' },
      { data: 3, id: '' },
    ];
    await using app = await startApp(adapter, { controllers: [streamOf(source)] });

    const stream = await app.open('/stream');

    expect((await stream.take(3)).map(({ id }) => id)).toEqual(['é', 'a b', '']);
  });
});
